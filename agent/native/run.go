package native

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// jobRun is one attempt at a job.
type jobRun struct {
	rt       *Runtime
	jsl      *jsl.Job
	work     *agent.Work
	rep      *agent.Reporter
	place    workplace
	handover *handover // values for later steps

	mu     sync.Mutex
	newest map[string]subjects.StepExecution // by step, for deciders; nil if there are none
}

func newJobRun(rt *Runtime, job *jsl.Job, w *agent.Work, rep *agent.Reporter) *jobRun {
	r := &jobRun{rt: rt, jsl: job, work: w, rep: rep, handover: newHandover(w.Steps)}
	if hasDecision(job) {
		r.newest = make(map[string]subjects.StepExecution)
		for i := range w.Steps {
			r.newest[w.Steps[i].Step] = jobflow.EarlierExecution(&w.Steps[i])
		}
	}
	return r
}

func hasDecision(j *jsl.Job) (has bool) {
	j.Walk(func(_ string, e jsl.Element) {
		if _, ok := e.(*jsl.Decision); ok {
			has = true
		}
	})
	return has
}

// lastID returns the highest id of a step execution that an earlier attempt may
// have used. The numbers continue over the attempts. A request need not list
// all step executions, but there are at most as many as the steps have starts.
func lastID(q *subjects.Request) int64 {
	if q.Attempt == 1 {
		return 0
	}
	var last, starts int64
	for _, s := range q.Execution.StepExecutions {
		last = max(last, s.ID)
	}
	for _, s := range q.Steps {
		starts += int64(s.Starts)
	}
	return max(last, starts)
}

// runJob runs the job between its listeners.
func (r *jobRun) runJob(ctx context.Context) agent.Outcome {
	t := &thread{run: r, job: r.newJobContext()}
	listeners, err := t.createJobListeners()
	if err != nil {
		return agent.Failure(err)
	}
	o := t.runElements(ctx, listeners)
	var why error
	if o.BatchStatus == subjects.Failed {
		why = errors.New(o.Exception)
	}
	t.job.SetState(o.BatchStatus, why)
	after, cancel := r.rt.contextAfter(ctx)
	defer cancel()
	for _, l := range listeners {
		if err := t.callSafely("", func() error { return l.AfterJob(after) }); err != nil { // 8.1.2
			o.BatchStatus, o.RestartPosition = subjects.Failed, ""
			if why == nil {
				why = err
				o.Exception = "job listener after the job: " + err.Error()
			}
		}
	}
	o.ExitStatus = t.job.ExitStatus()
	if o.ExitStatus == "" { // 8.7
		o.ExitStatus = strings.ToUpper(string(o.BatchStatus))
	}
	return o
}

// runElements calls the listeners before the job and runs its elements.
func (t *thread) runElements(ctx context.Context, listeners []agent.JobListener) agent.Outcome {
	for _, l := range listeners {
		err := t.callSafely("", func() error { return l.BeforeJob(ctx) })
		switch {
		case err != nil && wasStop(ctx, err):
			return agent.Outcome{BatchStatus: subjects.Stopped}
		case err != nil: // 8.1.2
			return agent.Outcome{BatchStatus: subjects.Failed, Exception: "job listener before the job: " + err.Error()}
		}
	}
	w := t.run.work
	start := jobflow.Start{Steps: w.Steps, Position: w.RestartPosition, LastID: lastID(w.Request)}
	o := jobflow.Run(ctx, t.run.jsl, start, t)
	return agent.Outcome{BatchStatus: o.BatchStatus, Exception: o.Exception, RestartPosition: o.RestartPosition}
}

func (r *jobRun) newJobContext() *agent.JobContext {
	e := &r.work.Execution
	c := agent.NewJobContext()
	c.App, c.Job = e.App, r.jsl.ID
	c.ExecutionID, c.InstanceID, c.Attempt = e.ID, e.InstanceID, r.work.Attempt
	c.Parameters, c.JobProperties = maps.Clone(e.Parameters), propertyMap(r.jsl.Properties)
	c.Log, c.Secrets = r.work.Log.Logger(""), r.work.Secrets
	return c
}

// contextAfter returns the context for listeners that are called at the end of
// a step or a job. After a stop it lives on for the agent's grace period, so
// that they can clean up.
func (r *Runtime) contextAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	if cause := context.Cause(ctx); errors.Is(cause, agent.ErrStopped) || errors.Is(cause, agent.ErrLeaving) {
		return context.WithTimeout(context.WithoutCancel(ctx), r.host.Grace)
	}
	return context.WithCancel(ctx)
}
