package jobflow

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Runner does what the flow of control decides. The flows of a split call their
// runners concurrently.
//
// A panic of RunStep or Decide counts as an error. A runner that wants the stack
// recovers the panic itself.
type Runner interface {
	// StepStarted is told that a step begins. Calls come one at a time and in
	// the order of the ids. If it returns an error, the step does not begin and
	// the job ends.
	StepStarted(x subjects.StepExecution) error
	// RunStep runs the body of a step. It sets the batch status of x to
	// completed, failed or stopped, and may set its exit status, exception and
	// data. After a stop, x may still be completed or failed.
	RunStep(ctx context.Context, s *jsl.Step, x *subjects.StepExecution)
	// StepEnded is told how a step ended.
	StepEnded(x subjects.StepExecution)
	// StepSkipped is told that a step is skipped, because it was completed
	// earlier. x is what is known of its earlier execution.
	StepSkipped(x subjects.StepExecution)
	// Decide asks the decider of a decision. last holds the step executions of
	// the element before it.
	Decide(ctx context.Context, d *jsl.Decision, last []subjects.StepExecution) (exitStatus string, err error)
	// SetExitStatus sets the exit status of the job.
	SetExitStatus(status string)
	// Fork returns a runner for one flow of a split.
	Fork() Runner
	// Join is called when all flows of a split have ended, with the runners
	// that Fork has returned, in the order of the document.
	Join(flows []Runner)
}

// Start tells where an execution of a job begins.
type Start struct {
	// Steps holds what became of each step in earlier attempts and executions
	// of the job instance. Run does not change it.
	Steps []subjects.StepState
	// Position is the id of the element to begin with. It is empty for the
	// first element.
	Position string
	// LastID is the last id that a step execution has. Further ones count on.
	LastID int64
}

// Outcome tells how a job ended.
type Outcome struct {
	BatchStatus     subjects.BatchStatus // completed, failed or stopped
	Exception       string               // why it failed
	RestartPosition string               // if stopped: where a restart begins; empty for the first element
}

// Run runs the elements of a resolved job until a transition, a failure or the
// end of ctx ends the job. An exit status of the job goes to
// [Runner.SetExitStatus].
func Run(ctx context.Context, job *jsl.Job, start Start, r Runner) Outcome {
	en := &engine{job: job, lastID: start.LastID}
	if len(start.Steps) > 0 {
		en.before = make(map[string]*subjects.StepState, len(start.Steps))
		for i := range start.Steps {
			en.before[start.Steps[i].Step] = &start.Steps[i]
		}
	}
	if len(job.Elements) == 0 {
		return Outcome{BatchStatus: subjects.Failed, Exception: "job " + job.ID + ": want at least one step"}
	}
	first := job.Elements[0]
	var last []subjects.StepExecution
	if start.Position != "" {
		if first = findElement(job.Elements, start.Position); first == nil {
			return Outcome{BatchStatus: subjects.Failed,
				Exception: "job " + job.ID + `: the job no longer has the element "` + start.Position + `", from which to restart`}
		}
		last = en.executionsBefore(first)
	}
	e := en.runScope(ctx, r, job.Elements, first, last).ending
	if e == nil {
		return Outcome{BatchStatus: subjects.Completed}
	}
	if e.exitStatus != "" {
		r.SetExitStatus(e.exitStatus)
	}
	return Outcome{BatchStatus: e.status, Exception: e.exception, RestartPosition: e.restart}
}

func findElement(elements []jsl.Element, id string) jsl.Element {
	for _, e := range elements {
		if e.ElementID() == id {
			return e
		}
	}
	return nil
}
