package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
)

const password = "correct horse"

// withLogin is for newEnv: nobody gets in without one.
func withLogin(c *Config) { c.RequireLogin = true }

// user makes a user with a role, and returns what a login leaves.
func (e *env) user(id, role string) login.Secrets {
	e.t.Helper()
	if err := e.logins.Add(e.t.Context(), id, password, map[string]string{bus.DefaultApp: role}); err != nil {
		e.t.Fatal(err)
	}
	secrets, err := e.logins.Login(e.t.Context(), login.Attempt{ID: id, Password: password})
	if err != nil {
		e.t.Fatal(err)
	}
	return secrets
}

func byCookie(s login.Secrets) []string {
	return []string{"Cookie", v1.SessionCookie + "=" + s.Session}
}

func bearing(token string) []string { return []string{"Authorization", "Bearer " + token} }

// Each of them sends what it sends, and stands on what it stands on.
func TestOlderClientsLogIn(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := e.user("admin", bus.RoleAdmin)
	cookie := append(byCookie(admin), console...)
	plugin := []string{"Content-Type", "application/edn", "Accept-Encoding", "gzip, deflate"}
	java := []string{"Content-Type", "application/json", "Accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}
	const (
		token   = `\{:token "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"\}`
		refused = `\{:message "Authentication failure\." :messages \["Authentication failure\."\] :code "authentication_failed"\}`
		needed  = `\{:message "this request needs a login.*" :messages \["this request needs a login.*"\] :code "login_required"\}`
	)
	says := func(messages ...string) string {
		return `\{:message ".*" :messages \["` + strings.Join(messages, `" "`) + `"\] :code "invalid_body"\}`
	}
	rows := []exchange{
		{name: "providers before the login", method: "GET", path: "/oauth", status: 200, want: `\{\}`},
		{name: "nothing without a login", method: "GET", path: "/default/stats", status: 401, want: needed},
		{name: "nothing for the monitor's picture either", method: "GET", path: "/agents", headers: []string{"Accept", "image/png,image/*;q=0.8,*/*;q=0.5", "Cookie", "ring-session=x", "Origin", "http://localhost:3000"}, status: 401, want: needed},
		{name: "the console logs in", method: "POST", path: "/auth", body: `{:user/id "admin", :user/password "correct horse"}`, headers: console, status: 201, want: token},
		{name: "the plugin logs in", method: "POST", path: "/auth", body: `{:user/id"admin":user/password"correct horse"}`, headers: plugin, status: 201, want: token},
		{name: "Java logs in by JSON and reads EDN", method: "POST", path: "/auth", body: `{"user/id":"admin","user/password":"correct horse"}`, headers: java, status: 201, want: token},
		{name: "who asks for JSON gets JSON", method: "POST", path: "/auth", body: `{"user/id":"admin","user/password":"correct horse"}`, headers: []string{"Accept", "application/json"}, status: 201, type_: "application/json", want: `\{"token":"[0-9a-f-]{36}"\}`},
		{name: "our own names are answered in JSON", method: "POST", path: "/auth", body: `{"id":"admin","password":"user/password"}`, headers: []string{"Content-Type", "application/json"}, status: 401, type_: "application/problem+json", want: `\{.*"code":"authentication_failed".*\}`},
		{name: "a wrong password", method: "POST", path: "/auth", body: `{:user/id "admin" :user/password "password124"}`, status: 401, want: refused},
		{name: "a wrong password of Java", method: "POST", path: "/auth", body: `{"user/id":"admin","user/password":"x"}`, headers: java, status: 401, want: refused},
		{name: "a user that nobody is", method: "POST", path: "/auth", body: `{:user/id "nobody" :user/password "correct horse"}`, status: 401, want: refused},
		{name: "no id", method: "POST", path: "/auth", body: `{:user/password "correct horse"}`, status: 400, want: says(`id must be present`)},
		{name: "nothing", method: "POST", path: "/auth", body: `{}`, status: 400, want: says(`id must be present`, `password must be present`)},
		{name: "no body", method: "POST", path: "/auth", status: 400, want: says(`id must be present`, `password must be present`)},
		{name: "more than a login has", method: "POST", path: "/auth", body: strings.Repeat(" ", 100_000), status: 413, want: any_},
		{name: "who I am", method: "GET", path: "/account", headers: cookie, status: 200, want: `\{:user/id "admin" :applications \{"default" \{:application/name "default" :roles \["admin"\]\}\}\}`},
		{name: "users", method: "GET", path: "/users", headers: cookie, status: 200, want: `\[\{:user/id "admin" :user/roles \{:default "admin"\} :user/keys 0\}\]`},
		{name: "a new user", method: "POST", path: "/user", headers: cookie, body: `{:user/id "ann" :user/password "correct horse" :role "operator"}`, status: 201},
		{name: "a new user by JSON", method: "POST", path: "/user", headers: append(byCookie(admin), "Content-Type", "application/json"), body: `{"user/id":"bob","user/password":"correct horse","role":"watcher"}`, status: 201},
		{name: "one who is there", method: "POST", path: "/user", headers: cookie, body: `{:user/id "ann" :user/password "correct horse" :role "operator"}`, status: 400, want: says(`id is used by someone\.`)},
		{name: "a short one", method: "POST", path: "/user", headers: cookie, body: `{:user/id "an" :user/password "1234567" :role "chief"}`, status: 400,
			want: says(`Username must be at least 3 characters long\.`, `Password must be at least 8 characters long\.`, `/role: want admin, operator or watcher`)},
		{name: "a long one", method: "POST", path: "/user", headers: cookie, body: `{:user/id "abcdefghijklmnopqrstu" :user/password "correct horse" :role "watcher"}`, status: 400, want: says(`Username is too long\.`)},
		{name: "one without anything", method: "POST", path: "/user", headers: cookie, body: `{}`, status: 400, want: says(`id must be present`, `password must be present`, `role must be present`)},
		{name: "one with a blank", method: "POST", path: "/user", headers: cookie, body: `{:user/id "a b" :user/password "correct horse" :role "watcher"}`, status: 400, want: says(`/id: want .*`)},
		{name: "a user goes", method: "DELETE", path: "/user/ann", headers: cookie, status: 204},
		{name: "the last admin stays", method: "DELETE", path: "/user/admin", headers: cookie, status: 409, want: `\{:message "admin is the last admin.*" :messages \[.*\] :code "last_admin"\}`},
		{name: "a user who is not there", method: "DELETE", path: "/user/ann", headers: cookie, status: 404, want: `\{:message .* :code "no_such_user"\}`},
		{name: "a provider that is none", method: "GET", path: "/oauth/github", headers: []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, status: 302},
		{name: "a preflight", method: "OPTIONS", path: "/default/jobs", headers: []string{"Origin", "http://localhost:3000", "Access-Control-Request-Method", "PUT"}, status: 200},
		{name: "by the plugin's token", method: "POST", path: "/apps", body: `{:application/name "any name" :application/description "d"}`, headers: []string{"Content-Type", "application/edn", "Authorization", "Token " + admin.Token}, status: 201, want: any_},
		{name: "by the token, which asks for nothing", method: "GET", path: "/default/stats", headers: []string{"Authorization", "Token " + admin.Token}, status: 200, want: `\{:agents 0 :jobs 0\}`},
		{name: "a download", method: "GET", path: "/default/jobs/download", headers: append(byCookie(admin), "Accept", "text/html,*/*;q=0.8"), status: 200, type_: "application/force-download", want: any_},
		{name: "the console logs out", method: "DELETE", path: "/auth", headers: cookie, status: 204},
		{name: "and is out", method: "GET", path: "/account", headers: cookie, status: 401, want: needed},
		{name: "logging out without a login", method: "DELETE", path: "/auth", headers: console, status: 204},
		{name: "the version for everybody", method: "GET", path: "/version", status: 200, want: `"2\.0\.0"`},
		{name: "health for everybody", method: "GET", path: "/healthcheck", status: 200},
	}
	for _, x := range rows {
		x.run(t, e)
	}
	t.Run("the token is where it is cut out", func(t *testing.T) {
		r := e.call("POST", "/auth", `{:user/id "admin" :user/password "correct horse"}`, console...).want(201)
		e.call("GET", "/default/stats", "", "Authorization", "Token "+string(r.body[9:45])).want(200)
		c, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
		if err != nil || c.Name != "ring-session" || c.Path != "/" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure {
			t.Errorf("Set-Cookie: %s", r.header.Get("Set-Cookie"))
		}
		e.call("GET", "/account", "", "Cookie", "ring-session="+c.Value).want(200)
	})
	t.Run("what is refused has all headers", func(t *testing.T) {
		for path, status := range map[string]int{"/default/stats": 401, "/a/b/c/d/e": 401, "/version": 200, "/oauth/x": 302} {
			h := e.call("GET", path, "", console...).want(status).header
			if h.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || h.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("GET %s without CORS headers: %v", path, h)
			}
			if (h.Get("WWW-Authenticate") != "") != (status == 401) {
				t.Errorf("GET %s = %d, WWW-Authenticate %q", path, status, h.Get("WWW-Authenticate"))
			}
		}
	})
}

// Without --login everybody gets in, also who logs in first as the original
// wants it.
func TestLoginIsNotNeeded(t *testing.T) {
	e := newEnv(t)
	for _, x := range []exchange{
		{name: "the console logs in", method: "POST", path: "/auth", body: `{:user/id "admin", :user/password "x"}`, headers: console, status: 201, want: `\{:token "[0-9a-f-]{36}"\}`},
		{name: "as whoever", method: "POST", path: "/auth", body: `{:user/id "nobody" :user/password "x"}`, headers: console, status: 201, want: `\{:token "[0-9a-f-]{36}"\}`},
		{name: "but not without a form", method: "POST", path: "/auth", body: `{:user/id "nobody"}`, status: 400, want: any_ + `:messages \["password must be present"\]` + any_},
		{name: "all are admins", method: "GET", path: "/account", status: 200, want: `\{:user/id "admin" :applications \{"default" \{:application/name "default" :roles \["admin"\]\}\}\}`},
		{name: "also with what is good nowhere", method: "GET", path: "/account", headers: []string{"Authorization", "Token x"}, status: 200, want: any_},
		{name: "but nobody makes a user", method: "POST", path: "/user", body: `{:user/id "ann" :user/password "correct horse" :role "admin"}`, headers: console, status: 409, want: any_ + `--login` + any_},
		{name: "the console logs out", method: "DELETE", path: "/auth", headers: console, status: 204},
		{name: "a provider that is none", method: "GET", path: "/oauth/github", status: 302},
	} {
		x.run(t, e)
	}
}

// Without --login everybody is an admin, so nobody may prepare a login that
// outlasts it.
func TestUsersNeedLogin(t *testing.T) {
	e := newEnv(t)
	e.user("admin", bus.RoleAdmin)
	routes := 0
	for path, item := range e.doc.Paths.Map() {
		for method, op := range item.Operations() {
			needs := permission(fmt.Sprint(op.Extensions["x-permission"]))
			if method == "GET" || needs != manageUsers && needs != ownKeys {
				continue
			}
			routes++
			path := strings.Replace(path, "{id}", "admin", 1)
			r := e.call(method, path, `{"id":"eve","password":"correct horse","role":"admin"}`, "Accept", "application/json").code(409, "users_need_login")
			if !strings.Contains(string(r.body), "--login") {
				t.Errorf("%s: %s", r.asked, r.body)
			}
		}
	}
	if users := e.logins.Users(); routes < 5 || len(users) != 1 || len(users[0].Keys) != 0 || users[0].Role("") != bus.RoleAdmin {
		t.Errorf("%d routes, users %+v", routes, users)
	}
}

// Wrong passwords are answered with 429 after some, for v1 clients too. Behind
// a trusted proxy, the address is that of its client.
func TestGuessesAreRefused(t *testing.T) {
	e := newEnv(t, withLogin, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	e.user("admin", bus.RoleAdmin)
	const wrong = `{"id":"admin","password":"wrong"}`
	for range 5 {
		e.call("POST", "/auth", wrong, "X-Forwarded-For", "192.0.2.9, 192.0.2.1").code(401, "authentication_failed")
	}
	r := e.call("POST", "/auth", wrong, "X-Forwarded-For", "192.0.2.8, 192.0.2.1").code(429, "too_many_failed_logins")
	if got := r.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After: %q", got)
	}
	r = e.call("POST", "/auth", `{:user/id "admin" :user/password "`+password+`"}`, append([]string{"X-Forwarded-For", "192.0.2.1"}, console...)...).want(429)
	if !strings.Contains(string(r.body), ":messages [") {
		t.Errorf("for v1 clients: %s", r.body)
	}
	e.call("POST", "/auth", `{"id":"admin","password":"`+password+`"}`, "X-Forwarded-For", "192.0.2.2").want(201)
}

func TestTrustedProxies(t *testing.T) {
	for _, c := range []struct {
		proxies   []string
		peer, xff string
		want      string
	}{
		{nil, "127.0.0.1", "192.0.2.1", "127.0.0.1"},
		{[]string{"10.0.0.0/8"}, "127.0.0.1", "192.0.2.1", "127.0.0.1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "192.0.2.1", "192.0.2.1"},
		{[]string{"10.0.0.0/8", "::1"}, "::1", "192.0.2.1, 10.1.2.3", "192.0.2.1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "192.0.2.1, 192.168.0.1", "192.168.0.1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "junk", "10.1.2.3"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "", "10.1.2.3"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "10.9.9.9, 10.1.2.4", "10.9.9.9"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "junk, 192.0.2.1", "192.0.2.1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "192.0.2.1:51", "192.0.2.1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "192.0.2.1, 10.1.2.4:80", "192.0.2.1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "[2001:db8::1]:51", "2001:db8::1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "[2001:db8::1]", "2001:db8::1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "2001:db8::1", "2001:db8::1"},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", "192.0.2.1:port", "10.1.2.3"},
		{[]string{"10.0.0.0/8"}, "::ffff:10.1.2.3", "192.0.2.1", "192.0.2.1"},
		{[]string{"::ffff:10.0.0.0/104"}, "10.1.2.3", "::ffff:192.0.2.1", "192.0.2.1"},
		{[]string{"0.0.0.0/0", "::/0"}, "10.1.2.3", "junk", "10.1.2.3"},
		{nil, "", "192.0.2.1", socketClient},
		{[]string{"0.0.0.0/0"}, "", "192.0.2.1", socketClient},
		{[]string{"unix"}, "", "192.0.2.1", "192.0.2.1"},
		{[]string{"unix"}, "", "junk", socketClient},
		{[]string{"unix"}, "127.0.0.1", "192.0.2.1", "127.0.0.1"},
		{[]string{"unix", "10.0.0.0/8"}, "", "192.0.2.1, 10.1.2.3", "192.0.2.1"},
	} {
		proxies, err := parseProxies(c.proxies)
		if err != nil {
			t.Fatal(err)
		}
		of := proxies.findClient()
		r := httptest.NewRequest("GET", "/", nil)
		if r.RemoteAddr = "@"; c.peer != "" { // of a Unix socket
			r.RemoteAddr = net.JoinHostPort(c.peer, "4711")
		}
		if c.xff != "" {
			r.Header.Set("X-Forwarded-For", c.xff)
		}
		if got := of(r); got != c.want {
			t.Errorf("%v, %s for %s: %s, want %s", c.proxies, c.peer, c.xff, got, c.want)
		}
	}
	if _, err := New(Config{TrustedProxies: []string{"everyone"}}); err == nil || !strings.Contains(err.Error(), "trusted-proxy") {
		t.Errorf("everyone: %v", err)
	}
}

// Users change their own passwords, admins those of all.
func TestPasswordsAreChanged(t *testing.T) {
	e := newEnv(t, withLogin)
	admin, ann := e.user("admin", bus.RoleAdmin), e.user("ann", bus.RoleWatcher)
	put := func(id, body string, headers []string) *reply {
		return e.call("PUT", "/user/"+id+"/password", body, append([]string{"Accept", "application/json"}, headers...)...)
	}
	put("ann", `{"old_password":"wrong","password":"my new words"}`, bearing(ann.Token)).code(422, "invalid_body")
	put("ann", `{"password":"my new words"}`, bearing(ann.Token)).code(422, "invalid_body")
	put("admin", `{"old_password":"`+password+`","password":"my new words"}`, bearing(ann.Token)).code(403, "forbidden")
	put("ann", `{"old_password":"`+password+`"}`, bearing(ann.Token)).code(422, "invalid_body")
	r := put("ann", `{"old_password":"`+password+`","password":"Password1"}`, bearing(ann.Token)).code(422, "invalid_body")
	if !strings.Contains(string(r.body), "most common") || strings.Contains(string(r.body), "Password1") {
		t.Errorf("a common password: %s", r.body)
	}
	put("ann", `{"old_password":"`+password+`","password":"my new words"}`, byCookie(ann)).want(204)
	e.call("GET", "/account", "", bearing(ann.Token)...).want(200)
	put("none", `{"password":"my new words"}`, bearing(admin.Token)).code(404, "no_such_user")
	put("admin", `{"password":"my new words"}`, bearing(admin.Token)).code(422, "invalid_body")
	put("ann", `{"password":"words of an admin"}`, bearing(admin.Token)).want(204)
	e.call("GET", "/account", "", bearing(ann.Token)...).code(401, "login_required")
	e.call("POST", "/auth", `{"id":"ann","password":"words of an admin"}`).want(201)
	e.call("POST", "/user", `{"id":"bob","password":"12345678","role":"watcher"}`, bearing(admin.Token)...).code(422, "invalid_body")
	put("admin", `{"old_password":"wrong","password":"my new words"}`, bearing(admin.Token)).code(422, "invalid_body")
	e.call("POST", "/user", `{"id":"Admin","password":"my new words","role":"watcher"}`, bearing(admin.Token)...).code(422, "invalid_body")
	e.call("POST", "/auth", `{"id":"ADMIN","password":"`+password+`"}`).code(401, "authentication_failed")
}

// Logging out ends the cookie and the token of a login, whichever is sent.
func TestLogoutEndsToken(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := e.user("admin", bus.RoleAdmin)
	e.call("DELETE", "/auth", "", byCookie(admin)...).want(204)
	e.call("GET", "/account", "", bearing(admin.Token)...).code(401, "login_required")
}

// A page of another origin cannot use the cookie of who looks at it.
func TestOtherOrigins(t *testing.T) {
	e := newEnv(t, withLogin)
	e.call("POST", "/auth", `{"id":"admin","password":"x"}`).code(401, "authentication_failed")
	admin := e.user("admin", bus.RoleAdmin)
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"the console", "PUT", append(byCookie(admin), "Origin", "http://localhost:3000"), 201},
		{"a page of ours", "PUT", append(byCookie(admin), "Origin", e.http.URL), 200},
		{"no page", "PUT", byCookie(admin), 200},
		{"another page", "PUT", append(byCookie(admin), "Origin", "http://evil.example"), 403},
		{"another port", "PUT", append(byCookie(admin), "Origin", "http://localhost:3001"), 403},
		{"a page of nowhere", "PUT", append(byCookie(admin), "Origin", "null"), 403},
		{"a browser that says it in other words", "PUT", append(byCookie(admin), "Sec-Fetch-Site", "cross-site"), 403},
		{"another page that only looks", "GET", append(byCookie(admin), "Origin", "http://evil.example"), 200},
		{"another page with a token", "PUT", append(bearing(admin.Token), "Origin", "http://evil.example"), 200},
	} {
		r := e.call(c.method, "/app/default", "", append([]string{"Accept", "application/json"}, c.headers...)...)
		if want := map[bool]int{true: 200, false: c.status}[c.status == 201]; r.status != want {
			t.Errorf("%s: %s = %d %s, want %d", c.name, r.asked, r.status, r.body, want)
		}
		if c.status == 403 {
			r.code(403, "cross_origin")
		}
	}
}

// What a program can do with a key, and who may make one.
func TestKeys(t *testing.T) {
	e := newEnv(t, withLogin)
	admin, robot := e.user("admin", bus.RoleAdmin), e.user("robot", bus.RoleOperator)
	e.call("POST", "/user/admin/key", "", bearing(robot.Token)...).code(403, "forbidden")
	e.call("DELETE", "/user/admin/key", "", bearing(robot.Token)...).code(403, "forbidden")
	e.call("POST", "/user/nobody/key", "", bearing(admin.Token)...).code(404, "no_such_user")
	var all [2]struct{ Key string }
	e.call("POST", "/user/robot/key", "", bearing(robot.Token)...).want(201).into(&all[0])
	e.call("POST", "/user/robot/key", "", bearing(admin.Token)...).want(201).into(&all[1])
	for _, k := range all {
		e.call("GET", "/default/jobs", "", bearing(k.Key)...).want(200)
		e.call("POST", "/default/jobs", job1, bearing(k.Key)...).code(403, "forbidden")
		e.call("GET", "/default/jobs", "", "Cookie", "ring-session="+k.Key).code(401, "login_required")
	}
	e.call("DELETE", "/user/robot/key", "", bearing(all[0].Key)...).want(204)
	for _, k := range all {
		e.call("GET", "/default/jobs", "", bearing(k.Key)...).code(401, "login_required")
	}
	// The Basic credentials are those of a proxy.
	e.call("GET", "/default/jobs", "", "Authorization", "Basic eDp5", "Cookie", "ring-session="+robot.Session).want(200)
}

// A key with limits does what both its limits and its user's roles allow.
func TestKeysWithLimits(t *testing.T) {
	e := newEnv(t, withLogin)
	admin, robot := bearing(e.user("admin", bus.RoleAdmin).Token), bearing(e.user("robot", bus.RoleAdmin).Token)
	for _, app := range []string{"billing", "hr"} {
		e.call("PUT", "/app/"+app, `{}`, admin...).want(201)
	}
	newKey := func(body string) []string {
		t.Helper()
		var made rest.Key
		e.call("POST", "/user/robot/key", body, robot...).want(201).into(&made)
		return bearing(made.Key)
	}
	billing := newKey(`{"name":"nightly","apps":["billing"],"role":"operator"}`)
	for request, status := range map[string]int{
		"GET /billing/jobs": 200, "GET /hr/jobs": 403, "GET /default/jobs": 403, "GET /executions": 200, "GET /apps": 200, "GET /agents": 200,
		"GET /app/billing": 200, "GET /app/hr": 403, "GET /hr/stats": 403, "GET /hr/batch-components": 403, "GET /billing/stats": 200,
		"POST /billing/jobs": 403, "DELETE /app/billing": 403, "GET /artifact/x": 404, "PUT /agent/none/block": 403, "GET /events": 403,
		"GET /users": 403, "POST /user": 403, "GET /agent-tokens": 403, "POST /user/robot/key": 403, "GET /user/robot/keys": 403,
		"PUT /user/robot/password": 403, "DELETE /user/robot/key": 403, "DELETE /user/robot/key/nightly": 403, "DELETE /user/robot": 403,
	} {
		method, path, _ := strings.Cut(request, " ")
		e.call(method, path, "", billing...).want(status)
	}
	var me rest.Account
	e.call("GET", "/account", "", billing...).want(200).into(&me)
	if got := fmt.Sprint(me.Applications["billing"].Roles, me.Applications["default"].Roles); got != "[operator] []" {
		t.Errorf("the account shows the roles %s", got)
	}
	for _, body := range []string{`{"role":"admin"}`, `{"ttl":60}`} { // what it makes would outlast it
		key := newKey(body)
		e.call("GET", "/hr/jobs", "", key...).want(200)
		for _, request := range []string{"POST /user/robot/key", "GET /users", "DELETE /user/admin", "POST /agent-tokens", "DELETE /agent-token/a1"} {
			method, path, _ := strings.Cut(request, " ")
			e.call(method, path, "", key...).code(403, "forbidden")
		}
	}
	watcher := newKey(`{"apps":["billing"],"role":"watcher"}`)
	e.call("GET", "/artifact/x", "", watcher...).code(403, "forbidden")
	var list rest.List[rest.KeyInfo]
	e.call("GET", "/user/robot/keys", "", robot...).want(200).into(&list)
	if k := list.Results[0]; list.Hits != 4 || k.Name != "nightly" || k.Role != "operator" || fmt.Sprint(k.Apps) != "[billing]" || !k.ExpireTime.IsZero() || list.Results[2].ExpireTime.IsZero() {
		t.Errorf("%+v", list)
	}
	e.call("PUT", "/user/robot/roles", `{"role":"watcher"}`, admin...).want(200)
	e.call("PUT", "/app/billing", `{}`, billing...).code(403, "forbidden") // as its user
	e.call("DELETE", "/user/robot/key/nightly", "", admin...).want(204)
	e.call("GET", "/billing/jobs", "", billing...).code(401, "login_required")
	e.call("DELETE", "/user/robot/key/nightly", "", admin...).code(404, "no_such_key")
	e.call("POST", "/user/robot/key", `{"name":"a b","apps":["x/y"],"role":"boss","ttl":-1}`, admin...).code(422, "invalid_body")
	e.call("POST", "/user/robot/key", `{"ttl":9223372036854775807}`, admin...).code(422, "invalid_body")
}

// Two buses on one NATS know each other's sessions, and one that is started
// anew knows them too.
func TestBusesShareSessions(t *testing.T) {
	srv := bustest.Server(t)
	one, two := loginServer(t, srv), loginServer(t, srv)
	if err := one.logins.Add(t.Context(), "ann", password, map[string]string{bus.DefaultApp: bus.RoleWatcher}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other bus knows her", func() bool { return len(two.logins.Users()) == 1 })
	cookie := one.logIn(t, "ann")
	if got := two.account(cookie); got != 200 {
		t.Errorf("at the other bus: %d", got)
	}
	two.stop()
	one.stop()
	three := loginServer(t, srv)
	if got := three.account(cookie); got != 200 {
		t.Errorf("after a restart: %d", got)
	}
	r := httptest.NewRequest("DELETE", "/auth", nil)
	r.Header.Set("Cookie", cookie)
	three.ServeHTTP(httptest.NewRecorder(), r)
	if got := three.account(cookie); got != 401 {
		t.Errorf("after the logout: %d", got)
	}
}

// Neither answers nor the log show what was sent as a password, token or key.
func TestSecretsAreNotShown(t *testing.T) {
	var log syncBuffer
	e := newEnv(t, withLogin, func(c *Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	admin := e.user("admin", bus.RoleAdmin)
	const secret = "Geheim-4711"
	var answers strings.Builder
	for _, path := range []string{"/auth", "/user"} {
		for _, body := range []string{
			`{"id":"admin","password":"%s"}`, `{"id":"a","password":"%s","role":"x"}`, `{"id":5,"password":["%s"]}`, `{"password":{"%s":1}}`, `{"passwort":"%s"}`, `{"%s":{"a":}`,
			`{"id":"admin","password":"%s"`, `{"id":"admin","password":%s}`, `["%s"]`, `"%s"`, `{"id":"admin","password":"x","role":"%s"}`,
			`{:user/password "%s"}`, `{:user/password %s}`, `{:user/id :user/password "%s`, `{:user/password #"%s"}`, `{:user/password \%s}`, "password: [%s", "password: {%s: 1}",
		} {
			body := strings.Replace(body, "%s", secret, 1)
			for _, media := range []string{"application/json", "application/edn", "application/yaml"} {
				r := e.call("POST", path, body, append(bearing(admin.Token), "Content-Type", media)...)
				fmt.Fprintf(&answers, "%s %s %s: %d %s\n", path, media, body, r.status, strings.ReplaceAll(string(r.body), "Geheim", "SHOWN"))
			}
		}
	}
	for _, headers := range [][]string{bearing(secret), {"Cookie", "ring-session=" + secret}, {"Authorization", secret}} {
		r := e.call("GET", "/account", "", headers...).want(401)
		fmt.Fprintf(&answers, "%s\n", strings.ReplaceAll(string(r.body), "Geheim", "SHOWN"))
	}
	for line := range strings.Lines(answers.String()) {
		if strings.Contains(line, "SHOWN") {
			t.Error(line)
		}
	}
	for _, s := range []string{secret, password, admin.Token, admin.Session} {
		if strings.Contains(log.String(), s) {
			t.Errorf("%s is in the log: %s", s, log.String())
		}
	}
}

// Only a page of another site needs SameSite=None, and there is none without
// AllowOrigin.
func TestSecureCookies(t *testing.T) {
	for origin, want := range map[string]http.SameSite{"": http.SameSiteLaxMode, "https://console.example.com": http.SameSiteNoneMode} {
		s := mustNew(Config{CookieSecure: true, AllowOrigin: origin})
		for _, session := range []string{"x", ""} {
			if c, err := http.ParseSetCookie(s.sessionCookie(session)); err != nil || !c.Secure || c.SameSite != want || !c.HttpOnly {
				t.Errorf("pages of %q: %s, %v", origin, s.sessionCookie(session), err)
			}
		}
	}
}

// Streams end with the login that opened them, and with its permission.
func TestStreamsEndWithLogin(t *testing.T) {
	e := newEnv(t, withLogin)
	e.user("admin", bus.RoleAdmin)
	for name, end := range map[string]func(id string, s login.Secrets) error{
		"logout":   func(_ string, s login.Secrets) error { return e.logins.Logout(t.Context(), s.Session) },
		"removed":  func(id string, _ login.Secrets) error { return e.logins.Remove(t.Context(), id) },
		"password": func(id string, _ login.Secrets) error { return e.logins.SetPassword(t.Context(), id, "new words", "") },
		"role": func(id string, _ login.Secrets) error {
			_, err := e.logins.SetRoles(t.Context(), id, map[string]string{"shop": bus.RoleWatcher})
			return err
		},
	} {
		secrets := e.user("user-"+name, bus.RoleWatcher)
		r, err := http.NewRequestWithContext(t.Context(), "GET", e.http.URL+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secrets.Token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 200 {
			t.Fatalf("%s: %s", name, res.Status)
		}
		if err := end("user-"+name, secrets); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(res.Body); err != nil { // blocks as long as the stream is open
			t.Errorf("%s: %v", name, err)
		}
		res.Body.Close()
	}
}

// syncBuffer takes what several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Roles are replaced whole, what is wrong is said, and the last admin stays
// one.
func TestRolesAreReplaced(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := append(bearing(e.user("admin", bus.RoleAdmin).Token), "Accept", "application/json")
	ann := append(bearing(e.user("ann", bus.RoleWatcher).Token), "Accept", "application/json")
	e.call("PUT", "/user/ann/roles", `{"role":"admin"}`, ann...).code(403, "forbidden")
	var u rest.User
	if e.call("PUT", "/user/ann/roles", `{"role":"watcher","roles":{"shop":"operator"}}`, admin...).want(200).into(&u); u.Roles["shop"] != "operator" || u.Roles["default"] != "watcher" {
		t.Errorf("%+v", u)
	}
	e.call("PUT", "/user/ann/roles", `{"role":"admin"}`, admin...).want(200)
	e.call("GET", "/users", "", ann...).want(200) // she is an admin at once
	e.call("PUT", "/user/admin/roles", `{"role":"watcher"}`, ann...).want(200)
	e.call("GET", "/users", "", admin...).code(403, "forbidden")
	e.call("PUT", "/user/ann/roles", `{"role":"watcher"}`, ann...).code(409, "last_admin")
	e.call("PUT", "/user/none/roles", `{"role":"watcher"}`, ann...).code(404, "no_such_user")
	e.call("PUT", "/user/ann/roles", `{"role":"boss","roles":{"a b":"admin"}}`, ann...).code(422, "invalid_body")
}
