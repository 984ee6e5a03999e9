package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// What the original control bus lets its roles do, and what clients of it ask.
// Deploying and blocking, which it lets everybody do, need the role operator.
var contract = map[permission]struct {
	roles  string
	routes []string
}{
	readJob: {"admin operator watcher", []string{"GET /{app}/jobs", "GET /{app}/job/{job}", "GET /{app}/job/{job}/settings", "GET /{app}/job/{job}/executions",
		"GET /{app}/job/{job}/execution/{id}", "GET /{app}/jobs/download",
		"GET /{app}/deployments", "GET /{app}/deployment/{number}", "GET /app/{app}", "GET /{app}/stats", "GET /{app}/batch-components", "GET /{app}/schedules/pauses", "GET /{app}/secrets"}},
	createJob: {"admin", []string{"POST /{app}/jobs"}},
	updateJob: {"admin", []string{"PUT /{app}/job/{job}", "PUT /{app}/job/{job}/settings/exclusive"}},
	removeJob: {"admin", []string{"DELETE /{app}/job/{job}", "DELETE /{app}/job/{job}/settings/exclusive", "DELETE /{app}/job/{job}/executions"}},
	executeJob: {"admin operator", []string{"POST /{app}/job/{job}/executions", "PUT /{app}/job/{job}/execution/{id}/stop", "PUT /{app}/job/{job}/execution/{id}/abandon",
		"PUT /{app}/job/{job}/execution/{id}/restart", "POST /{app}/job/{job}/schedule", "PUT /{app}/job/{job}/schedule/pause",
		"PUT /{app}/job/{job}/schedule/resume", "PUT /{app}/schedules/pause", "PUT /{app}/schedules/resume", "DELETE /{app}/job/{job}/schedule"}},
	anyone:      {"admin operator watcher", []string{"GET /apps", "GET /agents", "GET /agent/{id}", "GET /limits", "GET /limit/{name}", "GET /account", "GET /notifications/senders", "GET /notifications/dead", "GET /alerts", "GET /schedules/pauses"}},
	blockAgents: {"admin operator", []string{"PUT /agent/{id}/block", "PUT /agent/{id}/unblock"}},
	deployApp: {"admin operator", []string{"PUT /app/{app}", "POST /{app}/batch-components", "POST /{app}/deployments",
		"PUT /{app}/deployment/{number}/current"}},
	deployAny:   {"admin operator", []string{"POST /apps", "PUT /artifact/{sha256}", "GET /artifact/{sha256}"}},
	readAudit:   {"admin", []string{"GET /audit"}},
	manageUsers: {"admin", []string{"GET /users", "POST /user", "DELETE /user/{id}"}},
	ownKeys:     {"admin", nil}, // of another user

	manageAgents:      {"admin", []string{"GET /agent-tokens", "POST /agent-tokens", "DELETE /agent-token/{name}"}},
	testNotifications: {"admin", []string{"POST /notifications/test", "POST /notifications/resend"}},
	open:              {"admin operator watcher nobody", []string{"POST /auth", "DELETE /auth", "POST /agent-tokens/join", "GET /oauth", "GET /version", "GET /healthcheck"}},

	readCalendar:  {"admin operator watcher", []string{"GET /calendars", "GET /calendars/download", "GET /calendar/{name}", "GET /calendar/{name}/preview"}},
	writeCalendar: {"admin operator", []string{"POST /calendars", "PUT /calendar/{name}", "DELETE /calendar/{name}"}},
	writeLimit:    {"admin operator", []string{"PUT /limit/{name}", "DELETE /limit/{name}"}},
	writeSecret:   {"admin", []string{"PUT /{app}/secret/{name}", "DELETE /{app}/secret/{name}"}},

	pauseEverything: {"admin", []string{"PUT /schedules/pause", "PUT /schedules/resume"}},
}

// Every route is asked by everybody. One that was declared without a permission
// is nobody's.
func TestPermissions(t *testing.T) {
	e := newEnv(t, withLogin)
	senders := map[string][]string{"nobody": nil}
	for _, role := range login.Roles() {
		senders[role] = bearing(e.user(role, role).Token)
	}
	routes := 0
	for path, item := range e.doc.Paths.Map() {
		for method, op := range item.Operations() {
			routes++
			needs, _ := op.Extensions["x-permission"].(string)
			expected, known := contract[permission(needs)]
			if !known {
				t.Errorf("%s %s needs %q, which nobody has", method, path, needs)
				continue
			}
			for role, headers := range senders {
				if permission(needs) == open {
					headers = nil // a logout would end what the others ask with
				}
				want := http.StatusForbidden
				switch {
				case slices.Contains(strings.Fields(expected.roles), role):
					want = 0
				case role == "nobody":
					want = http.StatusUnauthorized
				}
				r := e.call(method, harmless(path), "", append([]string{"Accept", "application/json"}, headers...)...)
				if refused := r.status == 401 || r.status == 403; refused != (want != 0) || refused && r.status != want {
					t.Errorf("%s asks %s %s: %d %s, want %d", role, method, path, r.status, r.body, want)
				}
			}
		}
	}
	if routes < 50 {
		t.Errorf("only %d routes", routes)
	}
}

// harmless is a path of that template that does nothing, and ends at once.
func harmless(template string) string {
	path := strings.NewReplacer("{app}", "default", "{job}", "none", "{id}", "none", "{number}", "0", "{sha256}", "x").Replace(template)
	if path == "/events" {
		path += "?app=*"
	}
	return path
}

func TestRoutesOfTheContract(t *testing.T) {
	s, _ := fakeServer()
	for needs, c := range contract {
		for _, route := range c.routes {
			method, path, _ := strings.Cut(route, " ")
			if got := s.needs[place{method, pathOf(path)}]; got != needs {
				t.Errorf("%s needs %q, want %q", route, got, needs)
			}
		}
		have := strings.Fields(c.roles)
		for _, role := range login.Roles() {
			u := &bus.User{ID: "ann", Roles: map[string]string{bus.DefaultApp: role}}
			if got := isAllowed(u, needs, "billing", "bob"); needs != open && got != slices.Contains(have, role) {
				t.Errorf("%s may %s: %v", role, needs, got)
			}
		}
	}
	for _, needs := range []permission{"", "none"} {
		if isAllowed(everybody, needs, "", "") {
			t.Errorf("%q: an admin may", needs)
		}
	}
}

// What is open is open by its whole path: what begins like it is not.
func TestPathsThatLookOpen(t *testing.T) {
	e := newEnv(t, withLogin)
	for _, c := range []struct{ method, path string }{
		{"GET", "/user-app/stats"}, {"GET", "/auth-app/jobs"}, {"GET", "/version-1/jobs"}, {"GET", "/healthcheck2/stats"}, {"GET", "/oauth-app/stats"},
		{"GET", "/version/"}, {"GET", "/version/x"}, {"POST", "/version"}, {"DELETE", "/version"}, {"GET", "/auth"}, {"PUT", "/auth"}, {"POST", "/auth/"}, {"POST", "/oauth"},
		{"GET", "//version"}, {"GET", "/./version/../default/stats"}, {"GET", "/version%2F..%2Fdefault%2Fstats"}, {"GET", "/default/stats?x=/version"},
		{"HEAD", "/default/stats"}, {"PATCH", "/version"}, {"GET", "/openapi.json"}, {"POST", "/"}, {"GET", "/x/"}, {"GET", "/none/of/this/is/there"}, {"GET", "/metrics"},
	} {
		if r := e.call(c.method, c.path, ""); r.status != 401 {
			t.Errorf("%s = %d %s, want 401", r.asked, r.status, r.body)
		}
	}
	for _, c := range []struct{ method, path string }{{"GET", "/"}, {"GET", "/version"}, {"HEAD", "/version"}, {"GET", "/healthcheck"}, {"GET", "/oauth"}, {"DELETE", "/auth"}, {"OPTIONS", "/default/stats"}} {
		if r := e.call(c.method, c.path, ""); r.status/100 != 2 {
			t.Errorf("%s = %d %s, want it open", r.asked, r.status, r.body)
		}
	}
}

// Roles are those in the application of the path.
func TestRolesByApplication(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	e.call("PUT", "/app/billing", `{}`, admin...).want(201)
	e.call("POST", "/user", `{"id":"ann","password":"correct horse","role":"watcher","roles":{"billing":"admin"}}`, admin...).want(201)
	e.call("POST", "/user", `{"id":"bob","password":"correct horse","role":"watcher","roles":{"billing":"chief","a b":"admin"}}`, admin...).code(422, "invalid_body")
	secrets, err := e.logins.Login(t.Context(), login.Attempt{ID: "ann", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	ann := bearing(secrets.Token)
	e.call("POST", "/billing/jobs", job1, ann...).want(201)
	e.call("POST", "/default/jobs", job1, ann...).code(403, "forbidden")
	e.call("GET", "/default/jobs", "", ann...).want(200)
	e.call("GET", "/users", "", ann...).code(403, "forbidden")
	e.call("GET", "/users?app=billing", "", ann...).code(403, "forbidden")
	if r := e.call("GET", "/account", "", ann...); !strings.Contains(string(r.body), `"billing":{"name":"billing","roles":["admin"]}`) {
		t.Errorf("%s", r.body)
	}
}

// The store keeps the general role under names that look like applications. A
// client must not set it by such a name.
func TestGeneralRoleByApplication(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	e.call("POST", "/user", `{"id":"ann","password":"correct horse","role":"watcher"}`, admin...).want(201)
	for _, app := range []string{bus.DefaultApp, bus.AnyApp} {
		for request, body := range map[string]string{
			"POST /user":          `{"id":"dora","password":"correct horse","role":"watcher","roles":{"` + app + `":"admin"}}`,
			"PUT /user/ann/roles": `{"role":"watcher","roles":{"` + app + `":"admin"}}`,
		} {
			method, path, _ := strings.Cut(request, " ")
			r := e.call(method, path, body, admin...).code(422, "invalid_body")
			if text := string(r.body); !strings.Contains(text, `"pointer":"/roles/`+app+`"`) || !strings.Contains(text, "in the field role") {
				t.Errorf("%s with a role in %s: %s", request, app, text)
			}
		}
	}
	e.call("PUT", "/user/ann/roles", `{:role "operator"}`, append(admin, "Content-Type", "application/edn")...).want(201)
}

// A user sees of applications that they may not read the names, and nothing of
// their executions at an agent.
func TestReadingOtherApplications(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	for _, app := range []string{"shop", "bank"} {
		e.call("PUT", "/app/"+app, `{"description":"about the `+app+`"}`, admin...).want(201)
	}
	if err := e.logins.Add(t.Context(), "shopper", password, map[string]string{"shop": bus.RoleOperator}); err != nil {
		t.Fatal(err)
	}
	secrets, err := e.logins.Login(t.Context(), login.Attempt{ID: "shopper", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	shopper := bearing(secrets.Token)
	for _, path := range []string{"/app/%s", "/%s/stats", "/%s/batch-components"} {
		e.call("GET", fmt.Sprintf(path, "shop"), "", shopper...).want(200)
		e.call("GET", fmt.Sprintf(path, "bank"), "", shopper...).code(403, "forbidden")
	}
	var apps rest.List[rest.AppInfo]
	e.call("GET", "/apps", "", shopper...).want(200).into(&apps)
	shown := map[string]string{}
	for _, a := range apps.Results {
		shown[a.Name] = a.Description
		if a.Name == "bank" && !a.CreateTime.IsZero() {
			t.Errorf("bank was created at %v", a.CreateTime)
		}
	}
	if about, listed := shown["bank"]; !listed || about != "" || shown["shop"] != "about the shop" {
		t.Errorf("applications %v, want the name of bank alone", shown)
	}
	e.beats("a1")
	for i := range 2 * shownOfAgent {
		rec := bus.Execution{}
		rec.ID, rec.App, rec.Job, rec.Agent = int64(i+1), []string{"shop", "bank"}[i%2], "j", "a1"
		rec.BatchStatus, rec.CreateTime = subjects.Completed, subjects.Now()
		e.index.PutExecution(&rec, uint64(1<<40+i))
	}
	for request, sender := range map[string][]string{"GET /agent/a1": shopper, "GET /agent/a1?": admin} {
		var a rest.Agent
		method, path, _ := strings.Cut(request, " ")
		e.call(method, path, "", sender...).want(200).into(&a)
		of := map[string]int{}
		for _, x := range *a.Executions {
			of[x.App]++
		}
		want := map[string]int{"shop": shownOfAgent}
		if request != "GET /agent/a1" {
			want = map[string]int{"shop": shownOfAgent / 2, "bank": shownOfAgent / 2}
		}
		if !maps.Equal(of, want) {
			t.Errorf("%s: executions %v, want %v", request, of, want)
		}
	}
}

// A watcher can neither deploy nor download. A role in one application is
// enough to upload, but not to deploy to another one.
func TestDeployPermission(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	e.call("PUT", "/app/billing", `{}`, admin...).want(201)
	e.call("POST", "/user", `{"id":"ann","password":"correct horse","role":"watcher","roles":{"billing":"operator"}}`, admin...).want(201)
	secrets, err := e.logins.Login(t.Context(), login.Attempt{ID: "ann", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	ann, watcher := bearing(secrets.Token), bearing(e.user("wally", bus.RoleWatcher).Token)
	jar := string(jarOf(t, map[string][]byte{"a/B.class": class("a/B", "javax/batch/api/Batchlet")}))
	artifact, deployment := "/artifact/"+sha(jar), `{"artifacts":[{"name":"a.jar","sha256":"`+sha(jar)+`"}]}`

	e.call("PUT", artifact, jar, watcher...).code(403, "forbidden")
	e.call("PUT", artifact, jar, ann...).want(201)
	e.call("GET", artifact, "", watcher...).code(403, "forbidden")
	e.call("GET", artifact, "", ann...).want(200)
	e.call("POST", "/billing/deployments", deployment, watcher...).code(403, "forbidden")
	e.call("POST", "/default/deployments", deployment, ann...).code(403, "forbidden")
	e.call("POST", "/billing/deployments", deployment, ann...).want(201)
	for _, name := range []string{"billing", "new"} {
		e.call("POST", "/apps", `{"name":"`+name+`","description":"mine"}`, watcher...).code(403, "forbidden")
		e.call("PUT", "/app/"+name, `{"description":"mine"}`, watcher...).code(403, "forbidden")
	}
	e.call("POST", "/apps", `{"name":"default","description":"mine"}`, ann...).code(403, "forbidden")
	e.call("POST", "/apps", `{"name":"billing","description":"mine"}`, ann...).want(201)
}

// loginOnly is a server of which only the login is real.
type loginOnly struct {
	*Server
	logins *login.Service
	stop   func()
}

func loginServer(t testing.TB, srv *server.Server) *loginOnly {
	t.Helper()
	logins := login.New(login.Config{Bus: bustest.Open(t, srv, bus.Config{})})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- logins.Run(ctx); close(ended) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	if err := logins.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	_, f := fakeServer()
	return &loginOnly{mustNew(Config{Executions: f, Index: f, Schedules: f, Logins: logins, RequireLogin: true, Version: "test"}), logins, stop}
}

// logIn is the header Cookie that a login is answered with.
func (s *loginOnly) logIn(t testing.TB, id string) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/auth", strings.NewReader(`{"id":"`+id+`","password":"`+password+`"}`)))
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	if w.Code != 201 {
		t.Fatal(w.Code, w.Body)
	}
	return cookie
}

// account is the status of who one is.
func (s *loginOnly) account(cookie string) int {
	r := httptest.NewRequest("GET", "/account", nil)
	r.Header.Set("Cookie", cookie)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

// What asking for a login costs, on the hot path.
func BenchmarkLogin(b *testing.B) {
	on := loginServer(b, bustest.Server(b))
	if err := on.logins.Add(b.Context(), "ann", password, map[string]string{bus.DefaultApp: bus.RoleOperator}); err != nil {
		b.Fatal(err)
	}
	cookie := on.logIn(b, "ann")
	off, _ := fakeServer()
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"off", off}, {"on", on}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/default/job/JOB-1/executions", nil)
				r.Header.Set("Cookie", cookie)
				w := httptest.NewRecorder()
				c.h.ServeHTTP(w, r)
				if w.Code != 201 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}

// A stream ends when its login does, and goes on for a while when nobody knows.
func TestStreamsEndWithTheirLogin(t *testing.T) {
	away := errors.New("NATS is away")
	for _, c := range []struct {
		name  string
		valid bool
		err   error
		ends  time.Duration // after the login is no longer valid for certain
	}{
		{"the login ended", false, nil, loginCheckInterval},
		{"nobody knows", false, away, maxUnknownLogin + loginCheckInterval},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				begin := time.Now()
				cancelUnless(ctx, func(context.Context) (bool, error) {
					if time.Since(begin) <= 2*time.Minute {
						return true, nil
					}
					return c.valid, c.err
				}, cancel)
				if got := time.Since(begin) - 2*time.Minute; ctx.Err() == nil || got > c.ends || got < c.ends-loginCheckInterval {
					t.Errorf("the stream ended after %v, want %v", got, c.ends)
				}
			})
		})
	}
}
