package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/bus/oidc"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// The cookie of a login that has begun. A page of another host name of the same
// site cannot set the second one.
const (
	flowCookie       = "jobstreamer-login"
	secureFlowCookie = "__Host-jobstreamer-login"
)

// loopbackFlow is a login of a program on the user's machine, which listens on
// the loopback interface (RFC 8252 section 7.3). Its zero value is a login of
// the browser itself.
type loopbackFlow struct {
	RedirectURI string `json:"redirect_uri,omitempty"`
	State       string `json:"loopback_state,omitempty"`
	Challenge   string `json:"challenge,omitempty"` // of PKCE, method S256
}

// storedFlow is the content of the cookie.
type storedFlow struct {
	oidc.Flow
	loopbackFlow
}

// provider returns the login provider with an id.
func (s *Server) provider(id string) (LoginProvider, error) {
	if s.cfg.Provider == nil || id != oidc.ID {
		return nil, bus.State("no_such_provider", "there is no login provider %s", codec.Cut(id))
	}
	return s.cfg.Provider, nil
}

// listProviders answers the login pages of consoles, which work without
// providers.
func (s *Server) listProviders(context.Context, *struct{}) (*answer[map[string]rest.LoginProvider], error) {
	all := map[string]rest.LoginProvider{}
	if s.cfg.Provider != nil {
		all[oidc.ID] = rest.LoginProvider{Name: s.cfg.Provider.Name(), Class: "openid"}
	}
	return &answer[map[string]rest.LoginProvider]{all}, nil
}

// redirect leads a browser on. No cache keeps it, and the next page does not
// learn the URL of this one, which may have a code.
type redirect struct {
	Location string   `header:"Location"`
	Cookies  []string `header:"Set-Cookie"`
	Cache    string   `header:"Cache-Control"`
	Referrer string   `header:"Referrer-Policy"`
}

func redirectTo(location string, cookies ...string) *redirect {
	return &redirect{location, cookies, "no-store", "no-referrer"}
}

// toConsole redirects to the login page of the console. The target is the
// configured origin, never one from the request. Without a console, the browser
// shows the error.
func (s *Server) toConsole(err error, cookies ...string) (*redirect, error) {
	if s.cfg.AllowOrigin == "" {
		return nil, err
	}
	at := s.cfg.AllowOrigin + "/login"
	if s.cfg.Provider != nil {
		at += "?error=" + url.QueryEscape(s.problemFor(context.Background(), err).Code)
	}
	return redirectTo(at, cookies...), nil
}

// flowCookieName returns the name of the cookie with a login that has begun.
func (s *Server) flowCookieName() string {
	if strings.HasPrefix(s.cfg.PublicURL, "https:") {
		return secureFlowCookie
	}
	return flowCookie
}

// flowCookie returns the header Set-Cookie with a login that has begun. Without
// a value it deletes the cookie.
func (s *Server) flowCookie(value string) string {
	c := http.Cookie{Name: s.flowCookieName(), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(oidc.FlowLife.Seconds())}
	c.Secure = c.Name == secureFlowCookie
	if value == "" {
		c.MaxAge = -1
	}
	return c.String()
}

type beginLogin struct {
	ID          string `path:"id" doc:"Id of the login provider."`
	RedirectURI string `query:"redirect_uri" doc:"Only for programs on the user's machine: where they listen, http://127.0.0.1:PORT/PATH or http://[::1]:PORT/PATH. The browser is redirected there with code and state."`
	State       string `query:"state" doc:"Only with redirect_uri: a random text that the redirect returns."`
	Challenge   string `query:"code_challenge" doc:"Only with redirect_uri: the SHA-256 of the code_verifier, in Base64url without padding."`
	Method      string `query:"code_challenge_method" enum:"S256" doc:"Only with redirect_uri: S256."`
}

var (
	wantState     = regexp.MustCompile(`^[A-Za-z0-9._~-]{8,128}$`)
	wantChallenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// loopback returns the login of a program, and what is wrong with it.
func (in *beginLogin) loopback() (f loopbackFlow, err error) {
	f = loopbackFlow{in.RedirectURI, in.State, in.Challenge}
	if f == (loopbackFlow{}) && in.Method == "" {
		return f, nil
	}
	var all codec.Faults
	if !isLoopbackURL(f.RedirectURI) {
		all.AddParameter("redirect_uri", "a URL such as http://127.0.0.1:8000/callback: http, a loopback address and a port", f.RedirectURI)
	}
	if !wantState.MatchString(f.State) {
		all.AddParameter("state", "8 to 128 of the characters A-Z a-z 0-9 . _ ~ -", f.State)
	}
	if !wantChallenge.MatchString(f.Challenge) {
		all.AddParameter("code_challenge", "43 of the characters A-Z a-z 0-9 _ -", f.Challenge)
	}
	if in.Method != "S256" {
		all.AddParameter("code_challenge_method", "S256", in.Method)
	}
	return f, all.Err()
}

// isLoopbackURL reports whether a URL leads to a program on the same machine.
// Names are refused: localhost may resolve to another machine.
func isLoopbackURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(text, "#\\") || len(text) > 256 {
		return false
	}
	at, err := netip.ParseAddrPort(u.Host)
	return err == nil && at.Addr().IsLoopback() && at.Addr().Zone() == "" && at.Port() != 0
}

// beginLogin redirects a browser to the login provider, or asks the user whether
// a program may log in.
func (s *Server) beginLogin(_ context.Context, in *beginLogin) (*streamed, error) {
	p, err := s.provider(in.ID)
	if err != nil {
		return sendRedirect(s.toConsole(err))
	}
	program, err := in.loopback()
	switch {
	case err != nil:
		return nil, err
	case program != loopbackFlow{}:
		return &streamed{func(hc huma.Context) { askConsent(hc, program.State) }}, nil
	}
	return sendRedirect(s.redirectToProvider(p, program))
}

func sendRedirect(to *redirect, err error) (*streamed, error) {
	if err != nil {
		return nil, err
	}
	return &streamed{func(hc huma.Context) {
		hc.SetHeader("Location", to.Location)
		for _, c := range to.Cookies {
			hc.AppendHeader("Set-Cookie", c)
		}
		hc.SetHeader("Cache-Control", to.Cache)
		hc.SetHeader("Referrer-Policy", to.Referrer)
		hc.SetStatus(http.StatusFound)
	}}, nil
}

// askConsent shows a page that asks whether a program may log in. Without it
// another page could lead the browser through the login of a program that the
// user did not start. Only this page can post the form: the control bus refuses
// requests of other origins.
func askConsent(hc huma.Context, state string) {
	hc.SetHeader("Content-Type", "text/html; charset=utf-8")
	hc.SetHeader("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	hc.SetHeader("Referrer-Policy", "same-origin") // with no-referrer a form has no origin
	u := hc.URL()
	_, _ = fmt.Fprintf(hc.BodyWriter(), `<!doctype html><meta charset="utf-8"><title>JobStreamer</title>
<h1>Log in for a program?</h1>
<p>A program on this computer asks to use the control bus as you. Go on only if you have just started
<code>jobstreamer login</code>, and it shows the code <strong>%s</strong>.</p>
<form method="post" action="%s"><button>Log in</button></form>
<p>Otherwise close this page: somebody else may have sent you here.</p>
`, rest.ConsentCode(state), html.EscapeString("?"+u.RawQuery))
}

// confirmLogin redirects a browser to the login provider after its user has
// agreed to the login of a program.
func (s *Server) confirmLogin(_ context.Context, in *beginLogin) (*redirect, error) {
	p, err := s.provider(in.ID)
	if err != nil {
		return nil, err
	}
	program, err := in.loopback()
	if err != nil {
		return nil, err
	}
	return s.redirectToProvider(p, program)
}

func (s *Server) redirectToProvider(p LoginProvider, program loopbackFlow) (*redirect, error) {
	flow, at, err := p.Begin()
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(storedFlow{flow, program})
	if err != nil {
		return nil, err
	}
	return redirectTo(at, s.flowCookie(base64.RawURLEncoding.EncodeToString(value))), nil
}

type finishLogin struct {
	ID     string `path:"id" doc:"Id of the login provider."`
	Cookie string `header:"Cookie" hidden:"true"`
	Code   string `query:"code" doc:"From the provider."`
	State  string `query:"state" doc:"From the provider."`
	Issuer string `query:"iss" doc:"From the provider."`
	Error  string `query:"error" doc:"From the provider, in place of code."`
}

// flow returns the login that the cookie has, an empty one without a cookie.
func (in *finishLogin) flow(name string) (f storedFlow) {
	cookies, _ := http.ParseCookie(in.Cookie)
	for _, c := range cookies {
		if c.Name != name {
			continue
		}
		value, err := base64.RawURLEncoding.DecodeString(c.Value)
		if err != nil || json.Unmarshal(value, &f) != nil || f.RedirectURI != "" && !isLoopbackURL(f.RedirectURI) {
			return storedFlow{}
		}
		return f
	}
	return f
}

// finishLogin logs in the user whom the provider has authenticated: the browser
// by a cookie, or a program by a code.
func (s *Server) finishLogin(ctx context.Context, in *finishLogin) (*redirect, error) {
	p, err := s.provider(in.ID)
	if err != nil {
		noteFailure(ctx, err)
		return s.toConsole(err)
	}
	over := s.flowCookie("") // deletes the cookie
	flow := in.flow(s.flowCookieName())
	// Only now it is known that this browser has begun a login of the program.
	if err := flow.CheckState(in.State); err != nil {
		noteFailure(ctx, err)
		return s.toConsole(err, over)
	}
	user, err := s.identify(ctx, p, flow.Flow, oidc.Callback{State: in.State, Code: in.Code, Issuer: in.Issuer, Error: in.Error, Address: addressOf(ctx)})
	if err != nil {
		noteFailure(ctx, err)
	}
	switch {
	case err != nil && flow.RedirectURI != "":
		shown := s.problemFor(ctx, err)
		return redirectTo(flow.target(url.Values{"error": {shown.Code}, "error_description": {shown.Detail}}), over), nil
	case err != nil:
		return s.toConsole(err, over)
	case flow.RedirectURI != "":
		code, err := s.cfg.Logins.NewCode(ctx, *user, flow.Challenge)
		if err != nil {
			return nil, err
		}
		return redirectTo(flow.target(url.Values{"code": {code}}), over), nil
	}
	secrets, err := s.cfg.Logins.LoginExternal(ctx, *user)
	if err != nil {
		return nil, err
	}
	s.noteLogin(ctx, secrets.Session)
	at := s.cfg.PublicURL
	if s.cfg.AllowOrigin != "" {
		at = s.cfg.AllowOrigin
	}
	return redirectTo(strings.TrimRight(at, "/")+"/", over, s.sessionCookie(secrets.Session)), nil
}

// target returns the URL at which the program learns the outcome.
func (f *loopbackFlow) target(q url.Values) string {
	q.Set("state", f.State)
	return f.RedirectURI + "?" + q.Encode()
}

// identify returns the user whom the provider has authenticated, or an error if
// they may not use the control bus.
func (s *Server) identify(ctx context.Context, p LoginProvider, f oidc.Flow, c oidc.Callback) (*login.External, error) {
	who, err := p.Finish(ctx, f, c)
	if err != nil {
		return nil, err
	}
	if len(who.Roles) == 0 {
		s.log.Warn("login refused: the user is in no group that has a role", "subject", codec.Cut(who.Subject), "name", codec.Cut(who.Name), "address", addressOf(ctx))
		refused := &oidc.RefusedError{Code: oidc.CodeNoRole, Reason: "you are logged in at " + p.Name() + ", but none of your groups there has a role here: ask an administrator"}
		if err := s.cfg.Logins.Withdraw(ctx, who.Issuer, who.Subject); err != nil {
			return nil, err
		}
		return nil, refused
	}
	return &login.External{Provider: oidc.ID, Issuer: who.Issuer, Subject: who.Subject, Name: who.Name, Roles: who.Roles}, nil
}

// loginCode is a body with a code to be exchanged.
type loginCode rest.LoginCode

func (*loginCode) holdsSecret() {}

// Validate returns what is missing.
func (c *loginCode) Validate() (all codec.Faults) {
	checkPresent(&all, "code", c.Code)
	checkPresent(&all, "code_verifier", c.Verifier)
	return all
}

type redeemCode struct {
	ID   string `path:"id" doc:"Id of the login provider."`
	Sent body[loginCode]
}

type tokenMade struct {
	Cache string `header:"Cache-Control"`
	Body  rest.Token
}

// redeemCode gives a program the token for the code that it got at the loopback
// interface.
func (s *Server) redeemCode(ctx context.Context, in *redeemCode) (*tokenMade, error) {
	if _, err := s.provider(in.ID); err != nil {
		return nil, err
	}
	secrets, err := s.cfg.Logins.RedeemCode(ctx, in.Sent.value.Code, in.Sent.value.Verifier)
	if err != nil {
		return nil, err
	}
	s.noteLogin(ctx, secrets.Token)
	return &tokenMade{"no-store", rest.Token{Token: secrets.Token}}, nil
}
