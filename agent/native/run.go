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

// jobRun is one attempt at a job.
type jobRun struct {
	rt       *Runtime
	jsl      *jsl.Job
	work     *agent.Work
	rep      *agent.Reporter
	place    workplace
	previous map[string]*subjects.StepState // what earlier attempts and executions did, by step
	lastID   int64                          // the last id given to a step execution
	handover *handover                      // values for later steps
}

func newJobRun(rt *Runtime, job *jsl.Job, w *agent.Work, rep *agent.Reporter) *jobRun {
	r := &jobRun{rt: rt, jsl: job, work: w, rep: rep, handover: newHandover(w.Steps)}
	if len(w.Steps) > 0 {
		r.previous = make(map[string]*subjects.StepState, len(w.Steps))
		for i := range w.Steps {
			r.previous[w.Steps[i].Step] = &w.Steps[i]
		}
	}
	r.lastID = lastID(w.Request)
	return r
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

// runElements runs elements until a transition, a failure or a stop ends the
// job. No element is reached twice: such a definition was refused.
func (r *jobRun) runElements(ctx context.Context) agent.Outcome {
	e := r.jsl.Elements[0]
	if p := r.work.RestartPosition; p != "" {
		if e = r.findElement(p); e == nil {
			return agent.Failure(fmt.Errorf("job %s: the job no longer has the element %q, from which to restart", r.jsl.ID, p))
		}
	}
	var trouble string // why the last step failed
	for {
		step := e.(*jsl.Step) // Unsupported refuses all others
		end, err := r.runStep(ctx, step)
		if err != nil {
			return r.outcomeNotBegun(ctx, step, err)
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
			return r.outcomeAfter(t, more, step, trouble)
		}
		if e = r.findElement(t.To); e == nil {
			return agent.Failure(fmt.Errorf("step %s: the job does not have the next element, %q", step.ID, t.To))
		}
		if ctx.Err() != nil {
			return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
		}
	}
}

func (r *jobRun) findElement(id string) jsl.Element {
	for _, e := range r.jsl.Elements {
		if e.ElementID() == id {
			return e
		}
	}
	return nil
}

// outcomeNotBegun returns the outcome of a job whose step could not begin.
func (r *jobRun) outcomeNotBegun(ctx context.Context, s *jsl.Step, err error) agent.Outcome {
	if ctx.Err() != nil {
		return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
	}
	return agent.Failure(fmt.Errorf("step %s: %w", s.ID, err))
}

// outcomeAfter returns the outcome of a job that ends after the step s, by the
// transition t or because no element follows.
func (r *jobRun) outcomeAfter(t jsl.Transition, more bool, s *jsl.Step, trouble string) agent.Outcome {
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

// runStep runs a step, or skips a completed one. It returns an error if the
// step did not begin.
func (r *jobRun) runStep(ctx context.Context, s *jsl.Step) (subjects.StepExecution, error) {
	var data json.RawMessage
	if b := r.previous[s.ID]; b != nil {
		if b.BatchStatus == subjects.Completed && !s.AllowStartIfComplete.Or(false) {
			return subjects.StepExecution{Step: s.ID, BatchStatus: b.BatchStatus, ExitStatus: b.ExitStatus}, nil
		}
		if limit := s.StartLimit.Or(0); limit > 0 && b.Starts >= limit {
			return subjects.StepExecution{}, fmt.Errorf("it was started %d times, its start limit is %d", b.Starts, limit)
		}
		data = b.PersistentData
	}
	r.lastID++
	r.handover.forget(s.ID)
	x := subjects.StepExecution{ID: r.lastID, Step: s.ID, BatchStatus: subjects.Started, StartTime: subjects.Now()}
	x.PersistentData = data
	if err := r.rep.StepStarted(x); err != nil {
		return x, err
	}
	r.runBatchlet(ctx, s, &x)
	x.EndTime = subjects.Now()
	r.rep.StepEnded(x)
	return x, nil
}

// runBatchlet runs the batchlet of the step and stores in x how it ended.
func (r *jobRun) runBatchlet(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) {
	if s.Batchlet == nil {
		x.BatchStatus, x.ExitStatus = subjects.Completed, "COMPLETED"
		return
	}
	var exit string
	var err error
	if s.Batchlet.Ref == Shell {
		exit, err = r.runShell(ctx, s, x)
	} else {
		exit, err = r.callBatchlet(ctx, s, x)
	}
	switch {
	// A function that returns after a stop counts as stopped.
	case ctx.Err() != nil && (err != nil || s.Batchlet.Ref != Shell):
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
