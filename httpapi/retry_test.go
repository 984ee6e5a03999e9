package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// An answer says which run of its job an execution is, and when the next one is
// due or why there is none.
func TestRetryIsShown(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("r", `"retry":{"attempts":2,"backoff":"0s","not_on":["E*"]}`)).want(201)
	e.call("POST", "/default/jobs", jobNamed("late", `"retry":{"attempts":2,"backoff":"10h","max_backoff":"10h"}`)).want(201)
	e.call("POST", "/default/jobs", jobNamed("bad", `"retry":{"attempts":1}`)).code(422, "invalid_job")
	show := func(id int64) (v rest.Execution) {
		t.Helper()
		e.call("GET", fmt.Sprint("/default/execution/", id), "").want(200).into(&v)
		return v
	}

	first := e.start("r", "")
	e.agent("r", first).says(subjects.Started, time.Now()).says(subjects.Failed, time.Now())
	var next int64
	eventually(t, "the retry", func() bool {
		v := show(first)
		if v.RestartedBy == nil {
			return false
		}
		next = *v.RestartedBy
		return v.Retry.Run == 1 && v.Retry.Of == 2
	})
	var second rest.Execution
	eventually(t, "the second run", func() bool {
		r := e.call("GET", fmt.Sprint("/default/execution/", next), "")
		if r.status != 200 {
			return false
		}
		r.into(&second)
		return true
	})
	if second.Retry.Run != 2 || *second.RestartOf != first {
		t.Errorf("the second run is shown as %+v of %d", second.Retry, *second.RestartOf)
	}
	e.agent("r", next).says(subjects.Started, time.Now()).says(subjects.Failed, time.Now())
	eventually(t, "why there is no third run", func() bool {
		v := show(next)
		return v.Retry.Ended != nil && *v.Retry.Ended == "it was the last of 2 runs"
	})

	late := e.start("late", "")
	e.agent("late", late).says(subjects.Started, time.Now()).says(subjects.Failed, time.Now())
	eventually(t, "the time of the retry", func() bool { return time.Until(show(late).Retry.Due.Std()) > 9*time.Hour })
	edn := string(e.call("GET", fmt.Sprint("/default/execution/", late), "", "Accept", "application/edn").body)
	if !strings.Contains(edn, ":job-execution/retry {:retry/run 1 :retry/of 2 :retry/due #inst") {
		t.Errorf("in EDN: %s", edn)
	}
	e.call("PUT", fmt.Sprintf("/default/job/late/execution/%d/stop", late), "").want(200)
	if v := show(late); v.Retry.Ended == nil || *v.Retry.Ended != "it was stopped" || v.Retry.Due != 0 {
		t.Errorf("after a stop %+v", v.Retry)
	}
	e.call("PUT", fmt.Sprintf("/default/job/late/execution/%d/stop", late), "").code(409, "job_execution_not_running")
}
