package execution

import (
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// foldOutcome tells what became of a result that was folded into a record.
type foldOutcome int

const (
	applied foldOutcome = iota
	skipped             // it follows the record, but does not count: see isTaken
	held                // the record already has it
	gap                 // a result before it is missing
)

// isTaken reports whether a result that follows the record e counts. The bus
// may report anything. An agent may claim an execution that waits, and from then
// on only that agent reports the attempt: permissions confine an agent to its
// applications, not to its executions. Nothing of an agent follows an end.
func isTaken(e *bus.Execution, r *bus.StoredResult) bool {
	switch {
	case r.Agent == subjects.Bus:
		return true
	case !isAgentStatus(r.BatchStatus):
		return false
	case e.BatchStatus.Waiting():
		return r.Attempt == e.Attempt+1 // the one that was requested
	case e.BatchStatus.Running():
		return r.Attempt == e.Attempt && r.Agent == e.Agent
	}
	return false
}

// isAgentStatus reports whether an agent may report a status.
func isAgentStatus(s subjects.BatchStatus) bool {
	return s.Running() || s.Ended() && s != subjects.Abandoned
}

// foldResult applies a result to the record e. It does so only if the result
// was published to follow the record's last result.
func foldResult(e *bus.Execution, r *bus.StoredResult) foldOutcome { return foldWithData(e, r, nil) }

// foldWithData is foldResult for a caller that stores what steps keep. It adds
// that to data; the record does not hold it.
func foldWithData(e *bus.Execution, r *bus.StoredResult, data stepChanges) foldOutcome {
	switch {
	case r.Sequence <= e.LastSequence:
		return held
	case r.Expected != e.LastSequence:
		return gap
	}
	taken := isTaken(e, r)
	e.LastSequence = r.Sequence
	if !taken {
		return skipped
	}
	r = asTimedOut(e, r)
	e.UpdateTime = r.Time
	if r.Attempt > e.Attempt { // the faults of earlier attempts are in RESULTS
		e.Attempt, e.Exception, e.ExitStatus = r.Attempt, "", ""
		e.ClaimSequence = r.Sequence
	}
	e.BatchStatus = r.BatchStatus
	if isStopping(e) && e.BatchStatus.Running() {
		e.BatchStatus = subjects.Stopping
	}
	if r.Agent != subjects.Bus {
		e.Agent = r.Agent
	}
	if r.BatchStatus == subjects.Started && e.StartTime == 0 {
		e.StartTime = r.Time
	}
	e.LogDropped = max(e.LogDropped, r.LogDropped)
	mergeSteps(e, r, data)
	if r.ExitStatus != "" {
		e.ExitStatus = r.ExitStatus
	}
	if r.Exception != "" {
		e.Exception = r.Exception
	}
	if e.BatchStatus.Ended() {
		fillEnd(e, r)
	}
	if e.BatchStatus == subjects.Unknown {
		closeSteps(e, r)
	}
	return applied
}

// fillEnd sets the fields that an ended execution always has.
func fillEnd(e *bus.Execution, r *bus.StoredResult) {
	if e.ExitStatus == "" || e.BatchStatus == subjects.Abandoned {
		e.ExitStatus = defaultExitStatus(e.BatchStatus)
	}
	if e.EndTime == 0 {
		e.EndTime = r.Time
	}
	if e.EndSequence == 0 {
		e.EndSequence = r.Sequence
	}
	e.RestartPosition = r.RestartPosition
	e.Definition = nil // a restart takes the job's definition at that time
	planRetry(e, r)
	closeSteps(e, r)
}

// closeSteps ends the steps that ran when somebody else than the agent ended
// the attempt.
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
			s.ExitStatus = defaultExitStatus(s.BatchStatus)
		}
		s.Partitions = closePartitions(s.Partitions, s.BatchStatus, r.Time)
	}
}

// defaultExitStatus returns the exit status of an execution or step that has
// set none: the batch status in upper case (JSR-352 section 8.7).
func defaultExitStatus(s subjects.BatchStatus) string { return strings.ToUpper(string(s)) }
