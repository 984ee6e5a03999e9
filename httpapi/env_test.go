package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/bus/samples"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/deploy/classfile"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// env is a control bus with everything but agents, whose part the test plays.
// The original's console is where it was.
// Tests with one run side by side: most of the time they wait.
type env struct {
	t      *testing.T
	bus    *bus.Bus
	index  *index.Index
	server *Server
	http   *httptest.Server
	logins *login.Service
	audit  *audit.Log
	doc    *openapi3.T
}

func newEnv(t *testing.T, set ...func(*Config)) *env {
	t.Helper()
	t.Parallel()
	return newEnvAlone(t, set...)
}

// newEnvAlone is newEnv for a test that must not run beside others.
func newEnvAlone(t *testing.T, set ...func(*Config)) *env {
	t.Helper()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	x := index.New(b)
	life := execution.New(b, x, execution.Config{})
	plan := scheduler.New(scheduler.Config{Bus: b, Index: x, Submit: life})
	deployer, err := deploy.New(deploy.Config{Bus: b, Objects: bustest.Artifacts(t, b), TempDir: t.TempDir(), Builtin: []deploy.Component{
		{Class: "org.jobstreamer.batch.ShellBatchlet", Ref: "org.jobstreamer.batch.ShellBatchlet", Kinds: []string{string(classfile.Batchlet)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return deployer.Run(ctx) })
	g.Go(func() error { return x.Run(ctx) })
	g.Go(func() error { return life.Run(ctx) })
	g.Go(func() error { return plan.Run(ctx) })
	rows := audit.New(b)
	g.Go(func() error { return rows.Run(ctx) })
	keys, err := secrets.CreateKeys(filepath.Join(t.TempDir(), "secret.keys"))
	if err != nil {
		t.Fatal(err)
	}
	logins := login.New(login.Config{Bus: b, Issuer: issuer})
	g.Go(func() error { return logins.Run(ctx) })
	<-x.Ready()
	if err := logins.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Health: b.Healthy, Broker: b.JS, Catalog: catalog.New(catalog.Config{Bus: b, Index: x, History: life, Schedules: plan}), Index: x, Executions: life, Agents: life.Agents(), Schedules: plan, Deployments: deployer, LoadSamples: samples.New(b, life.Agents()), Secrets: secrets.New(secrets.Config{Bus: b, Keys: keys, Executions: life}), Logins: logins, Audit: rows, Version: "2.0.0", AllowOrigin: "http://localhost:3000"}
	for _, f := range set {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, bus: b, index: x, server: s, http: httptest.NewServer(s), logins: logins, audit: rows}
	t.Cleanup(func() {
		s.close()
		e.http.Close()
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	e.doc, _ = theDocument()
	return e
}

// staying goes nowhere that an answer leads to.
var staying = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// reply is an answer, read to its end.
type reply struct {
	e      *env
	t      *testing.T
	asked  string
	status int
	header http.Header
	body   []byte
}

// call sends a request; headers come in pairs.
func (e *env) call(method, path, body string, headers ...string) *reply {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, e.http.URL+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answered := e.send(r)
	e.described(method, path, answered)
	return answered
}

// send sends a request and reads its answer.
func (e *env) send(r *http.Request) *reply {
	e.t.Helper()
	res, err := staying.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	answered := &reply{e, e.t, r.Method + " " + r.URL.RequestURI(), res.StatusCode, res.Header, b}
	answered.checkProtection()
	return answered
}

// want ends the test if the status is another.
func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s = %d %s, want %d", r.asked, r.status, r.body, status)
	}
	return r
}

// code ends the test if it is not a problem of this status and code.
func (r *reply) code(status int, code string) *reply {
	r.t.Helper()
	var p struct{ Code string }
	if err := json.Unmarshal(r.want(status).body, &p); err != nil || p.Code != code {
		r.t.Fatalf("%s = %s, want code %s", r.asked, r.body, code)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("%s: Content-Type %q of a problem", r.asked, got)
	}
	return r
}

// into reads the body into v.
func (r *reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s = %s: %v", r.asked, r.body, err)
	}
}

// eventually waits for what has no event of its own.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

const job1 = `{"id":"JOB-1","steps":[{"id":"STEP-1","batchlet":{"ref":"example.Batchlet","properties":{"k":"v"}}}]}`

// start makes an execution of a job.
func (e *env) start(job, body string) int64 {
	e.t.Helper()
	var v struct {
		ID int64 `json:"execution_id"`
	}
	e.call("POST", "/default/job/"+job+"/executions", body).want(201).into(&v)
	return v.ID
}

// agent is what the test says for agent a1 of an execution.
type agent struct {
	e      *env
	job    string
	id     int64
	number int
	last   uint64
}

func (e *env) agent(job string, id int64) *agent { return &agent{e: e, job: job, id: id} }

// says publishes a result of attempt 1.
func (a *agent) says(status subjects.BatchStatus, at time.Time, steps ...subjects.StepExecution) *agent {
	a.e.t.Helper()
	a.number++
	r := subjects.Result{
		ID: a.id, App: "default", Job: a.job, Attempt: 1, BatchStatus: status, Agent: "a1", Handling: "h", Number: a.number,
		Time: subjects.TimeOf(at), Steps: steps,
	}
	if status.Ended() {
		r.ExitStatus = strings.ToUpper(string(status))
	}
	if status == subjects.Failed {
		r.Exception = "java.lang.IllegalStateException: no input"
	}
	if a.number == 1 {
		rec, err := a.e.bus.Executions.Get(a.e.t.Context(), bus.ExecutionKey("default", a.job, a.id))
		if err != nil {
			a.e.t.Fatal(err)
		}
		r.Execution = &rec.Value.Execution
	}
	data, err := json.Marshal(&r)
	if err != nil {
		a.e.t.Fatal(err)
	}
	a.last, err = a.e.bus.Pub.Do(a.e.t.Context(), natsMsg(subjects.ResultSubject("default", a.job, a.id, "a1"), data),
		subjects.ResultFilter("default", a.job, a.id), int64(a.last))
	if err != nil {
		a.e.t.Fatal(err)
	}
	return a
}

// logs publishes lines.
func (a *agent) logs(dropped int, at time.Time, messages ...string) *agent {
	a.e.t.Helper()
	m := subjects.LogMessage{Attempt: 1, Dropped: dropped}
	for i, text := range messages {
		m.Lines = append(m.Lines, subjects.LogLine{
			Time: subjects.TimeOf(at.Add(time.Duration(i) * time.Millisecond)), Level: "info", Stream: "stdout", Step: "STEP-1", Message: text,
		})
	}
	data, err := json.Marshal(&m)
	if err == nil {
		_, err = a.e.bus.JS.Publish(a.e.t.Context(), subjects.LogSubject("default", a.job, a.id, "a1"), data)
	}
	if err != nil {
		a.e.t.Fatal(err)
	}
	return a
}
