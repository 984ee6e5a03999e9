package httpapi

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func natsMsg(subject string, data []byte) *nats.Msg { return &nats.Msg{Subject: subject, Data: data} }

// times are replaced in goldens where the test does not set them itself.
var times = regexp.MustCompile(`"20[0-9-]+T[0-9:]+\.[0-9]{3}(Z|-00:00)"`)

// shape compares an answer with its golden, times but those of 2026-01-02
// masked. What is read is compared in EDN too.
func (r *reply) shape(name string) *reply {
	r.t.Helper()
	if method, path, _ := strings.Cut(r.asked, " "); method == "GET" {
		edn := r.e.call(method, path, "", "Accept", "application/edn")
		if got := edn.header.Get("Content-Type"); edn.status != r.status || got != "application/edn" {
			r.t.Errorf("%s in EDN = %d, Content-Type %s", r.asked, edn.status, got)
		}
		golden(r.t, name+".edn", []byte(r.asked+"\n\n"+masked(string(edn.body))+"\n"))
	}
	body := masked(string(indent(r.t, r.body)))
	head := ""
	for _, h := range []string{"Location", "ETag"} {
		if v := r.header.Get(h); v != "" {
			head += h + ": " + v + "\n"
		}
	}
	golden(r.t, name, []byte(r.asked+"\n"+head+"\n"+body))
	return r
}

func masked(body string) string {
	return times.ReplaceAllStringFunc(body, func(s string) string {
		if strings.HasPrefix(s, `"2026-01-02`) {
			return s
		}
		return `"TIME"`
	})
}

func TestAnswers(t *testing.T) {
	e := newEnv(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	e.call("GET", "/apps", "").want(200)
	e.call("POST", "/apps", `{"name":"shop","description":"The shop"}`).want(201).shape("app-created")
	e.call("GET", "/apps", "").want(200).shape("apps")
	e.call("GET", "/app/shop", "").want(200).shape("app")
	e.call("GET", "/default/jobs", "").want(200).shape("jobs-none")
	e.call("POST", "/default/jobs", job1).want(201).shape("job-created")
	id := e.start("JOB-1", `{"parameters":{"date":"2026-01-02","count":100}}`)
	e.call("GET", "/default/job/JOB-1/execution/1", "").want(200).shape("execution-waiting")
	step := subjects.StepExecution{ID: 1, Step: "STEP-1", BatchStatus: subjects.Started, StartTime: subjects.TimeOf(at)}
	a := e.agent("JOB-1", id).says(subjects.Started, at, step)
	step.BatchStatus, step.ExitStatus, step.EndTime = subjects.Completed, "COMPLETED", subjects.TimeOf(at.Add(time.Second))
	a.says(subjects.Completed, at.Add(1500*time.Millisecond), step)
	e.call("GET", "/default/job/JOB-1/execution/1?wait=10s", "").want(200).shape("execution-completed")
	e.call("GET", "/default/execution/1", "").want(200).shape("execution-short")
	failed := e.start("JOB-1", "")
	step.BatchStatus, step.ExitStatus, step.Exception = subjects.Failed, "FAILED", "java.lang.IllegalStateException: no input"
	e.agent("JOB-1", failed).says(subjects.Started, at).says(subjects.Failed, at.Add(time.Second), step)
	e.call("GET", "/default/job/JOB-1/execution/2?wait=10s", "").want(200).shape("execution-failed")
	e.call("GET", "/default/job/JOB-1/executions?limit=1", "").want(200).shape("executions")
	e.call("POST", "/default/job/JOB-1/schedule", `{"cron_notation":"0 0 3 2 1 ? 2099","time_zone":"Asia/Tokyo"}`).want(201).shape("schedule-created")
	e.call("GET", "/default/job/JOB-1", "").want(200).shape("job")
	e.call("GET", "/default/jobs", "").want(200).shape("jobs")
	e.call("PUT", "/default/job/JOB-1/schedule/pause", "").want(200).shape("schedule-paused")
	e.call("GET", "/default/stats", "").want(200).shape("stats")
	e.call("GET", "/agents", "").want(200).shape("agents-none")
	e.call("GET", "/version", "").want(200).shape("version")
	e.call("PUT", "/default/job/JOB-1/execution/2/restart", `{"parameters":{"again":"true"}}`).want(201).shape("execution-restarted")
	e.call("POST", "/default/jobs", `{"id":"a b","steps":[{"id":"s","batchlet":{"ref":"x"},"nope":1}]}`).code(422, "invalid_job").shape("problem-job")
	e.call("GET", "/default/job/none", "").code(404, "no_such_job").shape("problem-no-such-job")
}
