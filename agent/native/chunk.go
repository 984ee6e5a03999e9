package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/chunk"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// runChunk runs the chunk of a step or of a partition.
func (r *stepRun) runChunk(ctx context.Context) (subjects.BatchStatus, error) {
	s, err := r.createChunk()
	if err != nil {
		return subjects.Failed, err
	}
	work, cancel := r.run.rt.graceContext(ctx)
	defer cancel()
	status, metrics, err := s.Run(ctx, work)
	r.metrics = metrics
	var p *chunk.PanicError
	if errors.As(err, &p) {
		r.run.work.Log.Line(agent.Stderr, "error", r.step.ID, fmt.Sprintf("%v\n%s", p, p.Stack))
	}
	if status == subjects.Failed && ctx.Err() != nil && !errors.Is(context.Cause(ctx), agent.ErrStopped) {
		status = subjects.Stopped // as in callBatchlet: the error probably follows from it
	}
	return status, err
}

// createChunk creates the artifacts of a chunk.
func (r *stepRun) createChunk() (*chunk.Step, error) {
	c, known := r.step.Chunk, &r.run.rt.host.Artifacts
	s := &chunk.Step{
		Chunk: c, Listeners: append(slices.Clip(r.listeners), &skipLog{run: r}), Classes: r.run.rt.classes, AfterCommit: r.afterCommit,
		Last: chunk.State{Reader: r.last.ReaderCheckpoint, Writer: r.last.WriterCheckpoint},
		Commit: func(_ context.Context, state chunk.State) error {
			data := subjects.StepData{
				PersistentData:   r.context.Data(),
				ReaderCheckpoint: orNone(state.Reader), WriterCheckpoint: orNone(state.Writer),
			}
			// The reporter has retried. If the outcome is unknown, a rollback would
			// take back what may have been stored.
			if err := r.commit(data, state.Metrics); err != nil {
				return chunk.Final(err)
			}
			return nil
		},
	}
	var err error
	if s.Reader, err = createArtifact(r, "item reader", known.Readers, c.Reader); err != nil {
		return nil, err
	}
	if c.Processor != nil {
		if s.Processor, err = createArtifact(r, "item processor", known.Processors, c.Processor); err != nil {
			return nil, err
		}
	}
	if s.Writer, err = createArtifact(r, "item writer", known.Writers, c.Writer); err != nil {
		return nil, err
	}
	if c.CheckpointPolicy == "custom" { // 8.2.1.5
		if s.Algorithm, err = createArtifact(r, "checkpoint algorithm", known.Algorithms, c.CheckpointAlgorithm); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// orNone returns data, or what removes it from the step's record.
func orNone(data json.RawMessage) json.RawMessage {
	if len(data) == 0 {
		return subjects.None
	}
	return data
}

// createArtifact creates the artifact of a reference. The job was checked at its
// start, but a partition may refer to an artifact by its plan.
func createArtifact[A any](r *stepRun, what string, known map[string]agent.Factory[A], a *jsl.Artifact) (made A, err error) {
	f := known[a.Ref]
	if f == nil {
		return made, fmt.Errorf("this agent has no %s %q", what, a.Ref)
	}
	err = r.callSafely(r.step.ID, func() error {
		made, err = f(r.context.WithProperties(propertyMap(a.Properties)))
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s %s: %w", what, a.Ref, err)
	}
	return made, err
}

// graceContext returns a context that ends with ctx, or the agent's grace period
// later if ctx ends by a stop.
func (r *Runtime) graceContext(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unlink := context.AfterFunc(ctx, func() {
		after, cancelAfter := r.contextAfter(ctx)
		context.AfterFunc(after, func() { cancelAfter(); cancel(context.Cause(ctx)) })
		context.AfterFunc(work, cancelAfter)
	})
	return work, func() { unlink(); cancel(context.Canceled) }
}

// warnOfClasses writes to the output which classes of errors the job names that
// this agent does not have (8.2.1.4).
func (r *jobRun) warnOfClasses() {
	r.jsl.Walk(func(_ string, e jsl.Element) {
		s, ok := e.(*jsl.Step)
		if !ok || s.Chunk == nil {
			return
		}
		for _, name := range r.rt.classes.Unknown(s.Chunk) {
			r.work.Log.Line(agent.Own, "warn", s.ID,
				fmt.Sprintf("step %s: this agent has no class of errors %q, so no error matches it", s.ID, name))
		}
	})
}

// stateOf returns what an earlier execution of a step left, or nil.
func (r *jobRun) stateOf(step string) *subjects.StepState {
	for i := range r.work.Steps {
		if r.work.Steps[i].Step == step {
			return &r.work.Steps[i]
		}
	}
	return nil
}
