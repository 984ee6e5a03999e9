package execution

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// DeleteHistory removes all ended executions of a job from the lists. The
// janitor purges the rest, in an order that lets nothing reappear.
func (s *Service) DeleteHistory(ctx context.Context, app, job string) error {
	for {
		page, _ := s.x.Executions(app, job, 0, 1<<30)
		marked := 0
		for i := len(page) - 1; i >= 0; i-- { // the oldest first
			if !page[i].BatchStatus.Ended() {
				continue
			}
			if err := s.DeleteExecution(ctx, app, job, page[i].ID); err != nil {
				return err
			}
			marked++
		}
		if marked == 0 {
			return nil
		}
	}
}

// DeleteExecution removes an ended execution from the lists, as DeleteHistory
// does with all. The error is a StateError job_execution_is_running if the
// execution has not ended.
func (s *Service) DeleteExecution(ctx context.Context, app, job string, id int64) error {
	_, err := s.changeRecord(ctx, app, job, id, func(e *bus.Execution) (bool, error) {
		if !e.BatchStatus.Ended() {
			return false, bus.State(bus.CodeIsRunning, "execution %d has not ended", id)
		}
		e.DeleteTime = subjects.Now()
		return true, nil
	})
	if bus.HasCode(err, bus.CodeNoSuchExecution) {
		return nil // somebody else deleted it
	}
	return err
}
