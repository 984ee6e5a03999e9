package execution

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// Overrun records that an execution takes too long, and the action of the time
// monitor. It writes the action to the record before the action is carried out,
// and only once: first is false if an action was recorded before, or if the
// execution has ended. For the actions stop and abandon the same write also
// requests a stop, so that neither can be lost. The caller sends the alert, and
// abandons the execution once it has stopped. The error is a StateError
// no_such_job_execution if the execution is gone.
func (s *Service) Overrun(ctx context.Context, app, job string, id int64, action string) (e *bus.Execution, first bool, err error) {
	e, err = s.changeRecord(ctx, app, job, id, func(e *bus.Execution) (bool, error) {
		if first = e.Monitored == "" && !e.BatchStatus.Ended(); !first {
			return false, nil
		}
		e.Monitored = action
		if action != bus.ActionAlert {
			requestStop(e)
		}
		return true, nil
	})
	if err == nil && first && action != bus.ActionAlert {
		s.tryToStop(ctx, e)
	}
	return e, first, err
}
