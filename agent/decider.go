package agent

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Decider answers a decision of a job (9.6). Its answer becomes the exit status
// of the job and is compared with the transitions of the decision. An empty
// answer or an error fails the job.
//
// last holds the step executions of the element before the decision: that of a
// step, the last one of a flow, or the last one of each flow of a split. After
// a restart they may be from earlier executions of the job (10.8.4 rule 3d).
type Decider interface {
	Decide(ctx context.Context, last []subjects.StepExecution) (exitStatus string, err error)
}

// DeciderFunc is a function that is a [Decider].
type DeciderFunc func(ctx context.Context, last []subjects.StepExecution) (exitStatus string, err error)

// Decide calls f.
func (f DeciderFunc) Decide(ctx context.Context, last []subjects.StepExecution) (string, error) {
	return f(ctx, last)
}

// DecisionContext describes a decision to its decider. Its Properties are those
// of the decision.
type DecisionContext struct {
	*JobContext
	Decision string // its id

	newest func(step string) (subjects.StepExecution, bool)
}

// NewDecisionContext creates the context of a decision; only runtimes need it.
// newest returns the newest execution of any step in the job instance.
func NewDecisionContext(job *JobContext, decision string, newest func(step string) (subjects.StepExecution, bool)) *DecisionContext {
	return &DecisionContext{JobContext: job, Decision: decision, newest: newest}
}

// StepExecution returns the newest execution of a step that has ended in the
// job instance, and reports whether there is one.
func (d *DecisionContext) StepExecution(step string) (subjects.StepExecution, bool) {
	return d.newest(step)
}

// WithDecider registers a decider under ref, the name by which a job's JSL
// refers to it. f is called each time that a decision asks.
func WithDecider(ref string, f func(*DecisionContext) (Decider, error)) Option {
	return func(a *Agent) error {
		return registerIn(&a.artifacts.Deciders, "decider", ref, f == nil, f)
	}
}
