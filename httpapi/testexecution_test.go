package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The diagram editor tries a diagram, and asks each second how far it is.
func TestTestExecution(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", job1).want(201)
	other := e.start("JOB-1", "")
	text := `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(diagram) + `"`
	run := func(rows ...exchange) {
		t.Helper()
		for _, x := range rows {
			x.run(t, e)
		}
	}
	run(
		exchange{name: "no diagram", method: "POST", path: "/test-executions", body: `{:bpmn "<a/>"}`, status: 400, want: any_ + "/bpmn: want" + any_},
		exchange{name: "tried", method: "POST", path: "/test-executions", body: `{:bpmn ` + text + `}`, status: 201, want: `\{:state-id 2\}`},
		exchange{name: "without an agent it says so", method: "GET", path: "/test-execution/2", status: 200, want: `\{:batch-status :batch-status/undispatched :log-message "no agent serves the application .*"\}`},
		exchange{name: "it is no job", method: "GET", path: "/default/jobs?q=test", status: 200, want: `\{:results \[\] .*`},
		exchange{name: "an execution of a job", method: "GET", path: fmt.Sprint("/test-execution/", other), status: 404, want: any_},
		exchange{name: "what nobody began", method: "GET", path: "/test-execution/99", status: 404, want: any_},
		exchange{name: "no number", method: "DELETE", path: "/test-execution/x", status: 404, want: any_},
	)
	rec, err := e.bus.Executions.Get(t.Context(), "default."+testJob+".2")
	if err != nil || !strings.Contains(string(rec.Value.Definition), v1.TestBatchlet) || strings.Contains(string(rec.Value.Definition), "echo") {
		t.Errorf("the definition is %s, %v", rec.Value.Definition, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := e.agent(testJob, 2).says(subjects.Started, at)
	eventually(t, "it is started", func() bool {
		return string(e.call("GET", "/test-execution/2", "", console...).body) == `{:batch-status :batch-status/started}`
	})
	a.says(subjects.Failed, at.Add(time.Second))
	eventually(t, "it failed", func() bool {
		return strings.Contains(string(e.call("GET", "/test-execution/2", "", console...).body), ":batch-status/failed")
	})
	run(
		exchange{name: "why it failed", method: "GET", path: "/test-execution/2", status: 200, want: `\{:batch-status :batch-status/failed :log-message "[^"]+" :log-exception "java.lang.IllegalStateException: no input"\}`},
		exchange{name: "forgotten", method: "DELETE", path: "/test-execution/2", status: 204, want: ``},
		exchange{name: "it is not there any more", method: "GET", path: "/test-execution/2", status: 404, want: any_},
		exchange{name: "another", method: "POST", path: "/test-executions", body: `{:bpmn ` + text + `}`, status: 201, want: `\{:state-id 3\}`},
		exchange{name: "forgotten while it waits", method: "DELETE", path: "/test-execution/3", status: 204, want: ``},
		exchange{name: "it is gone, too", method: "GET", path: "/test-execution/3", status: 404, want: any_},
	)
}

// A test runs in the application default, and takes slots there.
func TestWhoMayTestDiagrams(t *testing.T) {
	e := newEnv(t, withLogin)
	operator, watcher := e.user("ops1", bus.RoleOperator), e.user("eve", bus.RoleWatcher)
	if err := e.logins.Add(t.Context(), "bill", password, map[string]string{"billing": bus.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	other, err := e.logins.Login(t.Context(), login.Attempt{ID: "bill", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(rest.TestExecution{BPMN: diagram})
	for _, c := range []struct {
		who         login.Secrets
		method      string
		path        string
		want        int
		description string
	}{
		{operator, "POST", "/test-executions", 201, "an operator"},
		{watcher, "POST", "/test-executions", 403, "a watcher"},
		{other, "POST", "/test-executions", 403, "an admin of another application"},
		{watcher, "GET", "/test-execution/1", 200, "a watcher who looks"},
		{other, "GET", "/test-execution/1", 403, "an admin of another application who looks"},
		{watcher, "DELETE", "/test-execution/1", 403, "a watcher who ends it"},
		{operator, "DELETE", "/test-execution/1", 204, "an operator who ends it"},
	} {
		body := ""
		if c.method == "POST" {
			body = string(text)
		}
		if r := e.call(c.method, c.path, body, append([]string{"Content-Type", "application/json"}, bearing(c.who.Token)...)...); r.status != c.want {
			t.Errorf("%s: %s = %d %s, want %d", c.description, r.asked, r.status, r.body, c.want)
		}
	}
}
