package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// stepRun is one execution of a step.
type stepRun struct {
	*thread
	step      *jsl.Step
	context   *agent.StepContext // its Properties are those of the batchlet
	execution *subjects.StepExecution
	listeners []any // in the order of the document; each implements one or more interfaces
}

// RunStep runs the body of a step between its listeners (11.4) and stores in x
// how the step ended.
func (t *thread) RunStep(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) {
	r := &stepRun{thread: t, step: s, context: t.newStepContext(s, x), execution: x}
	status := subjects.Failed
	err := r.createListeners()
	if err == nil {
		status, err = r.runListened(ctx)
		if tooMany := r.keepValues(); tooMany != nil && status == subjects.Completed {
			status, err = subjects.Failed, tooMany
			r.context.SetExitStatus("FAILED")
		}
	}
	x.BatchStatus, x.ExitStatus = status, r.context.ExitStatus()
	if err != nil {
		x.Exception = err.Error()
	}
}

// keepValues stores the values that artifacts of the step have set for later
// steps.
func (r *stepRun) keepValues() error {
	values := r.context.NextValues()
	if len(values) == 0 {
		return nil
	}
	if err := r.run.handover.add(r.step.ID, values); err != nil {
		return err
	}
	if r.execution.Values == nil {
		r.execution.Values = values
	} else {
		maps.Copy(r.execution.Values, values)
	}
	return nil
}

func (r *stepRun) createListeners() error {
	for _, a := range r.step.Listeners {
		err := r.callSafely(r.step.ID, func() error {
			l, err := r.run.rt.host.Artifacts.Listeners[a.Ref](r.context.WithProperties(propertyMap(a.Properties)))
			r.listeners = append(r.listeners, l)
			return err
		})
		if err != nil {
			return fmt.Errorf("listener %s: %w", a.Ref, err)
		}
	}
	return nil
}

// runListened calls the listeners before the step, runs its body, and calls the
// listeners after it. The error is why the step failed, or what it said when it
// was stopped.
func (r *stepRun) runListened(ctx context.Context) (subjects.BatchStatus, error) {
	status, err := r.callBefore(ctx)
	if status == subjects.Completed {
		status, err = r.runBody(ctx)
	}
	r.context.SetState(status, err)
	after, cancel := r.run.rt.contextAfter(ctx)
	defer cancel()
	for _, l := range r.listeners {
		l, ok := l.(agent.StepListener)
		if !ok {
			continue
		}
		if afterErr := r.callSafely(r.step.ID, func() error { return l.AfterStep(after) }); afterErr != nil {
			if status != subjects.Failed {
				err = afterErr
			}
			status = subjects.Failed // 8.2.7
		}
	}
	return status, err
}

// callBefore calls the listeners before the step. Completed means that the body
// may run.
func (r *stepRun) callBefore(ctx context.Context) (subjects.BatchStatus, error) {
	for _, l := range r.listeners {
		l, ok := l.(agent.StepListener)
		if !ok {
			continue
		}
		err := r.callSafely(r.step.ID, func() error { return l.BeforeStep(ctx) })
		switch {
		case err != nil && wasStop(ctx, err):
			return subjects.Stopped, nil
		case err != nil:
			return subjects.Failed, err
		}
	}
	return subjects.Completed, nil
}

// runBody runs the body of the step. It returns completed, failed or stopped,
// and why the step failed. The exit status goes to r.context. The body may
// change and save r.execution.
func (r *stepRun) runBody(ctx context.Context) (subjects.BatchStatus, error) {
	switch {
	case r.step.Batchlet == nil:
		return subjects.Completed, nil
	case r.step.Batchlet.Ref == Shell:
		return r.runShellStep(ctx)
	}
	return r.callBatchlet(ctx)
}

func (r *stepRun) runShellStep(ctx context.Context) (subjects.BatchStatus, error) {
	exit, err := r.run.runShell(ctx, r.step, r.execution)
	if exit != "" {
		r.context.SetExitStatus(exit)
	}
	switch {
	case err == nil:
		return subjects.Completed, nil
	case wasStop(ctx, err):
		return subjects.Stopped, nil
	case ctx.Err() != nil:
		return subjects.Stopped, err
	}
	return subjects.Failed, err
}

// callBatchlet runs a batchlet that is a Go function. A panic fails the step.
func (r *stepRun) callBatchlet(ctx context.Context) (subjects.BatchStatus, error) {
	err := r.callSafely(r.step.ID, func() error {
		exit, err := r.run.rt.host.Batchlets[r.step.Batchlet.Ref](ctx, r.context)
		if exit != "" {
			r.context.SetExitStatus(exit)
		}
		return err
	})
	switch {
	case ctx.Err() != nil && (err == nil || wasStop(ctx, err)): // 11.13
		return subjects.Stopped, nil
	case err == nil:
		return subjects.Completed, nil
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), agent.ErrStopped):
		// The agent leaves, or the attempt is given up. That is no stop of the
		// job: the error probably follows from it.
		return subjects.Stopped, err
	}
	return subjects.Failed, err // 8.2.7, also after a stop
}

// newStepContext returns the context of a step execution.
func (t *thread) newStepContext(s *jsl.Step, x *subjects.StepExecution) *agent.StepContext {
	var saving sync.Mutex
	c := agent.NewStepContext(x.PersistentData, func(data json.RawMessage) error {
		saving.Lock()
		defer saving.Unlock()
		x.PersistentData = data
		return t.run.rep.Save(*x)
	})
	e := &t.run.work.Execution
	c.App, c.Job, c.Step = e.App, t.run.jsl.ID, s.ID
	c.ExecutionID, c.Attempt = e.ID, t.run.work.Attempt
	c.Parameters = maps.Clone(e.Parameters)
	c.StepProperties, c.JobProperties = propertyMap(s.Properties), propertyMap(t.run.jsl.Properties)
	if s.Batchlet != nil {
		c.Properties = propertyMap(s.Batchlet.Properties)
	}
	c.Values = t.run.handover.current()
	c.Log = t.run.work.Log.Logger(s.ID)
	c.JobContext = t.job
	return c
}

// wasStop reports whether err only repeats that ctx has ended.
func wasStop(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}
