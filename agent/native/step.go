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

	written *jsl.Step         // with #{partitionPlan['x']} as it is
	last    subjects.StepData // what an earlier execution left
	// commit stores a commit of a chunk. It keeps what it has stored, and nothing
	// else, for the end of the step.
	commit      func(subjects.StepData, subjects.Metrics) error
	afterCommit func(context.Context) error // may be nil
	metrics     subjects.Metrics
}

// RunStep runs the body of a step between its listeners (11.4) and stores in x
// how the step ended.
func (t *thread) RunStep(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) {
	r := &stepRun{thread: t, step: s, written: s, execution: x}
	status := subjects.Failed
	err := r.createContext()
	if err == nil {
		err = r.createListeners()
	}
	if err == nil {
		status, err = r.runListened(ctx)
		if tooMany := r.keepValues(); tooMany != nil && status == subjects.Completed {
			status, err = subjects.Failed, tooMany
			r.context.SetExitStatus("FAILED")
		}
	}
	if lost := r.checkData(); lost != nil && status == subjects.Completed {
		status, err = subjects.Failed, lost
		r.context.SetExitStatus("FAILED")
	}
	if r.context != nil {
		// Transitions see the exit status that a restart would see.
		r.context.SetExitStatus(r.run.work.Secrets.Redact(r.context.ExitStatus()))
		x.ExitStatus, x.PersistentData = r.context.ExitStatus(), r.context.Data()
	}
	x.BatchStatus, x.Metrics = status, r.metrics
	if err != nil {
		x.Exception = err.Error()
	}
}

// checkData returns why the persistent data of the step cannot be stored with its
// end. An artifact may have ignored the error of Save, and in a chunk step only a
// commit stores data.
func (r *stepRun) checkData() error {
	if r.context == nil {
		return nil
	}
	ended := subjects.StepExecution{Step: r.step.ID}
	ended.PersistentData = r.context.Data()
	return r.run.rep.CheckStep(&ended)
}

// keepValues stores the values that artifacts of the step have set for later
// steps.
func (r *stepRun) keepValues() error {
	values := r.run.work.Secrets.RedactValues(r.context.NextValues())
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
	for i := range r.step.Listeners {
		l, err := createArtifact(r, "listener", r.run.rt.host.Artifacts.Listeners, &r.step.Listeners[i])
		if err != nil {
			return err
		}
		r.listeners = append(r.listeners, l)
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
				err = fmt.Errorf("listener after the step: %w", afterErr)
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
			return subjects.Failed, fmt.Errorf("listener before the step: %w", err)
		}
	}
	return subjects.Completed, nil
}

// runBody runs the body of the step. It returns completed, failed or stopped,
// and why the step failed. The exit status goes to r.context. The body may
// change and save r.execution.
func (r *stepRun) runBody(ctx context.Context) (subjects.BatchStatus, error) {
	if r.step.Partition != nil {
		return r.runPartitions(ctx)
	}
	return r.runWork(ctx)
}

// runWork runs the batchlet or the chunk of the step or the partition.
func (r *stepRun) runWork(ctx context.Context) (subjects.BatchStatus, error) {
	switch {
	case r.step.Chunk != nil:
		return r.runChunk(ctx)
	case r.step.Batchlet == nil:
		return subjects.Completed, nil
	case r.step.Batchlet.Ref == Shell:
		return r.runShellStep(ctx)
	}
	return r.callBatchlet(ctx)
}

func (r *stepRun) runShellStep(ctx context.Context) (subjects.BatchStatus, error) {
	x := r.execution
	if r.context.Partitions > 0 {
		x = &subjects.StepExecution{ID: x.ID, Step: x.Step, PartitionCount: r.context.Partitions}
	}
	x.PersistentData = r.context.Data()
	exit, err := r.run.runShell(ctx, r.step, x)
	r.context.SetData(x.PersistentData)
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
	f := r.run.rt.host.Batchlets[r.step.Batchlet.Ref]
	if f == nil { // of a partition, see createArtifact
		return subjects.Failed, fmt.Errorf("this agent has no batchlet %q", r.step.Batchlet.Ref)
	}
	err := r.callSafely(r.step.ID, func() error {
		exit, err := f(ctx, r.context)
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

// createContext sets the context of the step execution, and what its chunk
// needs. In a step with partitions, all that is not of a partition sees no
// properties of a plan.
func (r *stepRun) createContext() (err error) {
	x := r.execution
	if r.written.Partition != nil {
		whole := *r.written
		whole.Batchlet, whole.Chunk = nil, nil // only partitions run them
		if r.step, err = whole.ResolvePartition(nil); err != nil {
			return err
		}
	}
	var saving sync.Mutex
	save := func(data json.RawMessage) error {
		saving.Lock()
		defer saving.Unlock()
		x.PersistentData = data
		return r.run.rep.Save(*x)
	}
	if r.step.Chunk != nil && r.step.Partition == nil {
		save = nil // with the next commit
	}
	r.context = agent.NewStepContext(x.PersistentData, save)
	r.fillContext(r.context, r.step)
	r.context.Run = x.Run
	if before := r.run.stateOf(r.step.ID); before != nil && before.BatchStatus != subjects.Completed {
		r.last = before.StepData
	}
	r.commit = func(d subjects.StepData, m subjects.Metrics) error {
		next := *x
		next.StepData, next.Metrics = d, m
		if err := r.run.rep.Save(next); err != nil {
			return err
		}
		*x = next
		return nil
	}
	return nil
}

// fillContext sets what the context of a step, or of a partition, tells about
// its job.
func (t *thread) fillContext(c *agent.StepContext, s *jsl.Step) {
	e := &t.run.work.Execution
	c.App, c.Job, c.Step = e.App, t.run.jsl.ID, s.ID
	c.ExecutionID, c.Attempt = e.ID, t.run.work.Attempt
	c.Parameters = maps.Clone(e.Parameters)
	c.StepProperties, c.JobProperties = propertyMap(s.Properties), propertyMap(t.run.jsl.Properties)
	if s.Batchlet != nil {
		c.Properties = propertyMap(s.Batchlet.Properties)
	}
	c.Values = t.run.handover.current()
	c.Log, c.Secrets = t.run.work.Log.Logger(s.ID), t.run.work.Secrets
	c.JobContext = t.job.WithProperties(nil)
}

// wasStop reports whether err only repeats that ctx has ended.
func wasStop(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}
