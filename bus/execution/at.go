package execution

import (
	"context"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// At is an execution as a result left it, whether its record shows the result already, lags behind, or shows later ones. changed says
// whether the batch status is another than before the result. The error is one that is [bus.ErrNotFound] if there is no record, yet or any more.
func (s *Service) At(ctx context.Context, r *bus.StoredResult) (e *bus.Execution, changed bool, err error) {
	rec, err := s.b.Executions.Get(ctx, bus.ExecutionKey(r.App, r.Job, r.ID))
	if err != nil {
		return nil, false, err
	}
	e = &rec.Value
	if e.LastSequence > r.Sequence {
		goBack(e, r)
	}
	for e.LastSequence < r.Sequence {
		next := r
		if r.Expected != e.LastSequence {
			if next, err = s.b.ResultAt(ctx, r.App, r.Job, r.ID, e.LastSequence+1); err != nil {
				return nil, false, err
			}
		}
		if fold(e, next) != applied {
			return nil, false, fmt.Errorf("result %d of %d: the record has another past: %w", next.Sequence, r.ID, bus.ErrNotFound)
		}
	}
	e.BatchStatus = r.BatchStatus // not that of a wish
	changed, err = s.changed(ctx, r)
	return e, changed, err
}

// goBack makes of a record what it was after r, as far as it can be told: what came after a start is left out, and after an end comes
// nothing but that it is abandoned.
func goBack(e *bus.Execution, r *bus.StoredResult) {
	e.BatchStatus, e.ExitStatus, e.Exception = r.BatchStatus, r.ExitStatus, r.Exception
	if !r.BatchStatus.Ended() {
		e.EndTime, e.StepExecutions = 0, r.Steps
		return
	}
	if e.ExitStatus == "" {
		e.ExitStatus = exitOf(r.BatchStatus)
	}
}

// changed says whether a result's batch status is another than that of the result before. An end always is; a result within a handling
// repeats the status for the sake of a step.
func (s *Service) changed(ctx context.Context, r *bus.StoredResult) (bool, error) {
	if r.BatchStatus.Ended() || r.Agent == subjects.Bus || r.Number == 1 {
		return true, nil
	}
	before, err := s.b.ResultAt(ctx, r.App, r.Job, r.ID, r.Expected)
	if err != nil {
		return false, err
	}
	return before.BatchStatus != r.BatchStatus, nil
}
