package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/bus/oidc"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const issuer = "https://login.example.com"

// fakeProvider says who logs in. Package oidc tests what a real one says.
type fakeProvider struct {
	who *oidc.Identity
	err error
}

func (f *fakeProvider) Name() string { return "Example" }

func (f *fakeProvider) Begin() (oidc.Flow, string, error) {
	return oidc.Flow{State: "a state", Nonce: "n", Verifier: "v", Expires: subjects.TimeOf(time.Now().Add(time.Hour))}, issuer + "/auth?state=x", f.err
}

func (f *fakeProvider) Finish(_ context.Context, flow oidc.Flow, c oidc.Callback) (*oidc.Identity, error) {
	if err := flow.CheckState(c.State); err != nil || f.err != nil {
		return nil, errors.Join(err, f.err)
	}
	if c.Error != "" {
		return nil, &oidc.RefusedError{Code: oidc.CodeDenied, Reason: "refused"}
	}
	return f.who, nil
}

func wantText(t *testing.T, r *reply, want string) {
	t.Helper()
	if !strings.Contains(string(r.body), want) {
		t.Errorf("%s = %s, want %s in it", r.asked, r.body, want)
	}
}

// providerEnv is an env whose users log in at p.
func providerEnv(t *testing.T, p *fakeProvider, set ...func(*Config)) *env {
	t.Helper()
	return newEnv(t, func(c *Config) {
		c.RequireLogin, c.Provider, c.PublicURL, c.AllowOrigin = true, p, "https://jobs.example.com", ""
		for _, s := range set {
			s(c)
		}
	})
}

func identity(roles map[string]string) *oidc.Identity {
	return &oidc.Identity{Issuer: issuer, Subject: "u-1", Name: "ann", Roles: roles}
}

// cookiesOf returns the cookies that an answer sets.
func cookiesOf(t *testing.T, h http.Header) map[string]*http.Cookie {
	t.Helper()
	all := map[string]*http.Cookie{}
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		all[c.Name] = c
	}
	return all
}

func TestLoginAtAProvider(t *testing.T) {
	p := &fakeProvider{who: identity(map[string]string{bus.DefaultApp: bus.RoleWatcher})}
	e := providerEnv(t, p)
	wantText(t, e.call("GET", "/oauth", "", "Accept", "application/json").want(200), `{"sso":{"name":"Example","class_name":"openid"}}`)
	wantText(t, e.call("GET", "/oauth", "", "Accept", "application/edn").want(200), `{"sso" {:name "Example" :class-name "openid"}}`)
	e.call("GET", "/oauth/github", "").code(404, "no_such_provider")
	begun := e.call("GET", "/oauth/sso", "").want(302).header
	c := cookiesOf(t, begun)[secureFlowCookie]
	if c == nil || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 600 || begun.Get("Location") != issuer+"/auth?state=x" || begun.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v", begun)
	}
	flow := []string{"Cookie", c.Name + "=" + c.Value}
	for name, request := range map[string][]string{
		"another state":              append([]string{"/oauth/sso/cb?code=x&state=y"}, flow...),
		"no state":                   append([]string{"/oauth/sso/cb?code=x"}, flow...),
		"no cookie":                  {"/oauth/sso/cb?code=x&state=a+state"},
		"a cookie with another name": {"/oauth/sso/cb?code=x&state=a+state", "Cookie", flowCookie + "=" + c.Value},
		"a cookie with rubbish":      {"/oauth/sso/cb?code=x&state=a+state", "Cookie", c.Name + "=e30"},
	} {
		t.Run(name, func(t *testing.T) { e.call("GET", request[0], "", request[1:]...).code(400, "login_not_completed") })
	}
	e.call("GET", "/oauth/sso/cb?error=access_denied&error_description=x&state=a+state", "", flow...).code(403, "login_denied")
	h := e.call("GET", "/oauth/sso/cb?code=x&state=a+state&session_state=1&iss=x", "", flow...).want(302).header
	all := cookiesOf(t, h)
	if h.Get("Location") != "https://jobs.example.com/" || all[secureFlowCookie].MaxAge >= 0 || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", h)
	}
	session := []string{"Cookie", "ring-session=" + all["ring-session"].Value}
	var me rest.Account
	e.call("GET", "/account", "", session...).want(200).into(&me)
	if me.ID != "sso.ann" || me.Applications["default"].Roles[0] != bus.RoleWatcher {
		t.Errorf("%+v", me)
	}
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	wantText(t, e.call("GET", "/users", "", admin...).want(200), `{"id":"sso.ann","roles":{"default":"watcher"},"keys":0,"provider":"`+issuer+`","subject":"u-1","name":"ann"}`)
	e.call("PUT", "/user/sso.ann/roles", `{"role":"admin"}`, admin...).code(409, "provider_user")
	e.call("PUT", "/user/sso.ann/password", `{"password":"a long new one"}`, admin...).code(409, "provider_user")
	p.who.Roles = nil // the user has left the group
	e.call("GET", "/oauth/sso/cb?code=x&state=a+state", "", flow...).code(403, "no_role")
	e.call("GET", "/account", "", session...).code(401, "login_required")
	p.err = oidc.ErrAway
	e.call("GET", "/oauth/sso", "").code(503, "login_provider_away")
	e.call("GET", "/oauth/sso/cb?code=x&state=a+state", "", flow...).code(503, "login_provider_away")
}

// With a console, browsers come back to its page, whatever the request says.
func TestLoginAtAProviderForAConsole(t *testing.T) {
	p := &fakeProvider{who: identity(map[string]string{bus.DefaultApp: bus.RoleWatcher})}
	e := providerEnv(t, p, func(c *Config) { c.AllowOrigin, c.PublicURL = "http://localhost:3000", "http://127.0.0.1:45102" })
	c := cookiesOf(t, e.call("GET", "/oauth/sso", "", "Host", "evil.example.com", "Referer", "https://evil.example.com/").want(302).header)[flowCookie]
	if c == nil || c.Secure {
		t.Fatalf("%+v", c)
	}
	flow := []string{"Cookie", c.Name + "=" + c.Value}
	for path, want := range map[string]string{
		"/oauth/sso/cb?code=x&state=y":                         "http://localhost:3000/login?error=login_not_completed",
		"/oauth/sso/cb?error=%0d%0ax&state=a+state":            "http://localhost:3000/login?error=login_denied",
		"/oauth/github":                                        "http://localhost:3000/login?error=no_such_provider",
		"/oauth/sso/cb?code=x&state=a+state&redirect_uri=//ev": "http://localhost:3000/",
	} {
		if got := e.call("GET", path, "", flow...).want(302).header.Get("Location"); got != want {
			t.Errorf("%s leads to %s, want %s", path, got, want)
		}
	}
}

// A program on the user's machine gets a code, and only there.
func TestLoginOfAProgram(t *testing.T) {
	p := &fakeProvider{who: identity(map[string]string{bus.DefaultApp: bus.RoleWatcher})}
	e := providerEnv(t, p)
	const verifier = "0123456789012345678901234567890123456789abc"
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	begin := func(change ...string) string {
		q := url.Values{"redirect_uri": {"http://127.0.0.1:8000/callback"}, "state": {"program-state"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
		for i := 0; i < len(change); i += 2 {
			q.Set(change[i], change[i+1])
			if change[i+1] == "" {
				q.Del(change[i])
			}
		}
		return "/oauth/sso?" + q.Encode()
	}
	for _, wrong := range []string{
		"https://evil.example.com/", "http://evil.example.com:80/", "http://localhost:8000/", "http://127.0.0.1/", "http://127.0.0.1:0/", "https://127.0.0.1:8000/", "//127.0.0.1:8000",
		"http://127.0.0.1:8000@evil.example.com/", "http://evil.example.com#@127.0.0.1:8000/", "http://127.0.0.1:8000/?a=b", "http://127.0.0.1:8000/#a", "javascript:alert(1)",
		`http://127.0.0.1:8000\@evil.example.com/`, "http://127.0.0.1.evil.example.com:8000/", "http://10.0.0.1:8000/", "http://[::1%25eth0]:8000/", "http://0.0.0.0:8000/", "",
	} {
		e.call("GET", begin("redirect_uri", wrong), "").code(400, "invalid_parameter")
	}
	for _, wrong := range [][]string{{"state", ""}, {"state", "a b c d e f g"}, {"code_challenge", ""}, {"code_challenge", "short"}, {"code_challenge_method", ""}} {
		e.call("GET", begin(wrong...), "").code(400, "invalid_parameter")
	}
	// Nobody is led through the login of a program unasked.
	page := e.call("GET", begin(), "").want(200)
	wantText(t, page, rest.ConsentCode("program-state"))
	if len(cookiesOf(t, page.header)) != 0 {
		t.Error("the login begins before the user has agreed")
	}
	e.call("POST", begin(), "", "Origin", "https://evil.example.com").code(403, "cross_origin")
	e.call("POST", begin("state", ""), "").code(400, "invalid_parameter")
	logIn := func() url.Values {
		t.Helper()
		c := cookiesOf(t, e.call("POST", begin(), "").want(303).header)[secureFlowCookie]
		h := e.call("GET", "/oauth/sso/cb?code=x&state=a+state", "", "Cookie", c.Name+"="+c.Value).want(302).header
		if _, session := cookiesOf(t, h)["ring-session"]; session {
			t.Error("the browser was logged in too")
		}
		at, err := url.Parse(h.Get("Location"))
		if err != nil || at.Host != "127.0.0.1:8000" || at.Query().Get("state") != "program-state" {
			t.Fatalf("the browser was led to %v, %v", at, err)
		}
		return at.Query()
	}
	redeem := func(code, verifier string) *reply {
		body, _ := json.Marshal(rest.LoginCode{Code: code, Verifier: verifier})
		return e.call("POST", "/oauth/sso/token", string(body), "Content-Type", "application/json")
	}
	// Whoever calls back with another state is not known to be the program's user.
	begun := cookiesOf(t, e.call("POST", begin(), "").want(303).header)[secureFlowCookie]
	e.call("GET", "/oauth/sso/cb?error=x&state=other", "", "Cookie", begun.Name+"="+begun.Value).code(400, "login_not_completed")
	code := logIn().Get("code")
	var token rest.Token
	redeem(code, verifier).want(201).into(&token)
	wantText(t, e.call("GET", "/account", "", bearing(token.Token)...).want(200), `"sso.ann"`)
	redeem(code, verifier).code(404, login.CodeNoSuchCode)
	redeem(logIn().Get("code"), "x"+verifier).code(404, login.CodeNoSuchCode)
	e.call("POST", "/oauth/github/token", `{"code":"x","code_verifier":"x"}`, "Content-Type", "application/json").code(404, "no_such_provider")
	redeem("", "").code(422, "invalid_body")
	p.who.Roles = nil
	if q := logIn(); q.Get("error") != "no_role" || !strings.Contains(q.Get("error_description"), "none of your groups") || q.Has("code") {
		t.Errorf("a user without a role: %v", q)
	}
	// A cookie that another page has written leads nowhere else.
	forged, _ := json.Marshal(storedFlow{oidc.Flow{State: "a state", Expires: subjects.TimeOf(time.Now().Add(time.Hour))}, loopbackFlow{RedirectURI: "https://evil.example.com/"}})
	e.call("GET", "/oauth/sso/cb?code=x&state=a+state", "", "Cookie", secureFlowCookie+"="+base64.RawURLEncoding.EncodeToString(forged)).code(400, "login_not_completed")
}
