package httpapi

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/sse"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job may have any XML NCName: each route finds it by its name, and
// everything is kept under its key.
func TestJobNames(t *testing.T) {
	for _, name := range []string{"chunk-2.0", "夜間バッチ", "日次.集計・1", "a.b"} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			job, key := "/default/job/"+url.PathEscape(name), bus.NameKey(name)
			if got := e.call("PUT", job, jobNamed(name, `"exclusive":true`)).want(201).header.Get("Location"); got != job {
				t.Errorf("Location %s, want %s", got, job)
			}
			e.call("POST", "/default/jobs", jobNamed(name, `"exclusive":true`)).want(201)
			e.call("GET", strings.ToLower(job), "").want(200) // %e5 is %E5
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			events := e.listen(ctx, "/events?app=default&job="+url.QueryEscape(name), "Accept", sse.EventStream)

			id := e.start(url.PathEscape(name), "")
			e.call("POST", job+"/executions", "").code(409, "job_is_exclusive")
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			e.agent(key, id).says(subjects.Started, at).logs(0, at, "a line").says(subjects.Completed, at.Add(time.Second))
			one := fmt.Sprintf("%s/execution/%d", job, id)
			var x rest.Execution
			e.call("GET", one+"?wait=10s", "").want(200).into(&x)
			if x.Job != name || x.BatchStatus != subjects.Completed {
				t.Errorf("execution %+v", x)
			}
			if got := e.call("GET", one+"/log", "").want(200); !strings.Contains(string(got.body), "a line") {
				t.Errorf("log %q", got.body)
			}
			select {
			case ev := <-events:
				if !strings.Contains(ev.Data, `"job_name":"`+name+`"`) && !strings.Contains(ev.Data, name) {
					t.Errorf("event %+v", ev)
				}
			case <-time.After(10 * time.Second):
				t.Error("no event")
			}
			eventually(t, "the lock is free", func() bool {
				r := e.call("POST", job+"/executions", "", "Idempotency-Key", "k1")
				return r.status == 201 && strings.HasPrefix(r.header.Get("Location"), job+"/execution/")
			})
			e.call("POST", job+"/executions", "", "Idempotency-Key", "k1").want(201)
			e.call("PUT", fmt.Sprintf("%s/execution/%d/stop", job, id+1), "").want(200)

			if got := e.call("PUT", job+"/schedule", `{"cron_notation":"0 0 0 1 1 ? 2099"}`).want(201).header.Get("Location"); got != job+"/schedule" {
				t.Errorf("Location %s of the schedule", got)
			}
			e.call("PUT", job+"/schedule/pause", "").want(200)
			e.call("PUT", job+"/settings/time-monitor", `{"duration":5,"action":"stop"}`).want(200)
			var jobs rest.List[rest.Job]
			e.call("GET", "/default/jobs?q="+url.QueryEscape(name[:3]), "").want(200).into(&jobs)
			if jobs.Hits != 1 || jobs.Results[0].Name != name || jobs.Results[0].Schedule == nil {
				t.Errorf("a search for it: %+v", jobs)
			}
			if r := e.call("GET", job, "", "Accept", "application/edn").want(200); !strings.Contains(string(r.body), `:job/name "`+name+`"`) {
				t.Errorf("in EDN %s", r.body)
			}
			if r := e.call("GET", job+"/definition", "", "Accept", "application/xml").want(200); !strings.Contains(string(r.body), ` id="`+name+`"`) {
				t.Errorf("in XML %s", r.body)
			}

			// Renamed there and back, it is the same job.
			e.call("PUT", job, jobNamed("plain")).want(200)
			e.call("GET", job, "").code(404, "no_such_job")
			e.call("DELETE", "/default/job/plain?keep=history", "").code(409, "job_renamed")
			e.call("PUT", "/default/job/plain", jobNamed(name)).want(200)
			e.call("DELETE", job+"?keep=history", "").want(204)
			e.call("GET", job, "").code(404, "no_such_job")
			var list rest.List[rest.ExecutionSummary]
			e.call("GET", job+"/executions", "").want(200).into(&list)
			if list.Hits != 2 || list.Results[0].Job != name {
				t.Errorf("history of the job that was deleted: %+v", list)
			}
			e.call("DELETE", job+"/executions", "").want(204)
			left, err := e.bus.Jobs.List(t.Context(), ">")
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// What cannot be a job's name is refused by the rule, wherever it stands.
func TestNoJobNames(t *testing.T) {
	e := newEnv(t)
	for _, name := range []string{"a b", ".a", "a:b", "1.5", "a*", "a/b", strings.Repeat("夜", 129)} {
		path := "/default/job/" + url.PathEscape(name)
		for _, r := range []*reply{
			e.call("PUT", path, jobNamed("a")), e.call("GET", path, ""), e.call("DELETE", path, ""), e.call("POST", path+"/executions", ""),
		} {
			r.code(422, "invalid_parameter")
			var p struct{ Errors []rest.Fault }
			if r.into(&p); len(p.Errors) != 1 || p.Errors[0].Parameter != "job" || !strings.Contains(p.Errors[0].Detail, "want an XML NCName") {
				t.Errorf("%s: %s", r.asked, r.body)
			}
		}
		if r := e.call("POST", "/default/jobs", jobNamed(name)).want(422); !strings.Contains(string(r.body), "want an XML NCName") {
			t.Errorf("POST of %q: %s", name, r.body)
		}
	}
	e.call("PUT", "/default/job/"+bus.NameKey("a.b"), jobNamed(bus.NameKey("a.b"))).code(422, "invalid_body")
	e.call("GET", "/default/job/a.b", "").code(404, "no_such_job")
}
