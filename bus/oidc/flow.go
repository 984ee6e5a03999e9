package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// FlowLife is how long a user has to log in at the provider.
const FlowLife = 10 * time.Minute

// Codes of [RefusedError].
const (
	CodeNotCompleted = "login_not_completed" // log in again
	CodeDenied       = "login_denied"        // the provider refused the user
	CodeNoRole       = "no_role"             // the user may not use the control bus
)

// RefusedError says why a login at the provider failed, in words for its user.
type RefusedError struct{ Code, Reason string }

func (e *RefusedError) Error() string { return e.Reason }

func refuse(code, format string, args ...any) error {
	return &RefusedError{code, fmt.Sprintf(format, args...)}
}

// Flow is a login that has begun. The browser keeps it.
type Flow struct {
	State    string        `json:"state"`
	Nonce    string        `json:"nonce"`
	Verifier string        `json:"verifier"` // of PKCE (RFC 7636)
	Expires  subjects.Time `json:"expires"`
}

// Begin returns a new login and the URL at which the user logs in, or
// [ErrAway].
func (p *Provider) Begin() (f Flow, at string, err error) {
	m := p.found.Load()
	if m == nil {
		return f, "", ErrAway
	}
	f = Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Expires: subjects.TimeOf(time.Now().Add(FlowLife))}
	return f, m.oauth.AuthCodeURL(f.State, gooidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), nil
}

// Callback is what the provider sends back by the browser.
type Callback struct {
	State, Code string
	Issuer      string // RFC 9207; empty: not sent
	Error       string // code of RFC 6749 section 4.1.2.1; empty: none
	Address     string // of the client
}

// Identity is a user whom the provider has authenticated.
type Identity struct {
	Issuer, Subject string            // identify the user
	Name            string            // labels the user
	Roles           map[string]string // by application; none: the user has no role
}

// CheckState returns an error unless a callback belongs to a login that this
// browser has begun.
func (f *Flow) CheckState(state string) error {
	switch {
	case f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1:
		return refuse(CodeNotCompleted, "this browser has not begun this login, or has begun another one since: log in again")
	case subjects.Now() >= f.Expires:
		return refuse(CodeNotCompleted, "the login took longer than %s: log in again", FlowLife)
	}
	return nil
}

// Finish exchanges the code of a callback for the identity of the user. The
// error is [ErrAway], [ErrBusy] or a [RefusedError]. An identity without roles
// is no error.
func (p *Provider) Finish(ctx context.Context, f Flow, c Callback) (*Identity, error) {
	m := p.found.Load()
	if m == nil {
		return nil, ErrAway
	}
	if err := f.CheckState(c.State); err != nil {
		return nil, err
	}
	switch {
	case c.Issuer != "" && c.Issuer != p.cfg.Issuer, m.namesIss && c.Issuer == "":
		return nil, refuse(CodeNotCompleted, "the answer comes from another login provider")
	case c.Error != "":
		return nil, refuse(CodeDenied, "the login provider refused the login: %.60q", c.Error)
	case c.Code == "":
		return nil, refuse(CodeNotCompleted, "the login provider sent no code")
	}
	release, err := p.reserveExchange(ctx, c.Address)
	if err != nil {
		return nil, err
	}
	defer release()
	found, err := p.exchange(gooidc.ClientContext(ctx, p.http), m, &f, c.Code)
	if err != nil {
		p.cfg.Log.Warn("login at the provider failed", "issuer", p.cfg.Issuer, "address", c.Address, "err", shortError(err))
		return nil, refuse(CodeNotCompleted, "the login provider's answer was not accepted: log in again; the log of the control bus has the reason")
	}
	return found, nil
}

// reserveExchange blocks until an exchange may begin, at most for exchangeWait.
// One address has few of them, so that it cannot keep the others out.
func (p *Provider) reserveExchange(ctx context.Context, address string) (release func(), err error) {
	p.mu.Lock()
	full := p.running[address] >= maxExchangesOfAddress
	if !full {
		p.running[address]++
	}
	p.mu.Unlock()
	if full {
		return nil, ErrBusy
	}
	leave := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.running[address]--; p.running[address] == 0 {
			delete(p.running, address)
		}
	}
	wait := time.NewTimer(exchangeWait)
	defer wait.Stop()
	select {
	case p.exchanges <- struct{}{}:
		return func() { <-p.exchanges; leave() }, nil
	case <-wait.C:
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	leave()
	return nil, err
}

// exchange returns the identity that a code stands for.
func (p *Provider) exchange(ctx context.Context, m *metadata, f *Flow, code string) (*Identity, error) {
	token, err := m.oauth.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return nil, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, fmt.Errorf("the token endpoint sent no ID token")
	}
	id, err := m.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	all := claims{}
	if err := id.Claims(&all); err != nil {
		return nil, err
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1:
		return nil, fmt.Errorf("the ID token has another nonce")
	case id.Subject == "":
		return nil, fmt.Errorf("the ID token has no subject")
	// OpenID Connect Core section 3.1.3.7, rules 3 to 5.
	case len(id.Audience) > 1 && all.text("azp") == "", all.text("azp") != "" && all.text("azp") != p.cfg.ClientID:
		return nil, fmt.Errorf("the ID token was issued to another client")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, err
		}
	}
	if err := p.addUserInfo(ctx, m, token, id.Subject, all); err != nil {
		return nil, err
	}
	return &Identity{Issuer: p.cfg.Issuer, Subject: id.Subject, Name: all.label(p.cfg.UserClaim), Roles: rolesFor(p.rules, all.list(p.cfg.RoleClaim))}, nil
}

// addUserInfo asks for the claims that the ID token lacks.
func (p *Provider) addUserInfo(ctx context.Context, m *metadata, token *oauth2.Token, subject string, all claims) error {
	if all.find(p.cfg.RoleClaim) != nil && all.find(p.cfg.UserClaim) != nil || m.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := m.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("ask the provider about the user: %w", err)
	}
	if info.Subject != subject { // section 5.3.2: then its claims are another user's
		return fmt.Errorf("the provider told about another user")
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return err
	}
	for name, value := range more {
		if _, known := all[name]; !known {
			all[name] = value
		}
	}
	return nil
}
