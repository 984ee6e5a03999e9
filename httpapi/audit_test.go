package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// rows returns the whole audit, oldest first.
func (e *env) rows() []audit.Stored {
	e.t.Helper()
	p, err := e.audit.List(e.t.Context(), audit.Query{Oldest: true, Limit: 10_000})
	if err != nil || p.Next != 0 {
		e.t.Fatal(p.Next, err)
	}
	return p.Rows
}

// changingRoutes returns the routes that must have rows, by method and path:
// those that do not only read, and the end of a login.
func (e *env) changingRoutes() map[place]*huma.Operation {
	all := map[place]*huma.Operation{}
	for path, item := range e.server.api.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{post: item.Post, put: item.Put, del: item.Delete, "PATCH": item.Patch, get: item.Get} {
			if op != nil && traitsOf(op).audited() {
				all[place{method, path}] = op
			}
		}
	}
	return all
}

// Each route that changes something writes a row, whether the request is refused
// without a login, refused without the permission, or reaches the handler.
func TestEveryChangingRouteHasARow(t *testing.T) {
	for part := range 4 { // the audit omits rows of many refused requests
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) { checkRows(t, part) })
	}
}

// checkRows checks every fourth of the routes that change something.
func checkRows(t *testing.T, part int) {
	e := newEnv(t, withLogin)
	senders := map[string][]string{audit.Nobody: nil, "admin": bearing(e.user("admin", bus.RoleAdmin).Token), "wally": bearing(e.user("wally", bus.RoleWatcher).Token)}
	routes := e.changingRoutes()
	if len(routes) < 35 {
		t.Fatalf("only %d routes change something", len(routes))
	}
	places := slices.SortedFunc(maps.Keys(routes), func(a, b place) int { return cmp.Compare(a.path+a.method, b.path+b.method) })
	for i, at := range places {
		if i%4 != part {
			delete(routes, at)
		}
	}
	_, params, _ := strings.Cut(string(document(e.server.api)), `"name":"kind"`)
	calls := 0
	for at, op := range routes {
		for user, headers := range senders {
			if op.OperationID == "delete-auth" { // it would end what the others send
				headers = nil
			}
			calls++
			r := e.call(at.method, harmless(at.path), "", headers...)
			if r.status < 400 && op.OperationID != "delete-auth" && op.OperationID != "delete-job" {
				t.Logf("%s of %s: %d", r.asked, user, r.status)
			}
		}
	}
	eventually(t, "a row for each request", func() bool { return len(e.rows()) == calls })
	type key struct{ action, user string }
	codes := map[key]string{}
	for _, r := range e.rows() {
		codes[key{r.Action, r.User}] = r.Code
		if r.Address != "127.0.0.1" || r.Bus != e.bus.Name() || r.Time == 0 || r.Kind == "" {
			t.Errorf("incomplete: %s", r.Data)
		}
		if !strings.Contains(params, r.Kind) {
			t.Errorf("the kind %q is not in the description of GET /audit", r.Kind)
		}
	}
	for _, op := range routes {
		needs := permission(op.Extensions["x-permission"].(string))
		if needs == open {
			if _, ok := codes[key{op.OperationID, audit.Nobody}]; !ok {
				t.Errorf("%s by nobody has no row", op.OperationID)
			}
			continue
		}
		for user := range senders {
			want := ""
			switch {
			case user == audit.Nobody:
				want = "login_required"
			case user == "wally" && !strings.Contains(contract[needs].roles, "watcher"):
				want = "forbidden"
			}
			code, ok := codes[key{op.OperationID, user}]
			if !ok || want != "" && code != want || want == "" && (code == "login_required" || code == "forbidden") {
				t.Errorf("%s by %s: row %v with code %q, want one with %q", op.OperationID, user, ok, code, want)
			}
		}
	}
}

// The rows of changes name the object, and its revisions before and after.
func TestRowsOfChanges(t *testing.T) {
	e := newEnv(t, withLogin)
	ann := bearing(e.user("ann", bus.RoleAdmin).Token)
	e.call("PUT", "/app/shop", `{}`, ann...).want(201)
	e.call("POST", "/shop/jobs", job1, ann...).want(201)
	e.call("PUT", "/shop/job/JOB-1", job1, ann...).want(200)
	e.call("PUT", "/shop/job/JOB-1", job1, append(ann, "If-Match", `"1"`)...).want(412)
	e.call("POST", "/shop/job/JOB-1/schedule", `{"cron_notation":"0 0 3 * * ?"}`, ann...).want(201)
	e.call("PUT", "/shop/job/JOB-1/settings/exclusive", ``, ann...).want(200)
	var x struct {
		ID int64 `json:"execution_id"`
	}
	e.call("POST", "/shop/job/JOB-1/executions", `{"parameters":{"password":"open sesame"}}`, ann...).want(201).into(&x)
	e.call("PUT", fmt.Sprintf("/shop/job/JOB-1/execution/%d/stop", x.ID), ``, ann...).want(200)
	e.call("POST", "/user", `{"id":"bob","password":"correct horse","role":"watcher"}`, ann...).want(201)
	e.call("PUT", "/user/bob/roles", `{"role":"operator"}`, ann...).want(200)
	e.call("PUT", "/user/bob/password", `{"password":"battery staple"}`, ann...).want(204)
	e.call("POST", "/user/bob/key", ``, ann...).want(201)
	var made rest.Key
	e.call("POST", "/user/bob/key", `{"name":"ci"}`, ann...).want(201).into(&made)
	e.call("PUT", "/app/other", `{}`, bearing(made.Key)...).want(201)
	e.call("DELETE", "/user/bob/key/ci", ``, ann...).want(204)
	e.call("DELETE", "/user/bob", ``, ann...).want(204)
	e.call("POST", "/auth", `{"id":"ann","password":"wrong horse"}`).want(401)
	e.call("POST", "/auth", `{"id":"mallory","password":"wrong horse"}`).want(401)
	e.call("POST", "/auth", `{"id":"ann","password":"`+password+`"}`).want(201)
	e.call("DELETE", "/auth", ``, ann...).want(204)
	e.call("DELETE", "/auth", ``, ann...).want(204) // by nobody: the token has ended

	id := fmt.Sprint(x.ID)
	want := []audit.Row{
		{User: "ann", Action: "put-app", Kind: "application", App: "shop", Name: "shop"},
		{User: "ann", Action: "post-jobs", Kind: "job", App: "shop", Name: "JOB-1"},
		{User: "ann", Action: "put-job", Kind: "job", App: "shop", Name: "JOB-1"},
		{User: "ann", Action: "put-job", Kind: "job", App: "shop", Name: "JOB-1", Code: "precondition_failed"},
		{User: "ann", Action: "post-job-schedule", Kind: "schedule", App: "shop", Name: "JOB-1"},
		{User: "ann", Action: "put-job-settings-exclusive", Kind: "settings", App: "shop", Name: "JOB-1"},
		{User: "ann", Action: "post-job-executions", Kind: "execution", App: "shop", Job: "JOB-1", Name: id},
		{User: "ann", Action: "put-job-execution-stop", Kind: "execution", App: "shop", Job: "JOB-1", Name: id},
		{User: "ann", Action: "post-user", Kind: "user", Name: "bob"},
		{User: "ann", Action: "put-user-roles", Kind: "role", Name: "bob"},
		{User: "ann", Action: "put-user-password", Kind: "password", Name: "bob"},
		{User: "ann", Action: "post-user-key", Kind: "key", Name: "bob/key-"},
		{User: "ann", Action: "post-user-key", Kind: "key", Name: "bob/ci"},
		{User: "bob", Key: "ci", Action: "put-app", Kind: "application", App: "other", Name: "other"},
		{User: "ann", Action: "delete-one-user-key", Kind: "key", Name: "bob/ci"},
		{User: "ann", Action: "delete-user", Kind: "user", Name: "bob"},
		{User: audit.Nobody, Action: "post-auth", Kind: "login", Name: "ann", Code: "authentication_failed"},
		{User: audit.Nobody, Action: "post-auth", Kind: "login", Code: "authentication_failed"},
		{User: "ann", Action: "post-auth", Kind: "login", Name: "ann"},
		{User: "ann", Action: "delete-auth", Kind: "login", Name: "ann"},
		{User: audit.Nobody, Action: "delete-auth", Kind: "login"},
	}
	var all []audit.Stored
	eventually(t, "a row for each change", func() bool { all = e.rows(); return len(all) >= len(want) })
	for i, r := range all {
		got := audit.Row{User: r.User, Key: r.Key, Action: r.Action, Kind: r.Kind, App: r.App, Job: r.Job, Name: r.Name, Code: r.Code}
		if strings.HasPrefix(got.Name, "bob/key-") { // and a part of a hash
			got.Name = "bob/key-"
		}
		if i >= len(want) || !sameRow(got, want[i]) {
			t.Errorf("row %d: %+v, want %+v", i+1, got, want[min(i, len(want)-1)])
		}
		if strings.Contains(string(r.Data), "sesame") {
			t.Errorf("row %d has a parameter: %s", i+1, r.Data)
		}
	}
	job, err := e.bus.Jobs.Get(t.Context(), "shop.JOB-1")
	if err != nil {
		t.Fatal(err)
	}
	revisions := map[string]uint64{}
	for _, r := range all {
		for _, c := range r.Changes {
			if c.Before != revisions[c.Key] || c.After == c.Before {
				t.Errorf("row %d changes %s from %d to %d, want from %d", r.Number, c.Key, c.Before, c.After, revisions[c.Key])
			}
			revisions[c.Key] = c.After
		}
		if changed := len(r.Changes) > 0; changed != (r.Code == "" && r.Kind != "execution" && r.Kind != "login") {
			t.Errorf("row %d has the changes %v", r.Number, r.Changes)
		}
	}
	if revisions["jobs/shop.JOB-1"] != job.Revision || revisions["users/bob"] != 0 || len(revisions) != 5 {
		t.Errorf("last revisions %v, want %d of the job and none of the user", revisions, job.Revision)
	}
}

func sameRow(a, b audit.Row) bool {
	return a.User == b.User && a.Key == b.Key && a.Action == b.Action && a.Kind == b.Kind && a.App == b.App && a.Job == b.Job && a.Name == b.Name && a.Code == b.Code
}

// A password that is sent in the wrong place is in no row.
func TestRowsHaveNoSecrets(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	const secret = "Sup3rSecret-1"
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/auth", `{"id":"` + secret + `","password":"admin"}`},
		{"POST", "/auth", `{"id":"admin","password":"` + secret + `"}`},
		{"POST", "/auth", `{"id":"admin","` + secret + `":"x"}`},
		{"POST", "/auth", secret},
		{"POST", "/auth?password=" + secret, `{}`},
		{"POST", "/user", `{"id":"` + secret + `","password":"password","role":"admin"}`},
		{"POST", "/user", `{"id":"bob","password":"` + secret + `","role":"` + secret + `"}`},
		{"POST", "/user", `{"id":"` + secret + ` ` + secret + `","password":"` + secret + `"}`},
		{"PUT", "/user/admin/password", `{"password":"` + secret + `","old_password":"` + secret + `"}`},
		{"PUT", "/user/admin/roles", `{"` + secret + `":`},
		{"POST", "/agent-tokens", `{"name":"` + secret + ` "}`},
		{"POST", "/default/jobs", `{"id":"` + secret + `","steps":3}`},
		{"POST", "/default/job/none/executions", `{"parameters":{"` + secret + `":"` + secret + `"}}`},
		{"POST", "/apps", `{"name":"` + secret + ` "}`},
	} {
		for _, headers := range [][]string{admin, {"Authorization", "Bearer " + secret}, {"Cookie", "ring-session=" + secret}, {"X-Request-Id", secret, "User-Agent", secret}} {
			e.call(c.method, c.path, c.body, headers...)
		}
	}
	e.call("POST", "/user/admin/key", ``, admin...).want(201)
	var all []audit.Stored
	eventually(t, "rows", func() bool { all = e.rows(); return len(all) >= 57 })
	for _, r := range all {
		if strings.Contains(string(r.Data), secret) || strings.Contains(string(r.Data), "key_") {
			t.Errorf("a secret: %s", r.Data)
		}
	}
}

// heldAudit is an audit whose stream cannot be written.
type heldAudit struct {
	noAudit
	reserve, append error
	mu              sync.Mutex
	rows            []audit.Row
}

func (a *heldAudit) Reserve(_ context.Context, now bool) error {
	if !now {
		return nil
	}
	return a.reserve
}

func (a *heldAudit) Append(context.Context, audit.Row) error { return a.append }

func (a *heldAudit) AppendLater(r audit.Row) { a.AppendRefused(r) }

func (a *heldAudit) AppendRefused(r audit.Row) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = append(a.rows, r)
}

// While rows cannot be stored, nothing but executions changes, and no change is
// reported as a success.
func TestAuditThatCannotBeWritten(t *testing.T) {
	held := &heldAudit{}
	e := newEnv(t, func(c *Config) { c.Audit = held })
	e.call("POST", "/default/jobs", job1).want(201)
	held.reserve = fmt.Errorf("%w: 7 rows wait: %w", audit.ErrUnavailable, bus.ErrUnknown)
	e.call("PUT", "/app/shop", `{}`).code(503, "audit_unavailable")
	if r := e.call("GET", "/app/shop", ``); r.status != 404 {
		t.Errorf("the application was created: %d", r.status)
	}
	if len(held.rows) != 1 || held.rows[0].Code != "audit_unavailable" {
		t.Errorf("rows %+v, want one with the code", held.rows)
	}
	held.reserve = fmt.Errorf("%w: 7 rows wait: %w", audit.ErrUnavailable, bus.ErrFull)
	e.call("PUT", "/app/shop", `{}`).code(503, "no_room")
	e.start("JOB-1", "")
	e.call("GET", "/default/jobs", ``).want(200)
	held.reserve, held.append = nil, audit.ErrWaiting
	e.call("PUT", "/app/shop", `{}`).code(503, "not_audited")
	eventually(t, "the change is made", func() bool { return e.call("GET", "/app/shop", ``).status == 200 })
}

// failing panics, or fails after a change.
type failing struct {
	Catalog
	bus *bus.Bus
}

func (failing) DeleteApp(context.Context, string) error { panic("no") }

func (f failing) RemoveNotification(ctx context.Context, _ catalog.Ref, _ int64) (*bus.Job, error) {
	_, err := f.bus.Schedules.Create(ctx, "default.x", bus.Schedule{})
	return nil, errors.Join(err, bus.ErrNotFound)
}

// What may have changed something has a row, however it ends.
func TestRowsOfFailures(t *testing.T) {
	held := &heldAudit{}
	e := newEnv(t, func(c *Config) { c.Audit = held })
	e.server.cfg.Catalog = failing{e.server.cfg.Catalog, e.bus}
	e.call("DELETE", "/app/shop", ``).code(500, "internal")
	if len(held.rows) != 1 || held.rows[0].Code != "internal" || held.rows[0].User != audit.Nobody {
		t.Errorf("rows %+v", held.rows)
	}
	e.call("POST", "/default/jobs", job1).want(201)
	e.call("DELETE", "/default/job/JOB-1/settings/status-notification/1", ``).want(404)
	if last := held.rows[len(held.rows)-1]; len(last.Changes) != 1 || last.Code == "" {
		t.Errorf("row %+v, want one with a change", last)
	}
}

// A request that waits for the end of an execution has its row before.
func TestRowComesBeforeTheEnd(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", job1).want(201)
	ended := make(chan *reply, 1)
	go func() {
		r, err := http.Post(e.http.URL+"/default/job/JOB-1/executions?wait=1h", "", nil)
		if err == nil {
			r.Body.Close()
		}
		close(ended)
	}()
	eventually(t, "a row", func() bool {
		return slices.ContainsFunc(e.rows(), func(r audit.Stored) bool { return r.Kind == "execution" })
	})
	e.server.close()
	<-ended
}

// Behind a trusted proxy, the address is that of the client.
func TestAddressInRows(t *testing.T) {
	e := newEnv(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	e.call("PUT", "/app/shop", `{}`, "X-Forwarded-For", "203.0.113.9, 192.0.2.7").want(201)
	if all := e.rows(); len(all) != 1 || all[0].Address != "192.0.2.7" {
		t.Errorf("rows %+v", all)
	}
}

// Requests without a login cannot fill the audit.
func TestFloodOfLogouts(t *testing.T) {
	held := &heldAudit{}
	e := newEnv(t, withLogin, func(c *Config) { c.Audit = held })
	held.append = errors.New("no row of a success")
	e.call("DELETE", "/auth", ``).want(204)
	if len(held.rows) != 1 || held.rows[0].User != audit.Nobody {
		t.Errorf("rows %+v", held.rows)
	}
}

func TestListAudit(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	e.call("GET", "/audit", ``, admin...).want(200)
	for _, app := range []string{"a", "b", "c"} {
		e.call("PUT", "/app/"+app, `{}`, admin...).want(201)
	}
	e.call("POST", "/user", `{"id":"bob","password":"correct horse","role":"admin","roles":{"b":"watcher"}}`, admin...).want(201)
	e.call("POST", "/user", `{"id":"eve","password":"correct horse","role":"watcher","roles":{"b":"admin"}}`, admin...).want(201)
	e.call("PUT", "/user/eve/roles", `{"role":"watcher","roles":{"b":"admin"}}`, admin...).want(200)
	list := func(query string) (p rest.AuditPage) {
		t.Helper()
		e.call("GET", "/audit"+query, ``, admin...).want(200).into(&p)
		return p
	}
	for query, want := range map[string]string{
		"": "6 5 4 3 2 1", "?order=oldest": "1 2 3 4 5 6", "?kind=application": "3 2 1", "?kind=application&app=b": "2", "?name=eve": "6 5",
		"?user=admin": "6 5 4 3 2 1", "?user=(nobody)": "", "?action=post-user&order=oldest": "4 5", "?since=2100-01-01T00:00:00Z": "",
		"?until=2100-01-01T00:00:00Z&limit=2": "6 5", "?after=3": "2 1", "?after=3&order=oldest": "4 5 6",
	} {
		var got []string
		for _, r := range list(query).Results {
			got = append(got, fmt.Sprint(r.Number))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: rows %v, want %s", query, got, want)
		}
	}
	var all []rest.AuditRow
	for after, pages := "", 0; ; pages++ {
		p := list("?order=oldest&limit=4&with=stored" + after)
		all = append(all, p.Results...)
		if p.Head.Number != 6 || p.Last != 6 || p.Limit != 4 {
			t.Errorf("page %+v", p)
		}
		if p.Next == nil {
			if pages != 1 || p.Head.Hash != all[5].Hash {
				t.Errorf("%d pages before the last, head %v", pages, p.Head)
			}
			break
		}
		after = "&after=" + *p.Next
	}
	v := audit.NewVerifier(all[2].Hash)
	for _, r := range all {
		if audit.Hash([]byte(*r.Stored)) != r.Hash || !json.Valid([]byte(*r.Stored)) {
			t.Errorf("row %d: %s", r.Number, *r.Stored)
		}
		v.Add(r.Number, []byte(*r.Stored))
	}
	if r := v.Finish(6); len(r.Faults) > 0 || r.Rows != 6 {
		t.Errorf("%+v", r)
	}
	if list("").Results[0].Stored != nil {
		t.Error("the stored text was not asked for")
	}
	for _, query := range []string{"?user=", "?since=x", "?until=x", "?order=up", "?limit=0", "?after=x", "?after=", "?with=all", "?colour=red", "?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"} {
		e.call("GET", "/audit"+query, ``, admin...).code(400, "invalid_parameter")
	}
	for id, want := range map[string]int{"bob": 200, "eve": 403} {
		var token rest.Token
		e.call("POST", "/auth", `{"id":"`+id+`","password":"correct horse"}`).want(201).into(&token)
		e.call("GET", "/audit", ``, bearing(token.Token)...).want(want)
		e.call("GET", "/audit?app=b", ``, bearing(token.Token)...).want(want)
	}
}

// A login at a provider has a row when it ends, also if the browser is led on to
// a page that shows the failure.
func TestRowsOfLoginsAtAProvider(t *testing.T) {
	p := &fakeProvider{who: identity(map[string]string{bus.DefaultApp: bus.RoleWatcher})}
	e := providerEnv(t, p, func(c *Config) { c.AllowOrigin = "http://localhost:3000" })
	c := cookiesOf(t, e.call("GET", "/oauth/sso", "").want(302).header)[secureFlowCookie]
	const back = "/oauth/sso/cb?code=x&state=a+state"
	e.call("GET", back, "", "Cookie", c.Name+"="+c.Value).want(302)
	e.call("GET", back, "").want(302) // without the cookie
	p.who.Roles = nil
	e.call("GET", back, "", "Cookie", c.Name+"="+c.Value).want(302)
	e.call("POST", "/oauth/sso/token", `{"code":"x","code_verifier":"y"}`).want(404)
	want := []audit.Row{
		{User: "sso.ann", Action: "finish-login", Kind: "login", Name: "sso.ann"},
		{User: audit.Nobody, Action: "finish-login", Kind: "login", Code: "login_not_completed"},
		{User: audit.Nobody, Action: "finish-login", Kind: "login", Code: "no_role"},
		{User: audit.Nobody, Action: "redeem-login-code", Kind: "login", Code: "no_such_code"},
	}
	var all []audit.Stored
	eventually(t, "a row for each login", func() bool { all = e.rows(); return len(all) >= len(want) })
	for i, r := range all {
		if i >= len(want) || !sameRow(r.Row, want[i]) {
			t.Errorf("row %d: %+v, want %+v", i+1, r.Row, want[min(i, len(want)-1)])
		}
	}
	// The roles of the user come and go with the groups at the provider.
	for i, changes := range []int{1, 0, 1, 0} {
		if got := len(all[i].Changes); got != changes {
			t.Errorf("row %d has %d changes, want %d", i+1, got, changes)
		}
	}
}
