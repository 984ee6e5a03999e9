package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job is renamed while one execution runs, with a schedule and a history, and
// its old name is given to another at once.
func TestRename(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("night", `"exclusive":true`)).want(201)
	e.call("PUT", "/default/job/night/schedule", `{"cron_notation":"0 0 0 1 1 ? 2099"}`).want(201)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ended := e.start("night", "")
	e.agent("night", ended).says(subjects.Started, at).says(subjects.Failed, at.Add(time.Second))
	e.call("GET", fmt.Sprintf("/default/job/night/execution/%d?wait=10s", ended), "").want(200)
	eventually(t, "the lock is free", func() bool {
		return e.call("POST", "/default/job/night/executions", "").status == 201
	})
	running := ended + 1
	a := e.agent("night", running).says(subjects.Started, at).logs(0, at, "before")

	var was, is rest.Job
	e.call("GET", "/default/job/night", "").want(200).into(&was)
	tag := e.call("PUT", "/default/job/night", jobNamed("late", `"exclusive":true`)).want(200).header.Get("ETag")
	if got := e.call("GET", "/default/job/late", "").want(200); got.header.Get("ETag") != tag {
		t.Errorf("ETag %s of the job that was renamed, want %s", got.header.Get("ETag"), tag)
	} else {
		got.into(&is)
	}
	if is.Name != "late" || is.DBID != was.DBID || is.Schedule == nil || is.NextExecution == nil || is.Stats.Total != 2 ||
		is.CreateTime != was.CreateTime || is.LatestExecution.ExecutionID != running || is.LatestExecution.Job != "late" {
		t.Errorf("renamed: %+v, was %+v", is, was)
	}
	for _, path := range []string{"", "/definition", "/executions", "/settings", fmt.Sprintf("/execution/%d", ended)} {
		e.call("GET", "/default/job/night"+path, "").code(404, "no_such_job")
	}
	e.call("POST", "/default/job/night/executions", "").code(404, "no_such_job")
	e.call("POST", "/default/job/late/executions", "").code(409, "job_is_exclusive")

	// The old name is another job's, with a history of its own.
	e.call("PUT", "/default/job/night", jobNamed("night")).want(201)
	other := e.start("night", "")
	if got := e.call("GET", "/default/job/late", "").want(200).header.Get("ETag"); got != tag {
		t.Errorf("ETag %s after another job got the old name, want %s: nobody edited it", got, tag)
	}
	e.call("PUT", "/default/job/late", jobNamed("late", `"exclusive":true`), "If-Match", tag).want(200)
	e.call("GET", fmt.Sprintf("/default/job/night/execution/%d", running), "").code(404, "no_such_job_execution")
	for job, want := range map[string]string{"late": fmt.Sprint(running, ended), "night": fmt.Sprint(other)} {
		var page rest.List[rest.ExecutionSummary]
		e.call("GET", "/default/job/"+job+"/executions", "").want(200).into(&page)
		got := ""
		for _, x := range page.Results {
			got += fmt.Sprint(" ", x.ExecutionID)
			if x.Job != job {
				t.Errorf("execution %d of %s is shown as one of %s", x.ExecutionID, job, x.Job)
			}
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("executions of %s:%s, want %s", job, got, want)
		}
	}

	// What ran goes on.
	a.logs(0, at, "after").says(subjects.Completed, at.Add(time.Minute))
	var x rest.Execution
	e.call("GET", fmt.Sprintf("/default/job/late/execution/%d?wait=10s", running), "").want(200).into(&x)
	if x.BatchStatus != subjects.Completed || x.Job != "late" {
		t.Errorf("the one that ran: %+v", x)
	}
	if log := string(e.call("GET", fmt.Sprintf("/default/job/late/execution/%d/log", running), "").want(200).body); !strings.Contains(log, "before") || !strings.Contains(log, "after") {
		t.Errorf("log: %q", log)
	}
	location := e.call("PUT", fmt.Sprintf("/default/job/late/execution/%d/restart", ended), "")
	eventually(t, "the lock is free", func() bool {
		if location.status == 409 {
			location = e.call("PUT", fmt.Sprintf("/default/job/late/execution/%d/restart", ended), "")
		}
		return location.status == 201
	})
	if got := location.header.Get("Location"); !strings.HasPrefix(got, "/default/job/late/execution/") {
		t.Errorf("Location of a restart: %s", got)
	}
	e.call("PUT", "/default/job/late/schedule/pause", "").want(200)
	e.call("PUT", "/default/job/late/settings/exclusive", `{"exclusive":false}`).want(200)

	e.call("DELETE", "/default/job/late/schedule", "").want(204)
	if r := e.call("DELETE", "/default/job/late/schedule", "").code(404, "no_such_schedule"); !strings.Contains(string(r.body), "job late ") {
		t.Errorf("it is called late: %s", r.body)
	}
	e.call("PUT", "/default/job/late", jobNamed("night")).code(409, "job_exists")
	e.call("PUT", "/default/job/none", jobNamed("some")).code(404, "no_such_job")
	e.call("PUT", "/none/job/none", jobNamed("some")).code(404, "no_such_app")
	e.call("PUT", "/default/job/late", jobNamed("some"), "If-Match", tag).code(412, "precondition_failed")
	e.call("GET", "/default/job/some", "").want(404)
	e.call("PUT", "/default/job/late", jobNamed("a job")).want(422)

	var jobs rest.List[rest.Job]
	e.call("GET", "/default/jobs?q=late", "").want(200).into(&jobs)
	if jobs.Hits != 1 || jobs.Results[0].Name != "late" {
		t.Errorf("a search for the new name: %+v", jobs)
	}
}

// What a renamed job leaves behind cannot be mistaken for another's.
func TestDeleteARenamedJob(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := e.start("a", "")
	e.agent("a", id).says(subjects.Started, at).says(subjects.Completed, at.Add(time.Second))
	e.call("GET", fmt.Sprintf("/default/job/a/execution/%d?wait=10s", id), "").want(200)
	e.call("PUT", "/default/job/a", jobNamed("b")).want(200)
	e.call("PUT", "/default/job/a", jobNamed("a")).want(201)
	e.call("DELETE", "/default/job/b?keep=history", "").code(409, "job_renamed")
	tag := e.call("GET", "/default/job/b", "").want(200).header.Get("ETag")
	e.call("DELETE", "/default/job/b", "", "If-Match", tag).want(204)
	e.call("GET", "/default/job/b", "").want(404)
	e.call("GET", "/default/job/a", "").want(200)
	e.call("PUT", "/default/job/a", jobNamed("b")).want(200)
	e.call("DELETE", "/default/job/b", "").want(204)
	left, err := e.bus.Jobs.List(t.Context(), ">")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
