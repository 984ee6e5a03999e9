package oidc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// op is a provider that signs whatever a test wants it to.
type op struct {
	*httptest.Server
	t        *testing.T
	key      *rsa.PrivateKey
	metadata map[string]any
	claims   map[string]any // of the ID token; nonce is added unless it is there
	userInfo map[string]any
	sign     func(header, payload []byte) string // default: signed

	mu        sync.Mutex
	challenge string // of the login that has begun
	nonce     string
	used      map[string]bool // codes
	asked     url.Values      // by the token endpoint
}

func newOP(t *testing.T) *op {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := &op{t: t, key: key, used: map[string]bool{}}
	o.sign = o.signed
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, o.metadata) })
	mux.HandleFunc("/token", o.token)
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k",
			"n": b64(o.key.N.Bytes()), "e": b64(big.NewInt(int64(o.key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			t.Errorf("userinfo was asked with %q", r.Header.Get("Authorization"))
		}
		answerJSON(w, o.userInfo)
	})
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	o.metadata = map[string]any{
		"issuer": o.URL, "authorization_endpoint": o.URL + "/auth", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256", "none", "HS256"},
	}
	o.claims = map[string]any{
		"iss": o.URL, "aud": "jobs", "sub": "u-1", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"preferred_username": "ann", "groups": []string{"admins"},
	}
	return o
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (o *op) signed(header, payload []byte) string {
	text := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, o.key, crypto.SHA256, sum[:])
	if err != nil {
		o.t.Error(err)
	}
	return text + "." + b64(signature)
}

// token exchanges a code, once, for whoever has the verifier.
func (o *op) token(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = r.ParseForm()
	o.asked = r.Form
	sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
	if code := r.Form.Get("code"); o.used[code] || b64(sum[:]) != o.challenge {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"very private"}`))
		return
	}
	o.used[r.Form.Get("code")] = true
	claims := maps.Clone(o.claims)
	if _, ok := claims["nonce"]; !ok {
		claims["nonce"] = o.nonce
	}
	payload, _ := json.Marshal(claims)
	answerJSON(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": o.sign([]byte(`{"alg":"RS256","kid":"k"}`), payload)})
}

// open returns a provider that has been discovered.
func (o *op) open(change ...func(*Config)) *Provider {
	o.t.Helper()
	cfg := Config{Issuer: o.URL, ClientID: "jobs", ClientSecret: "a secret", PublicURL: "http://127.0.0.1:45102/", Roles: []string{"admins=admin"}}
	for _, c := range change {
		c(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(p.http.CloseIdleConnections)
	if err := p.discover(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	return p
}

// begin begins a login and returns what the browser brings back.
func (o *op) begin(p *Provider) (Flow, Callback) {
	o.t.Helper()
	f, at, err := p.Begin()
	if err != nil {
		o.t.Fatal(err)
	}
	u, err := url.Parse(at)
	if err != nil {
		o.t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "jobs", "code_challenge_method": "S256", "redirect_uri": "http://127.0.0.1:45102/oauth/sso/cb",
		"scope": "openid profile email", "state": f.State, "nonce": f.Nonce,
	} {
		if q.Get(name) != want {
			o.t.Errorf("the provider gets %s=%q, want %q", name, q.Get(name), want)
		}
	}
	if q.Get("code_challenge") == "" || strings.Contains(at, "secret") || strings.Contains(at, f.Verifier) {
		o.t.Errorf("the browser gets %s", at)
	}
	o.challenge, o.nonce = q.Get("code_challenge"), q.Get("nonce")
	return f, Callback{State: f.State, Code: rand.Text()}
}

func TestLogin(t *testing.T) {
	o := newOP(t)
	p := o.open()
	f, c := o.begin(p)
	who, err := p.Finish(t.Context(), f, c)
	if err != nil || who.Issuer != o.URL || who.Subject != "u-1" || who.Name != "ann" || fmt.Sprint(who.Roles) != "map[default:admin]" {
		t.Errorf("%+v, %v", who, err)
	}
}

// Each of them must not log anybody in.
func TestAttacks(t *testing.T) {
	for name, attack := range map[string]func(o *op, p *Provider, f *Flow, c *Callback){
		"another state":                     func(_ *op, _ *Provider, _ *Flow, c *Callback) { c.State = rand.Text() },
		"no state, and no login has begun":  func(_ *op, _ *Provider, f *Flow, c *Callback) { f.State, c.State = "", "" },
		"the login took too long":           func(_ *op, _ *Provider, f *Flow, _ *Callback) { f.Expires = 1 },
		"no code":                           func(_ *op, _ *Provider, _ *Flow, c *Callback) { c.Code = "" },
		"an error with a code":              func(_ *op, _ *Provider, _ *Flow, c *Callback) { c.Error = "access_denied" },
		"a code of another browser":         func(_ *op, _ *Provider, f *Flow, _ *Callback) { f.Verifier = strings.Repeat("x", 43) },
		"a used code":                       func(o *op, _ *Provider, _ *Flow, c *Callback) { o.used[c.Code] = true },
		"another nonce":                     func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["nonce"] = rand.Text() },
		"no nonce":                          func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["nonce"] = "" },
		"another audience":                  func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["aud"] = "wiki" },
		"two audiences, no azp":             func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["aud"] = []string{"jobs", "wiki"} },
		"issued to another client":          func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["azp"] = "wiki" },
		"another issuer in the ID token":    func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["iss"] = "https://evil.example.com" },
		"another issuer calls back: mix-up": func(_ *op, _ *Provider, _ *Flow, c *Callback) { c.Issuer = "https://evil.example.com" },
		"an expired ID token":               func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["exp"] = time.Now().Add(-time.Minute).Unix() },
		"an ID token without an end":        func(o *op, _ *Provider, _ *Flow, _ *Callback) { delete(o.claims, "exp") },
		"an ID token of the future": func(o *op, _ *Provider, _ *Flow, _ *Callback) {
			o.claims["nbf"] = time.Now().Add(time.Hour).Unix()
		},
		"no subject":                  func(o *op, _ *Provider, _ *Flow, _ *Callback) { delete(o.claims, "sub") },
		"another access token's hash": func(o *op, _ *Provider, _ *Flow, _ *Callback) { o.claims["at_hash"] = b64(make([]byte, 16)) },
		"alg none": func(o *op, _ *Provider, _ *Flow, _ *Callback) {
			o.sign = func(_, payload []byte) string { return b64([]byte(`{"alg":"none"}`)) + "." + b64(payload) + "." }
		},
		"a signature of the right kind by another key": func(o *op, _ *Provider, _ *Flow, _ *Callback) {
			other, _ := rsa.GenerateKey(rand.Reader, 2048)
			o.sign = func(header, payload []byte) string {
				thief := &op{t: o.t, key: other}
				return thief.signed(header, payload)
			}
		},
		"a changed payload": func(o *op, _ *Provider, _ *Flow, _ *Callback) {
			o.sign = func(header, payload []byte) string {
				parts := strings.Split(o.signed(header, payload), ".")
				return parts[0] + "." + b64(bytes.Replace(payload, []byte("u-1"), []byte("u-2"), 1)) + "." + parts[2]
			}
		},
		"userinfo of another user": func(o *op, p *Provider, _ *Flow, _ *Callback) {
			delete(o.claims, "groups")
			o.userInfo = map[string]any{"sub": "u-2", "groups": []string{"admins"}}
			o.metadata["userinfo_endpoint"] = o.URL + "/userinfo"
			if err := p.discover(o.t.Context()); err != nil {
				o.t.Fatal(err)
			}
		},
		"a redirect with the secret to another host": func(o *op, p *Provider, _ *Flow, _ *Callback) {
			thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { o.t.Errorf("%s followed the redirect", r.URL) }))
			o.t.Cleanup(thief.Close)
			moved := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
			o.t.Cleanup(moved.Close)
			o.metadata["token_endpoint"] = moved.URL
			if err := p.discover(o.t.Context()); err != nil {
				o.t.Fatal(err)
			}
		},
		"the issuer is left out although it is promised": func(o *op, p *Provider, _ *Flow, _ *Callback) {
			o.metadata["authorization_response_iss_parameter_supported"] = true
			if err := p.discover(o.t.Context()); err != nil {
				o.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			o := newOP(t)
			p := o.open(func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&lines, nil)) })
			f, c := o.begin(p)
			attack(o, p, &f, &c)
			who, err := p.Finish(t.Context(), f, c)
			var refused *RefusedError
			if who != nil || !errors.As(err, &refused) || refused.Code == CodeNoRole {
				t.Errorf("Finish = %+v, %v; want it refused", who, err)
			}
			for _, secret := range []string{"a secret", c.Code, f.Verifier, "very private"} {
				if secret != "" && (strings.Contains(lines.String(), secret) || strings.Contains(fmt.Sprint(err), secret)) {
					t.Errorf("%q is shown: %v\n%s", secret, err, lines.String())
				}
			}
		})
	}
}

// Claims that the ID token lacks come from the userinfo endpoint.
func TestUserInfo(t *testing.T) {
	o := newOP(t)
	delete(o.claims, "groups")
	delete(o.claims, "preferred_username")
	o.metadata["userinfo_endpoint"] = o.URL + "/userinfo"
	o.userInfo = map[string]any{"sub": "u-1", "groups": []string{"admins"}, "preferred_username": "ann", "aud": "x"}
	p := o.open()
	f, c := o.begin(p)
	if who, err := p.Finish(t.Context(), f, c); err != nil || who.Name != "ann" || len(who.Roles) != 1 {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestProviderAway(t *testing.T) {
	o := newOP(t)
	var lines bytes.Buffer
	o.metadata["issuer"] = "https://evil.example.com"
	p, err := New(Config{Issuer: o.URL, ClientID: "jobs", PublicURL: "https://jobs.example.com", Roles: []string{"*=watcher"}, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.http.CloseIdleConnections)
	if err := p.discover(t.Context()); err == nil {
		t.Error("another issuer was accepted")
	}
	o.metadata["issuer"], o.metadata["token_endpoint"] = o.URL, "http://evil.example.com/token"
	if err := p.discover(t.Context()); err == nil {
		t.Error("a token endpoint without TLS was accepted")
	}
	if _, _, err := p.Begin(); err != ErrAway {
		t.Errorf("before the provider answered: %v", err)
	}
	if _, err := p.Finish(t.Context(), Flow{}, Callback{}); err != ErrAway {
		t.Errorf("before the provider answered: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	o.metadata["token_endpoint"] = o.URL + "/token"
	go func() { done <- p.Run(ctx) }()
	for end := time.Now().Add(time.Minute); p.found.Load() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the provider was not found within a minute")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// One address cannot keep other users from logging in.
func TestExchangesOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Provider{exchanges: make(chan struct{}, 3), running: map[string]int{}}
		reserve := func(address string) func() {
			t.Helper()
			release, err := p.reserveExchange(t.Context(), address)
			if err != nil {
				t.Fatalf("%s: %v", address, err)
			}
			return release
		}
		first, second := reserve("a"), reserve("a")
		if _, err := p.reserveExchange(t.Context(), "a"); err != ErrBusy {
			t.Errorf("a third exchange of one address: %v, want ErrBusy", err)
		}
		third := reserve("b")
		time.AfterFunc(time.Second, first)
		fourth := reserve("c") // waits until the first has ended
		if _, err := p.reserveExchange(t.Context(), "d"); err != ErrBusy {
			t.Errorf("all exchanges go on: %v, want ErrBusy", err)
		}
		second()
		third()
		fourth()
		if len(p.running) != 0 || len(p.exchanges) != 0 {
			t.Errorf("afterwards %v and %d exchanges are running", p.running, len(p.exchanges))
		}
	})
}
