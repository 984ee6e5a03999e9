package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func jobNamed(name string, more ...string) string {
	return `{"id":"` + name + `","steps":[{"id":"s","batchlet":{"ref":"x"}}]` + strings.Join(append([]string{""}, more...), ",") + `}`
}

func TestApps(t *testing.T) {
	e := newEnv(t)
	e.call("GET", "/default/jobs", "").want(200) // it is always there
	e.call("PUT", "/app/default", `{"description":"ours"}`).want(200)
	e.call("POST", "/apps", `{"name":"a1"}`).want(201)
	e.call("POST", "/apps", `{"name":"a1","description":"again"}`).want(201)
	e.call("POST", "/apps", `{"name":"a1"}`, "If-None-Match", "*").code(409, "conflict")
	e.call("PUT", "/app/a1", `{"description":"thrice"}`).want(200)
	e.call("PUT", "/app/a1", `{"name":"other"}`).code(422, "invalid_body")
	e.call("PUT", "/app/a%20b", `{}`).code(422, "invalid_body")
	e.call("PUT", "/app/a2", `{}`).want(201)
	e.call("GET", "/app/none", "").code(404, "no_such_app")
	e.call("GET", "/none/jobs", "").code(404, "no_such_app")
	e.call("GET", "/none/stats", "").code(404, "no_such_app")
	e.call("POST", "/none/jobs", job1).code(404, "no_such_app")
	e.call("POST", "/none/job/x/executions", "").code(404, "no_such_app")
	for _, name := range append(reserved, "", "a.b", "a b", "ä", strings.Repeat("a", 129)) {
		body, _ := json.Marshal(rest.App{Name: name})
		r := e.call("POST", "/apps", string(body)).code(422, "invalid_body")
		if !strings.Contains(string(r.body), `"pointer":"/name"`) {
			t.Errorf("POST /apps %s = %s, want the pointer /name", body, r.body)
		}
	}
	e.call("POST", "/a1/jobs", job1).want(201)
	e.call("DELETE", "/app/a1", "").code(409, "app_in_use")
	e.call("DELETE", "/app/a2", "").want(204)
	e.call("GET", "/app/a2", "").code(404, "no_such_app")
	e.call("DELETE", "/app/a2", "").code(404, "no_such_app")
	e.call("DELETE", "/app/default", "").code(409, "app_in_use")
}

func TestJobs(t *testing.T) {
	e := newEnv(t)
	tag := e.call("POST", "/default/jobs", jobNamed("a")).want(201).header.Get("ETag")
	e.call("POST", "/default/jobs", jobNamed("a"), "If-None-Match", "*").code(409, "conflict")
	newer := e.call("PUT", "/default/job/a", jobNamed("a", `"restartable":false`), "If-Match", tag).want(200).header.Get("ETag")
	e.call("PUT", "/default/job/a", jobNamed("a"), "If-Match", tag).code(412, "precondition_failed")
	e.call("PUT", "/default/job/a", jobNamed("a"), "If-Match", "nonsense").code(400, "invalid_parameter")
	e.call("DELETE", "/default/job/a", "", "If-Match", tag).code(412, "precondition_failed")
	e.call("PUT", "/default/job/b", jobNamed("b"), "If-Match", "*").code(412, "precondition_failed")
	e.call("PUT", "/default/job/b", jobNamed("b")).want(201)
	r := e.call("GET", "/default/job/a", "").want(200)
	if got := r.header.Get("ETag"); got != newer {
		t.Errorf("ETag = %s, want %s", got, newer)
	}
	var j rest.Job
	if r.into(&j); j.Restartable {
		t.Errorf("restartable = true of %s", r.body)
	}
	t.Run("what GET gives may be PUT again", func(t *testing.T) {
		e.call("PUT", "/default/job/a", string(j.Definition.JSON), "If-Match", newer).want(200)
	})
	e.call("DELETE", "/default/job/b", "").want(204)
	e.call("GET", "/default/job/b", "").code(404, "no_such_job")
	e.call("DELETE", "/default/job/b", "").code(404, "no_such_job")
	e.call("GET", "/default/job/a%2Fb", "").code(422, "invalid_parameter")
	e.call("GET", "/default/job/*", "").code(422, "invalid_parameter")
	e.call("GET", "/de.ault/job/a", "").code(404, "no_such_app")
}

func TestJobsWithHistory(t *testing.T) {
	e := newEnv(t)
	now := time.Now()
	for _, name := range []string{"gone", "kept"} {
		e.call("POST", "/default/jobs", jobNamed(name)).want(201)
		e.call("PUT", "/default/job/"+name+"/schedule", `{"cron_notation":"0 0 0 1 1 ? 2099"}`).want(201)
		id := e.start(name, "")
		e.call("DELETE", "/default/job/"+name, "").code(409, "job_execution_is_running")
		e.agent(name, id).says(subjects.Started, now).says(subjects.Completed, now)
		e.call("GET", fmt.Sprint("/default/execution/", id, "?wait=10s"), "").want(200)
	}
	e.call("DELETE", "/default/job/gone", "").want(204)
	e.call("GET", "/default/job/gone/executions", "").code(404, "no_such_job")
	e.call("GET", "/default/execution/1", "").code(404, "no_such_job_execution")
	e.call("DELETE", "/default/job/kept?keep=history", "").want(204)
	e.call("GET", "/default/job/kept", "").code(404, "no_such_job")
	var list rest.List[rest.ExecutionSummary]
	if e.call("GET", "/default/job/kept/executions", "").want(200).into(&list); list.Hits != 1 {
		t.Errorf("%d executions kept, want 1", list.Hits)
	}
	e.call("GET", "/default/execution/2", "").want(200)
	e.call("DELETE", "/default/job/kept/executions", "").want(204)
	e.call("GET", "/default/job/kept/executions", "").code(404, "no_such_job")
}

func TestExecutions(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.call("POST", "/default/jobs", jobNamed("x", `"exclusive":true`)).want(201)

	t.Run("a key starts one", func(t *testing.T) {
		one := e.call("POST", "/default/job/a/executions", `{"parameters":{"n":"1"}}`, "Idempotency-Key", "k1").want(201)
		two := e.call("POST", "/default/job/a/executions", `{"parameters":{"n":"1"}}`, "Idempotency-Key", "k1").want(201)
		if a, b := one.header.Get("Location"), two.header.Get("Location"); a == "" || a != b {
			t.Errorf("Location %s, then %s", a, b)
		}
		if one.header.Get("Idempotency-Replayed") != "" || two.header.Get("Idempotency-Replayed") != "true" {
			t.Error("only the second answer is replayed")
		}
		e.call("POST", "/default/job/a/executions", `{}`, "Idempotency-Key", "k1").code(409, "idempotency_key_reused")
		e.call("POST", "/default/job/a/executions", "", "Idempotency-Key", strings.Repeat("k", 256)).code(400, "invalid_parameter")
	})
	t.Run("an exclusive job runs once", func(t *testing.T) {
		e.start("x", "")
		e.call("POST", "/default/job/x/executions", "").code(409, "job_is_exclusive")
	})
	t.Run("a wait ends with the execution", func(t *testing.T) {
		id := e.start("a", "")
		time.AfterFunc(200*time.Millisecond, func() {
			now := time.Now()
			e.agent("a", id).says(subjects.Started, now).says(subjects.Completed, now)
		})
		var v rest.Execution
		e.call("GET", fmt.Sprintf("/default/job/a/execution/%d?wait=30m", id), "").want(200).into(&v)
		if v.BatchStatus != subjects.Completed {
			t.Errorf("%s, want completed", v.BatchStatus)
		}
	})
	t.Run("a wait ends when its time is up", func(t *testing.T) {
		var v rest.Execution
		e.call("POST", "/default/job/a/executions?wait=50ms", "").want(201).into(&v)
		if v.BatchStatus != subjects.Undispatched {
			t.Errorf("%s, want undispatched", v.BatchStatus)
		}
	})
	for _, wait := range []string{"x", "-1s", "2h", "1e9", "99999999999999999999"} {
		e.call("POST", "/default/job/a/executions?wait="+wait, "").code(400, "invalid_parameter")
	}
	t.Run("stop, restart and abandon", func(t *testing.T) {
		id := e.start("a", "")
		at := fmt.Sprintf("/default/job/a/execution/%d", id)
		e.call("PUT", at+"/restart", "").code(409, "job_execution_is_running")
		var v rest.Execution
		if e.call("PUT", at+"/stop", "").want(200).into(&v); v.BatchStatus != subjects.Stopped || v.ExitStatus == nil {
			t.Errorf("%s %v after stop of one that waits, want stopped with an exit status", v.BatchStatus, v.ExitStatus)
		}
		e.call("PUT", at+"/stop", "").code(409, "job_execution_not_running")
		var again rest.Execution
		e.call("PUT", at+"/restart", `{"parameters":{"n":"2"}}`).want(201).into(&again)
		if again.ExecutionID == id || again.InstanceID != v.InstanceID || again.RestartOf == nil || *again.RestartOf != id {
			t.Errorf("restarted as %+v", again)
		}
		e.call("PUT", at+"/restart", "").code(409, "job_execution_not_most_recent")
		for _, restart := range []struct{ body, want string }{
			{"", "map[n:2]"}, {`{}`, "map[n:2]"}, {`{"parameters":{"m":"3"}}`, "map[m:3]"}, {`{"parameters":{}}`, "map[]"}, {"", "map[]"},
		} {
			before := fmt.Sprintf("/default/job/a/execution/%d", again.ExecutionID)
			e.call("PUT", before+"/stop", "").want(200)
			again = rest.Execution{}
			e.call("PUT", before+"/restart", restart.body).want(201).into(&again)
			if got := fmt.Sprint(again.JobParameters); got != restart.want {
				t.Errorf("restarted with %s it has the parameters %s, want %s", restart.body, got, restart.want)
			}
		}
		e.call("POST", "/default/job/a/executions", `{"parameters":{"who":"1","WHO":"2"}}`).code(422, "invalid_body")
		e.call("PUT", fmt.Sprintf("/default/job/a/execution/%d/abandon", again.ExecutionID), "").want(200).into(&v)
		if v.BatchStatus != subjects.Abandoned {
			t.Errorf("%s, want abandoned", v.BatchStatus)
		}
		e.call("PUT", fmt.Sprintf("/default/job/a/execution/%d/restart", again.ExecutionID), "").code(409, "job_restart")
	})
	t.Run("those of a job with restartable=false are not restarted", func(t *testing.T) { // 8.1
		e.call("POST", "/default/jobs", jobNamed("never", `"restartable":false`)).want(201)
		at := fmt.Sprintf("/default/job/never/execution/%d", e.start("never", ""))
		e.call("PUT", at+"/stop", "").want(200)
		e.call("PUT", at+"/restart", "").code(409, "job_restart")
	})
	t.Run("completed ones are not restarted", func(t *testing.T) {
		id, now := e.start("a", ""), time.Now()
		e.agent("a", id).says(subjects.Started, now).says(subjects.Completed, now)
		at := fmt.Sprintf("/default/job/a/execution/%d", id)
		e.call("GET", at+"?wait=10s", "").want(200)
		e.call("PUT", at+"/restart", "").code(409, "job_execution_already_complete")
		e.call("PUT", at+"/stop", "").code(409, "job_execution_not_running")
	})
	for _, id := range []string{"0", "-1", "abc", "1.5", "99999", "99999999999999999999", "*", "1%2F2"} {
		e.call("GET", "/default/job/a/execution/"+id, "").code(404, "no_such_job_execution")
		e.call("GET", "/default/execution/"+id, "").code(404, "no_such_job_execution")
		e.call("PUT", "/default/job/a/execution/"+id+"/stop", "").code(404, "no_such_job_execution")
		e.call("PUT", "/default/job/a/execution/"+id+"/restart", "").code(404, "no_such_job_execution")
		e.call("GET", "/default/job/a/execution/"+id+"/log", "").code(404, "no_such_job_execution")
	}
	e.call("GET", "/default/job/x/execution/1", "").code(404, "no_such_job_execution") // it is a's
	e.call("POST", "/default/job/none/executions", "").code(404, "no_such_job")
}

func TestSchedules(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := "/default/job/a/schedule"
	e.call("PUT", at+"/pause", "").code(404, "no_such_schedule")
	e.call("DELETE", at, "").code(404, "no_such_schedule")
	e.call("PUT", "/default/job/b/schedule", `{"cron_notation":"0 0 3 * * ?"}`).code(404, "no_such_job")
	e.call("POST", at, `{"cron_notation":"0 0 25 * * ?","time_zone":"Mars/Olympus","calendar":"c","substitution":true,"misfire":"x","misfire_after":"60"}`).code(422, "invalid_body").shape("problem-schedule")
	for _, after := range []string{"60", "0s", "999ms", "-5s", "25h", "soon", "1s 5s", "NaNs"} {
		e.call("PUT", at, `{"cron_notation":"0 0 3 * * ?","misfire_after":"`+after+`"}`).code(422, "invalid_body")
	}
	var kept rest.Schedule
	if e.call("PUT", at, `{"cron_notation":"0 0 3 * * ?","misfire_after":"5m"}`).want(201).into(&kept); kept.MisfireAfter != "5m" {
		t.Errorf("misfire_after is %q, want 5m as it was sent", kept.MisfireAfter)
	}
	if e.call("PUT", at+"/pause", "").want(200).into(&kept); kept.MisfireAfter != "5m" {
		t.Errorf("misfire_after is %q after a pause, want 5m", kept.MisfireAfter)
	}
	e.call("DELETE", at, "").want(204)
	e.call("POST", at, "").code(422, "invalid_body")
	e.call("POST", at, `{"cron_notation":"0 0 3 30 2 ?"}`).code(422, "invalid_body") // never
	e.call("PUT", at, `{"cron_notation":"0 0 3 * * ?"}`).want(201)
	e.call("PUT", at, `{"cron_notation":"0 0 4 * * ?"}`).want(200)
	e.call("POST", at, `{"cron_notation":"0 0 5 * * ?"}`).want(201)
	var s rest.Schedule
	if e.call("PUT", at+"/pause", "").want(200).into(&s); s.Active {
		t.Error("active after pause")
	}
	var j rest.Job
	if e.call("GET", "/default/job/a", "").want(200).into(&j); j.NextExecution != nil || j.Schedule == nil {
		t.Errorf("a paused job has the schedule %v and the next execution %v", j.Schedule, j.NextExecution)
	}
	if e.call("PUT", at+"/resume", "").want(200).into(&s); !s.Active {
		t.Error("not active after resume")
	}
	if e.call("GET", "/default/job/a", "").want(200).into(&j); j.NextExecution == nil || j.NextExecution.StartTime.Std().Hour() != 5 {
		t.Errorf("next execution %v, want one at 5 o'clock", j.NextExecution)
	}
	e.call("DELETE", at, "").want(204)
	e.call("GET", at, "").code(405, "method_not_allowed")
}

func TestAgents(t *testing.T) {
	e := newEnv(t)
	e.call("GET", "/agent/none", "").code(404, "no_such_agent")
	e.call("PUT", "/agent/none/block", "").code(404, "no_such_agent")
	h := subjects.Heartbeat{
		Agent: "a1", Life: "l", Status: subjects.AgentReady, Version: "1.0", Host: "h", OS: "Linux", Arch: "amd64", Cores: 2,
		Apps: []string{"default"}, Pools: []string{"default"}, Slots: 4, IntervalMS: 1000, StartTime: subjects.Now(),
	}
	data, _ := json.Marshal(h)
	if err := e.sendHeartbeat("a1", data); err != nil {
		t.Fatal(err)
	}
	r := e.call("GET", "/agent/a1", "").want(200).shape("agent")
	var a rest.Agent
	r.into(&a)
	e.call("GET", "/agent/"+a.InstanceID, "").want(200)
	e.call("GET", "/agents", "").want(200).shape("agents")
	eventually(t, "the agent is kept", func() bool {
		_, err := e.bus.Agents.Get(t.Context(), "a1")
		return err == nil
	})
	if e.call("PUT", "/agent/a1/block", "").want(200).into(&a); a.Status != "blocked" || a.BlockedSince.IsZero() || a.BlockedBy != nil {
		t.Errorf("%s after block", a.Status)
	}
	if e.call("PUT", "/agent/a1/unblock", "").want(200).into(&a); a.Status != "ready" {
		t.Errorf("%s after unblock", a.Status)
	}
	var stats rest.AppStats
	if e.call("GET", "/default/stats", "").want(200).into(&stats); stats.Agents != 1 {
		t.Errorf("%d agents, want 1", stats.Agents)
	}
}

func TestIfMatchRace(t *testing.T) {
	e := newEnv(t)
	tag := e.call("POST", "/default/jobs", jobNamed("a")).want(201).header.Get("ETag")
	const rounds, writers = 10, 2
	for range rounds {
		var won, lost atomic.Int32
		var tags sync.Map
		var g sync.WaitGroup
		for range writers {
			g.Go(func() {
				r, err := http.NewRequest("PUT", e.http.URL+"/default/job/a", strings.NewReader(jobNamed("a")))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("If-Match", tag)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				switch res.StatusCode {
				case 200:
					won.Add(1)
					tags.Store("tag", res.Header.Get("ETag"))
				case 412:
					lost.Add(1)
				default:
					t.Errorf("PUT = %d, want 200 or 412", res.StatusCode)
				}
			})
		}
		g.Wait()
		if won.Load() != 1 || lost.Load() != writers-1 {
			t.Fatalf("%d of %d won, want 1", won.Load(), writers)
		}
		v, _ := tags.Load("tag")
		tag = v.(string)
	}
}

func TestRequests(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	exec := "/default/job/a/executions"
	e.call("GET", "/nowhere/at/all", "").code(404, "no_such_route")
	if r := e.call("PATCH", "/apps", "").code(405, "method_not_allowed"); !strings.Contains(r.header.Get("Allow"), "POST") {
		t.Errorf("Allow: %q", r.header.Get("Allow"))
	}
	e.call("GET", "/apps", "", "Accept", "application/xml").code(406, "not_acceptable")
	e.call("GET", "/nowhere/at/all", "", "Accept", "application/xml").code(404, "no_such_route")
	e.call("POST", exec, "{}", "Content-Type", "application/xml").code(415, "unsupported_media_type")
	e.call("POST", exec, "{}", "Content-Type", "application/json", "Content-Encoding", "gzip").code(415, "unsupported_media_type")
	e.call("POST", exec, "", "Content-Type", "text/plain").want(201)
	e.call("POST", exec, "", "Content-Type", "application/json").want(201)
	e.call("POST", exec, "{").code(400, "malformed_body")
	e.call("POST", exec+"?wait=x", `{"nope":1}`).code(422, "invalid_body")
	for _, page := range []string{"limit=0", "limit=1001", "limit=abc", "offset=-1", "limit=1&offset=x"} {
		e.call("GET", "/default/jobs?"+page, "").code(400, "invalid_parameter")
		e.call("GET", exec+"?"+page, "").code(400, "invalid_parameter")
		e.call("GET", "/agents?"+page, "").code(400, "invalid_parameter")
	}
	e.call("GET", "/default/jobs?p=1&q&sort-by", "", console...).want(200)
	t.Run("a refused Accept does nothing", func(t *testing.T) {
		e.call("POST", exec, "", "Accept", "application/xml").code(406, "not_acceptable")
		var list rest.List[rest.ExecutionSummary]
		if e.call("GET", exec, "").into(&list); list.Hits != 2 {
			t.Errorf("%d executions, want the 2 from before", list.Hits)
		}
	})
	t.Run("bodies over 4 MiB", func(t *testing.T) {
		huge := `{"parameters":{"a":"` + strings.Repeat("x", maxBody) + `"}}`
		e.call("POST", exec, huge).code(413, "body_too_large")
		e.call("POST", "/default/jobs", huge).code(413, "body_too_large")
	})
	t.Run("a body of just 4 MiB", func(t *testing.T) {
		e.call("POST", "/default/jobs", jobNamed("big", `"properties":{"a":"`+strings.Repeat("x", maxBody-200)+`"}`)).want(201)
	})
	t.Run("a definition and parameters that together outgrow the limit of NATS", func(t *testing.T) {
		e.call("POST", "/default/job/big/executions", `{"parameters":{"a":"`+strings.Repeat("x", maxBody-200)+`"}}`).code(413, "body_too_large")
	})
	t.Run("what is no UTF-8 is refused by a problem like any other", func(t *testing.T) {
		e.call("GET", "/default/job/%FF", "").code(422, "invalid_parameter")
		e.call("GET", "/%FF/jobs", "").code(404, "no_such_app")
		e.call("GET", "/agent/%FF", "").code(404, "no_such_agent")
		e.call("GET", "/%FF/execution/1/log", "").code(404, "no_such_app")
		e.call("GET", "/*/execution/1/log", "").code(404, "no_such_app")
		e.call("GET", "/*/executions", "").code(404, "no_such_app")
		e.call("GET", "/*/deployments", "").code(404, "no_such_app")
		e.call("GET", "/default/jobs?limit=%FF", "").code(400, "invalid_parameter")
		e.call("GET", "/events", "", "Last-Event-ID", "\xff").code(400, "invalid_parameter")
	})
	t.Run("all codec.Faults of a body at once, of its types and of its values", func(t *testing.T) {
		var p struct{ Errors []struct{ Pointer string } }
		e.call("POST", "/default/job/a/schedule", `{"cron_notation":7,"time_zone":"Mars/X","misfire":"foo","z":1}`).want(422).into(&p)
		if len(p.Errors) != 4 {
			t.Errorf("%d codec.Faults of a schedule, want 4: %v", len(p.Errors), p.Errors)
		}
		e.call("POST", "/apps", `{"name":"a.b","description":5,"x":1}`).want(422).into(&p)
		if len(p.Errors) != 3 {
			t.Errorf("%d codec.Faults of an application, want 3: %v", len(p.Errors), p.Errors)
		}
	})
	t.Run("HEAD is GET without a body", func(t *testing.T) {
		if r := e.call("HEAD", "/default/job/a", "").want(200); len(r.body) > 0 || r.header.Get("ETag") == "" {
			t.Errorf("HEAD = %q, %v", r.body, r.header)
		}
	})
}

func TestSearch(t *testing.T) {
	e := newEnv(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, name := range []string{"night", "nightly", "import", "Import2", "idle"} {
		e.call("POST", "/default/jobs", jobNamed(name)).want(201)
		if name == "idle" {
			continue
		}
		id, end := e.start(name, ""), subjects.Completed
		if name == "import" {
			end = subjects.Failed
		}
		began := at.AddDate(0, 0, i)
		e.agent(name, id).says(subjects.Started, began).says(end, began.Add(time.Duration(10-i)*time.Second))
		e.call("GET", fmt.Sprint("/default/execution/", id, "?wait=10s"), "").want(200)
	}
	for query, want := range map[string]string{
		"":                                    "Import2 idle import night nightly",
		"limit=2":                             "Import2 idle",
		"limit=2&offset=3":                    "import night",
		"limit=2&offset=0":                    "Import2 idle",
		"offset=99":                           "",
		"q=night":                             "night nightly",
		"q=ly+Import":                         "Import2 nightly",
		"q=batch-status:failed":               "import",
		"q=batch_status:COMPLETED+n":          "night nightly",
		"q=exit-status:comp":                  "Import2 night nightly",
		"q=since:2026-01-04":                  "Import2 import",
		"q=since:2026-01-03+until:2026-01-04": "import nightly",
		"q=until:2026-01-02":                  "night",
		"q=batch-status:unknown":              "",
		"with=execution,+settings&q=idle":     "idle",
		"sort_by=name:desc":                   "nightly night import idle Import2",
		"sort-by=last-execution-started":      "idle night nightly import Import2",
		"sort_by=last_execution_started:desc": "Import2 import nightly night idle",
		"sort_by=last_execution_duration":     "idle Import2 import nightly night",
		"sort_by=last_execution_status,name":  "idle Import2 night nightly import",
		"sort_by=next_execution_start":        "Import2 idle import night nightly",
	} {
		var list rest.List[rest.Job]
		// v1 clients write sort-by.
		e.call("GET", "/default/jobs?"+query, "", "Content-Type", "application/edn", "Accept", "application/json").want(200).into(&list)
		var names []string
		for _, j := range list.Results {
			names = append(names, j.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("GET /default/jobs?%s = %s, want %s", query, got, want)
		}
	}
	for _, by := range []string{"nope", "name:up", "name,,", ":"} {
		e.call("GET", "/default/jobs?sort_by="+by, "").code(400, "invalid_parameter")
		e.call("GET", "/default/jobs?sort-by="+by, "").code(400, "invalid_parameter")
	}
	known, day := "q: want since:, until:, batch-status: or exit-status:", "q: want a date in UTC, such as 2026-11-24"
	for query, want := range map[string]string{
		"q=status:failed":              known + ", or a part of a job's name, got status:failed",
		"q=night+pool:a2":              known,
		"q=:failed":                    known,
		"q=since:today":                day + ", got since:today",
		"q=since:2026-13-01":           day,
		"q=until:":                     day,
		"q=batch-status:fail":          "q: want batch-status: with one of registered, undispatched, unrestarted, queued, starting, started, stopping, unknown, stopped, failed, completed, abandoned, got batch-status:fail",
		"q=exit-status:":               "q: want part of an exit status after exit-status:",
		"with=exekution":               "with: want execution, notation, schedule, settings, got exekution",
		"q=since:today+status:failed":  "the request has 2 faults",
		"q=since:today&sort_by=newest": "the request has 2 faults",
	} {
		for _, path := range []string{"/default/jobs", "/default/jobs/download"} {
			r := e.call("GET", path+"?"+query, "", "Accept", "application/json").code(400, "invalid_parameter")
			if !strings.Contains(string(r.body), want) {
				t.Errorf("GET %s?%s = %s, want %s", path, query, r.body, want)
			}
		}
	}
}

// TestAway: what needs NATS is 503, what is in memory is still answered.
func TestAway(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.call("GET", "/healthcheck", "").want(200)
	e.bus.NC.Close()
	if r := e.call("GET", "/healthcheck", "").code(503, "unavailable"); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	e.call("PUT", "/default/job/a", jobNamed("a")).code(503, "unavailable")
	e.call("POST", "/default/job/a/executions", "").want(503)
	e.call("GET", "/default/job/a/execution/1", "").want(503)
	e.call("GET", "/events", "").code(503, "unavailable")
	e.call("GET", "/default/jobs", "").want(200) // from memory
}

func TestFailures(t *testing.T) {
	post := func(s *Server) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/default/job/JOB-1/executions", nil))
		return w
	}
	t.Run("an outcome that is not known names the execution", func(t *testing.T) {
		s, f := fakeServer()
		f.err = fmt.Errorf("submit: %w", bus.ErrUnknown)
		w := post(s)
		if w.Code != 503 || !strings.Contains(w.Body.String(), `"execution_id":4711`) || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("a panic is a problem", func(t *testing.T) {
		s, _ := fakeServer()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/agents", nil)) // the fake has none
		if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("what nobody foresaw tells nothing", func(t *testing.T) {
		s, f := fakeServer()
		f.submitted, f.err = nil, fmt.Errorf("secret")
		if w := post(s); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
