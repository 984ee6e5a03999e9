package httpapi

import (
	"context"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// life is [Executions] under a name that Index has no method of.
type life Executions

// fakes answer what a test tells them to, for what real services cannot be
// brought to do, and for benchmarks.
type fakes struct {
	life // nil: what a test does not expect panics
	Index
	Schedules
	submitted *bus.Execution
	err       error
	job       *index.Job
}

func (f *fakes) Submit(context.Context, execution.Submission) (*bus.Execution, bool, error) {
	return f.submitted, true, f.err
}

func (f *fakes) Get(context.Context, string, string, int64) (*bus.Execution, error) {
	return f.submitted, f.err
}

func (f *fakes) WaitingFor(context.Context, *bus.Execution) (w execution.Waiting) { return w }

func (f *fakes) PermanentKey(_, job string) (string, bool) { return job, true }

func (f *fakes) JobName(_, key string) string { return key }

func (f *fakes) Job(string, string) (*index.Job, bool) { return f.job, f.job != nil }

func (f *fakes) App(name string) (bus.App, uint64, bool) { return bus.App{Name: name}, 1, true }

func fakeServer() (*Server, *fakes) {
	j, err := jsl.ParseJSON([]byte(`{"id":"JOB-1","steps":[{"id":"STEP-1","batchlet":{"ref":"example.Batchlet"}}]}`))
	if err != nil {
		panic(err)
	}
	e := &bus.Execution{}
	e.ID, e.InstanceID, e.App, e.Job = 4711, 4711, "default", "JOB-1"
	e.BatchStatus, e.Parameters = subjects.Undispatched, map[string]string{"k": "v"}
	e.CreateTime = subjects.TimeOf(time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC))
	e.UpdateTime = e.CreateTime
	f := &fakes{submitted: e, job: &index.Job{Job: bus.Job{App: "default", Name: "JOB-1"}, JSL: j, Revision: 1}}
	return mustNew(Config{Executions: f, Index: f, Schedules: f, Version: "test", HostNames: []string{recorded}}), f
}

// recorded is the host of each httptest.NewRequest.
const recorded = "example.com"

// noAudit is an audit that stores nothing.
type noAudit struct{}

func (noAudit) Reserve(context.Context, bool) error                         { return nil }
func (noAudit) Append(context.Context, audit.Row) error                     { return nil }
func (noAudit) AppendLater(audit.Row)                                       {}
func (noAudit) AppendRefused(audit.Row)                                     {}
func (noAudit) Release()                                                    {}
func (noAudit) List(context.Context, audit.Query) (p audit.Page, err error) { return p, nil }

func mustNew(cfg Config) *Server {
	if cfg.Audit == nil {
		cfg.Audit = noAudit{}
	}
	s, err := New(cfg)
	if err != nil {
		panic(err)
	}
	return s
}
