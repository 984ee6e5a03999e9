package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// ID is the id of the provider in paths, and the beginning of the ids of its
// users.
const ID = "sso"

const (
	requestTimeout = 10 * time.Second // of each request to the provider
	minRetry       = time.Second      // between two requests for the metadata
	maxRetry       = 30 * time.Second
	maxExchanges   = 8               // logins that are finished at the same time
	exchangeWait   = 5 * time.Second // until one of them ends

	maxExchangesOfAddress = 2 // of which one address may have so many
)

// Errors of a login.
var (
	ErrAway = errors.New("the login provider does not answer; try again later")
	ErrBusy = errors.New("too many logins at the same time; try again later")
)

// Config of a [Provider].
type Config struct {
	Name         string   // shown to users; default: Single sign-on
	Issuer       string   // URL of the provider
	ClientID     string   // of the control bus at the provider
	ClientSecret string   // empty: a public client
	PublicURL    string   // of the REST API as browsers reach it
	Scopes       []string // besides openid; default: profile, email
	UserClaim    string   // labels the user; default: preferred_username
	RoleClaim    string   // has the groups of the user; default: groups
	Roles        []string // rules such as admins=admin or clerks=operator@billing
	Log          *slog.Logger
}

// Provider is an OpenID Connect provider at which users log in.
type Provider struct {
	cfg       Config
	rules     []rule
	http      *http.Client
	found     atomic.Pointer[metadata] // nil: the provider has not answered yet
	exchanges chan struct{}

	mu      sync.Mutex
	running map[string]int // exchanges of each address
}

// metadata is what the provider says of itself.
type metadata struct {
	provider *gooidc.Provider
	verifier *gooidc.IDTokenVerifier
	oauth    oauth2.Config
	namesIss bool // callbacks name the issuer (RFC 9207)
}

// New returns a provider that is not asked yet, or a [bus.FieldError] that names
// a flag.
func New(cfg Config) (*Provider, error) {
	if err := CheckURL("oidc-issuer", cfg.Issuer); err != nil {
		return nil, err
	}
	if err := CheckURL("public-url", cfg.PublicURL); err != nil {
		return nil, err
	}
	if cfg.ClientID == "" {
		return nil, &bus.FieldError{Path: "oidc-client-id", Want: "the id of the control bus at the provider"}
	}
	rules, err := parseRules(cfg.Roles)
	if err != nil {
		return nil, err
	}
	cfg.Name = cmp.Or(cfg.Name, "Single sign-on")
	cfg.UserClaim, cfg.RoleClaim = cmp.Or(cfg.UserClaim, "preferred_username"), cmp.Or(cfg.RoleClaim, "groups")
	if cfg.Scopes == nil {
		cfg.Scopes = []string{gooidc.ScopeProfile, gooidc.ScopeEmail}
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Provider{cfg: cfg, rules: rules, exchanges: make(chan struct{}, maxExchanges), running: map[string]int{}, http: &http.Client{
		Timeout: requestTimeout,
		// A redirect could lead the client's secret to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// CheckURL returns a [bus.FieldError] unless a URL is usable for a login: with
// https, or with http on the loopback interface, and without user, query and
// fragment.
func CheckURL(flag, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return &bus.FieldError{Path: flag, Want: "a URL such as https://login.example.com; http is possible for loopback addresses only"}
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Name returns the name that users see.
func (p *Provider) Name() string { return p.cfg.Name }

// Issuer returns the URL that identifies the provider.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Run asks the provider for its metadata until it has answered or ctx ends, with
// exponential backoff.
func (p *Provider) Run(ctx context.Context) error {
	defer p.http.CloseIdleConnections()
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		err := p.discover(ctx)
		if err == nil {
			p.cfg.Log.Info("users can log in at the provider", "issuer", p.cfg.Issuer)
			<-ctx.Done()
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		p.cfg.Log.Warn("the login provider does not answer as it should, retrying", "issuer", p.cfg.Issuer, "wait", wait.String(), "err", shortError(err))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// discover reads the metadata of the provider (OpenID Connect Discovery).
func (p *Provider) discover(ctx context.Context) error {
	provider, err := gooidc.NewProvider(gooidc.ClientContext(ctx, p.http), p.cfg.Issuer)
	if err != nil {
		return err
	}
	var said struct {
		NamesIss bool   `json:"authorization_response_iss_parameter_supported"`
		Keys     string `json:"jwks_uri"`
	}
	if err := provider.Claims(&said); err != nil {
		return err
	}
	end := provider.Endpoint()
	for name, at := range map[string]string{"authorization_endpoint": end.AuthURL, "token_endpoint": end.TokenURL, "jwks_uri": said.Keys} {
		if u, err := url.Parse(at); err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return fmt.Errorf("the provider's %s is not a URL with https", name)
		}
	}
	p.found.Store(&metadata{
		provider: provider, namesIss: said.NamesIss,
		verifier: provider.Verifier(&gooidc.Config{ClientID: p.cfg.ClientID}),
		oauth: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: end,
			RedirectURL: p.cfg.PublicURL + "/oauth/" + ID + "/cb",
			Scopes:      append([]string{gooidc.ScopeOpenID}, slices.DeleteFunc(slices.Clone(p.cfg.Scopes), func(s string) bool { return s == gooidc.ScopeOpenID })...),
		},
	})
	return nil
}

// shortError returns the text of an error for a log. Libraries put whole answers
// of the provider into it.
func shortError(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) { // its text may hold what the token endpoint answered
		return fmt.Sprintf("the token endpoint answers %s, error %.40q", refused.Response.Status, refused.ErrorCode)
	}
	return fmt.Sprintf("%.300s", err.Error())
}
