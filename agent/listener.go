package agent

import (
	"context"
	"fmt"
)

// JobListener is called before the first and after the last element of a job
// (9.2.1). An error fails the job (8.1.2). Several listeners are called in the
// order of the document. AfterJob is called even if the job has failed or was
// stopped, and even if BeforeJob has returned an error. [JobContext.BatchStatus]
// and [JobContext.Err] tell it how the job ends. After a stop, its context lives
// on for the agent's grace period.
type JobListener interface {
	BeforeJob(ctx context.Context) error
	AfterJob(ctx context.Context) error
}

// StepListener is called before and after the body of a step (9.2.2). An error
// fails the step (8.2.7). If BeforeStep returns one, the body does not run.
// AfterStep is called in any case. [StepContext.BatchStatus] and
// [StepContext.Err] tell it how the step ends; it may set another exit status.
// After a stop, its context lives on for the agent's grace period.
//
// [Listener] registers a listener of steps.
type StepListener interface {
	BeforeStep(ctx context.Context) error
	AfterStep(ctx context.Context) error
}

// WithJobListener registers a listener of jobs under ref, the name by which a
// job's JSL refers to it. f is called once in each attempt of an execution.
func WithJobListener(ref string, f func(*JobContext) (JobListener, error)) Option {
	return func(a *Agent) error {
		return registerIn(&a.artifacts.JobListeners, "job listener", ref, f == nil, f)
	}
}

// registerIn adds a factory of the given kind to a map.
func registerIn[F any](m *map[string]F, what, ref string, missing bool, f F) error {
	_, taken := (*m)[ref]
	switch {
	case ref == "":
		return fmt.Errorf("%s: want a name", what)
	case missing:
		return fmt.Errorf("%s %s: want a factory, not nil", what, ref)
	case taken:
		return fmt.Errorf("%s %s is registered twice", what, ref)
	case *m == nil:
		*m = map[string]F{}
	}
	(*m)[ref] = f
	return nil
}
