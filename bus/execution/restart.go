package execution

import (
	"cmp"
	"context"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Restart continues a stopped or failed execution as a new execution of the
// same instance, with the job's present definition. The given parameters
// replace those of the predecessor as a whole (JSR-352 section 10.8.1 forbids
// to merge them); an empty map means none. If parameters is nil, the restart
// has its predecessor's. If two callers restart at the same time, there is one
// restart, and created is false for the second. Errors: FieldError
// (parameters), StateErrors job_execution_already_complete,
// job_execution_is_running, job_execution_not_most_recent, job_restart, and
// those of Submit.
func (s *Service) Restart(ctx context.Context, app, job string, id int64, parameters map[string]string) (e *bus.Execution, created bool, err error) {
	start := time.Now()
	old, err := s.Get(ctx, app, job, id)
	if err != nil {
		return nil, false, err
	}
	return s.restartAs(ctx, old, parameters, 0, start)
}

// restartAs restarts old. run is 0, or the number of the automatic retry.
func (s *Service) restartAs(ctx context.Context, old *bus.Execution, parameters map[string]string, run int, start time.Time) (e *bus.Execution, created bool, err error) {
	id := old.ID
	used := parameters
	if used == nil {
		used = old.Parameters
	}
	// The predecessor may be from before such parameters were refused.
	if err := CheckParameters(used); err != nil {
		return nil, false, err
	}
	_, parsed, err := s.jobDefinition(ctx, old.App, old.Job)
	if err != nil {
		return nil, false, err
	}
	if s.cfg.Runnable != nil {
		if err := s.cfg.Runnable(parsed); err != nil {
			return nil, false, bus.State(bus.CodeStartRefused, "%v", err)
		}
	}
	if !parsed.CanRestart(used) {
		return nil, false, bus.State(bus.CodeRestartRefused, "the job %s is not restartable", bus.JobKey(old.App, parsed.ID))
	}
	if err := checkRun(old, parsed, run); err != nil {
		return nil, false, err
	}
	if old.RestartedBy != 0 { // before this call
		return nil, false, bus.State(bus.CodeNotMostRecent, "execution %d was restarted as %d", id, old.RestartedBy)
	}
	if parsed.Exclusive {
		if err := s.checkLock(ctx, old.App, old.Job); err != nil {
			return nil, false, err
		}
	}
	if err := s.b.Room(ctx); err != nil {
		return nil, false, err
	}
	next, err := s.b.NextID(ctx)
	if err != nil {
		return nil, false, err
	}
	won := false
	old, err = s.changeRecord(ctx, old.App, old.Job, id, func(o *bus.Execution) (bool, error) {
		won = false
		switch {
		case o.RestartedBy != 0: // just now, by another caller
			return false, nil
		case run > 0 && !o.AwaitsRetry():
			return false, bus.State(bus.CodeRestartRefused, "execution %d is not to be retried: %s", id, o.RetryEnded)
		case o.BatchStatus == subjects.Completed:
			return false, bus.State(bus.CodeAlreadyComplete, "execution %d has completed", id)
		case o.BatchStatus == subjects.Abandoned:
			return false, bus.State(bus.CodeRestartRefused, "execution %d was abandoned", id)
		case !o.BatchStatus.Ended():
			return false, bus.State(bus.CodeIsRunning, "execution %d has not ended: it is %s", id, o.BatchStatus)
		}
		o.RestartedBy, o.RestartParams, o.RestartRun = next, parameters, run
		if parameters == nil {
			o.RestartParams = o.Parameters
		}
		won = true
		return true, nil
	})
	if err != nil {
		return nil, false, err
	}
	return s.submitRestart(ctx, old, start, won)
}

// submitRestart submits the execution that old was restarted as.
func (s *Service) submitRestart(ctx context.Context, old *bus.Execution, start time.Time, created bool) (*bus.Execution, bool, error) {
	def, parsed, err := s.jobDefinition(ctx, old.App, old.Job)
	if err != nil {
		return nil, false, err
	}
	rec := s.newRecord(old.RestartedBy, def, parsed, time.Now())
	rec.BatchStatus, rec.InstanceID, rec.RestartOf = subjects.Unrestarted, old.InstanceID, old.ID
	if rec.Retry != nil {
		rec.Retry.Run = max(1, old.RestartRun)
	}
	// A job for a date restarts for that date.
	rec.ScheduledFor, rec.ScheduledDate, rec.Schedule, rec.Causes = old.ScheduledFor, old.ScheduledDate, old.FiredBy(), old.Causes
	rec.Backfill = old.Backfill
	rec.SchedulePool, rec.Pool = old.SchedulePool, cmp.Or(old.SchedulePool, rec.Pool)
	rec.Parameters, rec.Before, rec.StartPosition = old.RestartParams, stepStates(old.Before, old.ID, old.StepExecutions), old.RestartPosition
	return s.beginExecution(ctx, rec, start, created)
}
