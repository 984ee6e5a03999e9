package execution

import (
	"context"
	"errors"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Restart goes on where a stopped or failed execution ended, as a new execution of the same instance, with the job's definition of
// now and these parameters: those of before are not remembered (JSR-352 section 10.8.1). Two restarts at once give one;
// created is false for whoever comes second. StateErrors: job_execution_already_complete, job_execution_is_running,
// job_execution_not_most_recent, job_restart, and those of Submit.
func (s *Service) Restart(ctx context.Context, app, job string, id int64, parameters map[string]string) (e *bus.Execution, created bool, err error) {
	start := time.Now()
	old, err := s.Get(ctx, app, job, id)
	if err != nil {
		return nil, false, err
	}
	_, parsed, err := s.definition(ctx, old.App, old.Job)
	if err != nil {
		return nil, false, err
	}
	if s.cfg.Runnable != nil {
		if err := s.cfg.Runnable(parsed); err != nil {
			return nil, false, bus.State(bus.CodeStartRefused, "%v", err)
		}
	}
	if !parsed.Restartable.Or(true) {
		return nil, false, bus.State(bus.CodeRestartRefused, "the job %s is not restartable", bus.JobKey(old.App, old.Job))
	}
	if old.RestartedBy != 0 { // before we asked
		return nil, false, bus.State(bus.CodeNotMostRecent, "execution %d was restarted as %d", id, old.RestartedBy)
	}
	if parsed.Exclusive {
		if err := s.lockedOut(ctx, old.App, old.Job); err != nil {
			return nil, false, err
		}
	}
	next, err := s.b.NextID(ctx)
	if err != nil {
		return nil, false, err
	}
	won := false
	old, err = s.change(ctx, old.App, old.Job, id, func(o *bus.Execution) (bool, error) {
		won = false
		switch {
		case o.RestartedBy != 0: // just now, by somebody else
			return false, nil
		case o.BatchStatus == subjects.Completed:
			return false, bus.State(bus.CodeAlreadyComplete, "execution %d has completed", id)
		case o.BatchStatus == subjects.Abandoned:
			return false, bus.State(bus.CodeRestartRefused, "execution %d was abandoned", id)
		case !o.BatchStatus.Ended():
			return false, bus.State(bus.CodeIsRunning, "execution %d has not ended: it is %s", id, o.BatchStatus)
		}
		o.RestartedBy, o.RestartParams = next, parameters
		won = true
		return true, nil
	})
	if err != nil {
		return nil, false, err
	}
	return s.succeed(ctx, old, start, won)
}

// succeed submits the execution that old was restarted as.
func (s *Service) succeed(ctx context.Context, old *bus.Execution, start time.Time, created bool) (*bus.Execution, bool, error) {
	def, parsed, err := s.definition(ctx, old.App, old.Job)
	if err != nil {
		return nil, false, err
	}
	rec := newRecord(old.RestartedBy, def, parsed, time.Now())
	rec.BatchStatus, rec.InstanceID, rec.RestartOf = subjects.Unrestarted, old.InstanceID, old.ID
	rec.Parameters, rec.Before, rec.StartPosition = old.RestartParams, states(old.Before, old.StepExecutions), old.RestartPosition
	return s.begin(ctx, rec, start, created)
}

// DeleteHistory removes all ended executions of a job from the lists. The janitor does the rest, in the order that lets
// nothing of them come back.
func (s *Service) DeleteHistory(ctx context.Context, app, job string) error {
	for {
		page, _ := s.x.Executions(app, job, 0, 1<<30)
		marked := 0
		for i := len(page) - 1; i >= 0; i-- { // the oldest first
			if !page[i].BatchStatus.Ended() {
				continue
			}
			if err := s.markDeleted(ctx, app, job, page[i].ID); err != nil {
				return err
			}
			marked++
		}
		if marked == 0 {
			return nil
		}
	}
}

func (s *Service) markDeleted(ctx context.Context, app, job string, id int64) error {
	_, err := s.change(ctx, app, job, id, func(e *bus.Execution) (bool, error) {
		if !e.BatchStatus.Ended() {
			return false, bus.State(bus.CodeIsRunning, "execution %d has not ended", id)
		}
		e.DeleteTime = subjects.Now()
		return true, nil
	})
	if bus.HasCode(err, bus.CodeNoSuchExecution) {
		return nil // somebody else did
	}
	return err
}

// DeleteJob removes a definition at its revision (0: whatever it is), with its schedule, and its history unless it is to be
// kept. The error is a StateError job_execution_is_running while an execution has not ended.
func (s *Service) DeleteJob(ctx context.Context, app, job string, revision uint64, keepHistory bool) error {
	e, err := s.b.Jobs.Get(ctx, bus.JobKey(app, job))
	if errors.Is(err, bus.ErrNotFound) {
		return bus.NoSuchJob(app, job)
	}
	if err != nil {
		return err
	}
	if revision != 0 && e.Revision != revision {
		return bus.ErrChanged
	}
	if n := s.x.LiveOf(app, job); n > 0 {
		return bus.State(bus.CodeIsRunning, "the job %s has %d executions that have not ended", bus.JobKey(app, job), n)
	}
	sched, err := s.b.Schedules.Get(ctx, e.Key)
	if err == nil {
		if err = s.b.Schedules.Delete(ctx, e.Key, sched.Revision); err == nil {
			s.x.PutSchedule(app, job, nil, sched.Revision+1)
		}
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	if err := s.b.Jobs.Delete(ctx, e.Key, e.Revision); err != nil {
		return err
	}
	s.x.PutJob(app, job, nil, e.Revision+1)
	if keepHistory {
		return nil
	}
	return s.DeleteHistory(ctx, app, job)
}

// DeleteApp removes an application without jobs, its queue and its history. StateErrors: no_such_app, app_in_use.
func (s *Service) DeleteApp(ctx context.Context, app string) error {
	e, err := s.b.Apps.Get(ctx, app)
	if errors.Is(err, bus.ErrNotFound) {
		return bus.State(bus.CodeNoSuchApp, "there is no application %s", app)
	}
	if err != nil {
		return err
	}
	jobs, err := s.b.Jobs.List(ctx, app+".*")
	if err != nil {
		return err
	}
	if len(jobs) > 0 {
		return bus.State(bus.CodeAppInUse, "the application %s has %d jobs: delete them first", app, len(jobs))
	}
	if err := s.b.Apps.Delete(ctx, app, e.Revision); err != nil {
		return err
	}
	s.x.PutApp(app, nil, e.Revision+1)
	for _, job := range s.x.JobNames(app) {
		if err := s.DeleteHistory(ctx, app, job); err != nil {
			return err
		}
	}
	return s.b.RemoveQueue(ctx, app)
}
