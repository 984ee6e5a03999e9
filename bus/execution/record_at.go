package execution

import (
	"context"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// At returns the execution as of result r, whether its record is behind r or
// ahead of it, or nil if r does not count (see isTaken). changed reports whether
// r changed the batch status. The error is one that is [bus.ErrNotFound] if
// there is no record, not yet or no longer.
func (s *Service) At(ctx context.Context, r *bus.StoredResult) (e *bus.Execution, changed bool, err error) {
	rec, err := s.b.Executions.Get(ctx, bus.ExecutionKey(r.App, r.Job, r.ID))
	if err != nil {
		return nil, false, err
	}
	e = &rec.Value
	ahead := e.LastSequence > r.Sequence
	taken, err := s.foldUpTo(ctx, e, r)
	if err != nil || !taken {
		return nil, false, err
	}
	counted := asTimedOut(e, r)
	if ahead {
		rewindRecord(e, counted)
	}
	e.BatchStatus = counted.BatchStatus // without the effect of a stop request
	changed, err = s.statusChanged(ctx, r)
	return e, changed, err
}

// foldUpTo folds the results up to r into e, unless e has them. It reports
// whether r counts.
func (s *Service) foldUpTo(ctx context.Context, e *bus.Execution, r *bus.StoredResult) (taken bool, err error) {
	if e.LastSequence >= r.Sequence {
		if taken, known := wasTaken(e, r); known {
			return taken, nil
		}
		e = &bus.Execution{Execution: subjects.Execution{BatchStatus: subjects.Undispatched}}
	}
	for reads := 0; e.LastSequence < r.Sequence; reads++ {
		next := r
		if r.Expected != e.LastSequence {
			if reads == maxFolded { // the projector reads them too, and writes how far it has come
				return false, fmt.Errorf("read the results of %d before %d: more than %d: %w", r.ID, r.Sequence, maxFolded, bus.ErrUnknown)
			}
			if next, err = s.b.ResultAt(ctx, r.App, r.Job, r.ID, e.LastSequence+1); err != nil {
				return false, err
			}
			next.Expected = e.LastSequence // see refoldMissing
		}
		taken = foldResult(e, next) == applied
	}
	return taken, nil
}

// wasTaken reports whether a result counted that the record e already has. known
// is false if the record does not tell: the result is of an earlier attempt, or
// the record is of an older release.
func wasTaken(e *bus.Execution, r *bus.StoredResult) (taken, known bool) {
	switch {
	case r.Agent == subjects.Bus:
		return true, true
	case !isAgentStatus(r.BatchStatus), r.Attempt > e.Attempt, r.Attempt == e.Attempt && r.Agent != e.Agent:
		return false, true
	case r.Attempt < e.Attempt, e.ClaimSequence == 0, e.BatchStatus.Waiting():
		return false, false
	}
	ended := e.BatchStatus.Ended()
	return r.Sequence >= e.ClaimSequence && (!ended || r.Sequence <= e.EndSequence), !ended || e.EndSequence > 0
}

// rewindRecord turns a record into what it was after r, as far as that is
// known. For a start it leaves out everything later. After an end, only an
// abandon can have followed.
func rewindRecord(e *bus.Execution, r *bus.StoredResult) {
	e.BatchStatus, e.ExitStatus, e.Exception = r.BatchStatus, r.ExitStatus, r.Exception
	if !r.BatchStatus.Ended() {
		e.EndTime, e.StepExecutions = 0, nil
		mergeSteps(e, r, nil)
		return
	}
	if e.ExitStatus == "" {
		e.ExitStatus = defaultExitStatus(r.BatchStatus)
	}
}

// statusChanged reports whether the batch status of a result differs from that
// of the result before. An end always counts as a change. A result within a
// handling may repeat the status, to report a step.
func (s *Service) statusChanged(ctx context.Context, r *bus.StoredResult) (bool, error) {
	if r.BatchStatus.Ended() || r.Agent == subjects.Bus || r.Number == 1 {
		return true, nil
	}
	before, err := s.b.ResultAt(ctx, r.App, r.Job, r.ID, r.Expected)
	if err != nil {
		return false, err
	}
	return before.BatchStatus != r.BatchStatus, nil
}
