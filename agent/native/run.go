package native

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// run is one attempt at a job.
type run struct {
	rt     *Runtime
	jsl    *jsl.Job
	work   *agent.Work
	rep    *agent.Reporter
	before map[string]*subjects.StepState // by step: what earlier attempts and executions did
	lastID int64                          // of the execution's step executions
}

func newRun(rt *Runtime, job *jsl.Job, w *agent.Work, rep *agent.Reporter) *run {
	r := &run{rt: rt, jsl: job, work: w, rep: rep}
	if len(w.Steps) > 0 {
		r.before = make(map[string]*subjects.StepState, len(w.Steps))
		for i := range w.Steps {
			r.before[w.Steps[i].Step] = &w.Steps[i]
		}
	}
	r.lastID = lastID(w.Request)
	return r
}

// lastID is the highest id of a step execution that an earlier attempt may have
// used. They are numbered on over the attempts; a request need not list them,
// but the starts of all steps are at least as many.
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

// job runs elements until a transition, a failure or a stop ends it. An element
// that is reached twice cannot be: the definition was refused.
func (r *run) job(ctx context.Context) agent.Outcome {
	e := r.jsl.Elements[0]
	if p := r.work.RestartPosition; p != "" {
		if e = r.element(p); e == nil {
			return agent.Failure(fmt.Errorf("job %s: there is no element %q to begin with any more", r.jsl.ID, p))
		}
	}
	var trouble string // why the last step failed
	for {
		step := e.(*jsl.Step) // all others are refused
		end, err := r.step(ctx, step)
		if err != nil {
			return r.broken(ctx, step, err)
		}
		if end.BatchStatus == subjects.Stopped {
			return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED", Exception: end.Exception}
		}
		trouble = ""
		if end.BatchStatus == subjects.Failed {
			trouble = fmt.Sprintf("step %s: %s", step.ID, end.Exception)
		}
		t, more := jsl.After(step, end.ExitStatus, trouble != "")
		if !more || t.Action != jsl.Next {
			return r.end(t, more, step, trouble)
		}
		if e = r.element(t.To); e == nil {
			return agent.Failure(fmt.Errorf("step %s: there is no element %q to go on with", step.ID, t.To))
		}
		if ctx.Err() != nil {
			return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
		}
	}
}

func (r *run) element(id string) jsl.Element {
	for _, e := range r.jsl.Elements {
		if e.ElementID() == id {
			return e
		}
	}
	return nil
}

// broken is the end of a job whose step could not even begin.
func (r *run) broken(ctx context.Context, s *jsl.Step, err error) agent.Outcome {
	if ctx.Err() != nil {
		return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
	}
	return agent.Failure(fmt.Errorf("step %s: %w", s.ID, err))
}

// end is the end of the job by a transition, or because nothing follows.
func (r *run) end(t jsl.Transition, more bool, s *jsl.Step, trouble string) agent.Outcome {
	o := agent.Outcome{ExitStatus: t.ExitStatus}
	switch {
	case !more, t.Action == jsl.End:
		o.BatchStatus = subjects.Completed
	case t.Action == jsl.Stop:
		o.BatchStatus, o.RestartPosition = subjects.Stopped, t.Restart
	default:
		o.BatchStatus, o.Exception = subjects.Failed, trouble
		if trouble == "" {
			o.Exception = fmt.Sprintf("step %s: its transition on %q fails the job", s.ID, t.On)
		}
	}
	if o.ExitStatus == "" {
		o.ExitStatus = strings.ToUpper(string(o.BatchStatus))
	}
	return o
}

// step runs a step, or passes over one that is completed. Its error says that
// the step did not begin.
func (r *run) step(ctx context.Context, s *jsl.Step) (subjects.StepExecution, error) {
	var data json.RawMessage
	if b := r.before[s.ID]; b != nil {
		if b.BatchStatus == subjects.Completed && !s.AllowStartIfComplete.Or(false) {
			return subjects.StepExecution{Step: s.ID, BatchStatus: b.BatchStatus, ExitStatus: b.ExitStatus}, nil
		}
		if limit := s.StartLimit.Or(0); limit > 0 && b.Starts >= limit {
			return subjects.StepExecution{}, fmt.Errorf("it has started %d times, its start limit is %d", b.Starts, limit)
		}
		data = b.PersistentData
	}
	r.lastID++
	x := subjects.StepExecution{ID: r.lastID, Step: s.ID, BatchStatus: subjects.Started, StartTime: subjects.Now(), PersistentData: data}
	if err := r.rep.StepStarted(x); err != nil {
		return x, err
	}
	r.batchlet(ctx, s, &x)
	x.EndTime = subjects.Now()
	r.rep.StepEnded(x)
	return x, nil
}

// batchlet runs what the step consists of and says in x how it ended.
func (r *run) batchlet(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) {
	if s.Batchlet == nil {
		x.BatchStatus, x.ExitStatus = subjects.Completed, "COMPLETED"
		return
	}
	var exit string
	var err error
	if s.Batchlet.Ref == Shell {
		exit, err = r.shell(ctx, s)
	} else {
		exit, err = r.call(ctx, s, x)
	}
	switch {
	case ctx.Err() != nil && (err != nil || s.Batchlet.Ref != Shell): // a batchlet that returns after a stop is stopped
		x.BatchStatus = subjects.Stopped
	case err != nil:
		x.BatchStatus = subjects.Failed
	default:
		x.BatchStatus = subjects.Completed
	}
	if err != nil && !wasStop(ctx, err) {
		x.Exception = err.Error()
	}
	if x.ExitStatus = exit; exit == "" {
		x.ExitStatus = strings.ToUpper(string(x.BatchStatus))
	}
}
