package execution

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// Overrun notes that an execution takes too long and what the time monitor does about it, which is in the record before it is done,
// and only once: first is false if something was noted before, or if the execution has ended. Stop and abandon are a wish to stop in the
// same write, so that nothing of it can be lost; giving the stopped one up is the caller's part, as is the alert.
// The error is a StateError no_such_job_execution if it is gone.
func (s *Service) Overrun(ctx context.Context, app, job string, id int64, action string) (e *bus.Execution, first bool, err error) {
	e, err = s.change(ctx, app, job, id, func(e *bus.Execution) (bool, error) {
		if first = e.Monitored == "" && !e.BatchStatus.Ended(); !first {
			return false, nil
		}
		e.Monitored = action
		if action != bus.ActionAlert {
			wishStop(e)
		}
		return true, nil
	})
	if err == nil && first && action != bus.ActionAlert {
		s.tryToStop(ctx, e)
	}
	return e, first, err
}
