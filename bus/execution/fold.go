package execution

import (
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// folded says what a result did to a record.
type folded int

const (
	applied folded = iota
	held           // the record has it already
	gap            // one before it is missing
)

// fold applies a result to a record, which it changes. A result is applied only if the one that it was published to follow is
// the record's last.
func fold(e *bus.Execution, r *bus.StoredResult) folded {
	switch {
	case r.Sequence <= e.LastSequence:
		return held
	case r.Expected != e.LastSequence:
		return gap
	}
	e.LastSequence = r.Sequence
	e.UpdateTime = r.Time
	if r.Attempt > e.Attempt { // what was wrong with the attempt before is in RESULTS
		e.Attempt, e.Exception, e.ExitStatus = r.Attempt, "", ""
	}
	e.BatchStatus = r.BatchStatus
	if e.Wish == bus.WishStop && e.BatchStatus.Running() {
		e.BatchStatus = subjects.Stopping
	}
	if r.Agent != subjects.Bus {
		e.Agent = r.Agent
	}
	if r.BatchStatus == subjects.Started && e.StartTime == 0 {
		e.StartTime = r.Time
	}
	e.LogDropped = max(e.LogDropped, r.LogDropped)
	e.StepExecutions = merge(e.StepExecutions, r.Steps)
	if r.ExitStatus != "" {
		e.ExitStatus = r.ExitStatus
	}
	if r.Exception != "" {
		e.Exception = r.Exception
	}
	if e.BatchStatus.Ended() {
		end(e, r)
	}
	if e.BatchStatus == subjects.Unknown {
		closeSteps(e, r)
	}
	return applied
}

// end fills in what an ended execution always has.
func end(e *bus.Execution, r *bus.StoredResult) {
	if e.ExitStatus == "" || e.BatchStatus == subjects.Abandoned {
		e.ExitStatus = exitOf(e.BatchStatus)
	}
	if e.EndTime == 0 {
		e.EndTime = r.Time
	}
	e.RestartPosition = r.RestartPosition
	e.Definition = nil // a restart takes the job's definition of then
	closeSteps(e, r)
}

// closeSteps ends the steps that were running when the attempt was ended by somebody else.
func closeSteps(e *bus.Execution, r *bus.StoredResult) {
	for i := range e.StepExecutions {
		s := &e.StepExecutions[i]
		if s.BatchStatus.Ended() {
			continue
		}
		s.BatchStatus = subjects.Failed
		if r.BatchStatus == subjects.Stopped {
			s.BatchStatus = subjects.Stopped
		}
		s.EndTime = r.Time
		if s.ExitStatus == "" {
			s.ExitStatus = exitOf(s.BatchStatus)
		}
	}
}

// merge puts each changed step in the place of what was known of it.
func merge(steps, changed []subjects.StepExecution) []subjects.StepExecution {
	if len(changed) == 0 {
		return steps
	}
	steps = slices.Clone(steps) // the one before may be somebody's
	for _, c := range changed {
		if i := slices.IndexFunc(steps, func(s subjects.StepExecution) bool { return s.ID == c.ID }); i >= 0 {
			steps[i] = c
		} else {
			steps = append(steps, c)
		}
	}
	return steps
}

// exitOf is the exit status of who set none: the batch status, in upper case (JSR-352 section 8.7).
func exitOf(s subjects.BatchStatus) string { return strings.ToUpper(string(s)) }

// states is what a further attempt or a restart has to know of each step: its newest execution, and how often it started.
func states(before []subjects.StepState, steps []subjects.StepExecution) []subjects.StepState {
	all := slices.Clone(before)
	for _, s := range steps {
		i := slices.IndexFunc(all, func(t subjects.StepState) bool { return t.Step == s.Step })
		if i < 0 {
			all = append(all, subjects.StepState{Step: s.Step})
			i = len(all) - 1
		}
		if !s.BatchStatus.Ended() { // its agent was lost
			s.BatchStatus = subjects.Failed
		}
		all[i] = subjects.StepState{
			Step: s.Step, BatchStatus: s.BatchStatus, ExitStatus: s.ExitStatus,
			Starts: all[i].Starts + 1, PersistentData: s.PersistentData,
		}
	}
	return all
}
