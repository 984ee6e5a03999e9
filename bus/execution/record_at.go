package execution

import (
	"context"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// At returns the execution as of result r, whether its record is behind r or
// ahead of it. changed reports whether r changed the batch status. The error is
// one that is [bus.ErrNotFound] if there is no record, not yet or no longer.
func (s *Service) At(ctx context.Context, r *bus.StoredResult) (e *bus.Execution, changed bool, err error) {
	rec, err := s.b.Executions.Get(ctx, bus.ExecutionKey(r.App, r.Job, r.ID))
	if err != nil {
		return nil, false, err
	}
	e = &rec.Value
	if e.LastSequence > r.Sequence {
		rewindRecord(e, r)
	}
	for e.LastSequence < r.Sequence {
		next := r
		if r.Expected != e.LastSequence {
			if next, err = s.b.ResultAt(ctx, r.App, r.Job, r.ID, e.LastSequence+1); err != nil {
				return nil, false, err
			}
		}
		if foldResult(e, next) != applied {
			return nil, false, fmt.Errorf("result %d of execution %d does not follow from its record: %w", next.Sequence, r.ID, bus.ErrNotFound)
		}
	}
	e.BatchStatus = r.BatchStatus // without the effect of a stop request
	changed, err = s.statusChanged(ctx, r)
	return e, changed, err
}

// rewindRecord turns a record into what it was after r, as far as that is
// known. For a start it leaves out everything later. After an end, only an
// abandon can have followed.
func rewindRecord(e *bus.Execution, r *bus.StoredResult) {
	e.BatchStatus, e.ExitStatus, e.Exception = r.BatchStatus, r.ExitStatus, r.Exception
	if !r.BatchStatus.Ended() {
		e.EndTime, e.StepExecutions = 0, r.Steps
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
