package execution

import (
	"context"
	"errors"
	"slices"

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

// ScheduleCloser removes a job's schedule, if there is one, and decides what
// was due until then: only the scheduler may.
type ScheduleCloser func(ctx context.Context, app, job string) error

// DeleteJob deletes a job at the revision of its last edit (0: at any
// revision), with its schedule, and with its history unless keepHistory is set.
// StateErrors: job_execution_is_running while an execution has not ended;
// job_renamed.
func (s *Service) DeleteJob(ctx context.Context, app, job string, revision uint64, keepHistory bool, closeSchedule ScheduleCloser) error {
	for {
		err := s.deleteJob(ctx, app, job, revision, keepHistory, closeSchedule)
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
		if e, gone := s.b.Job(ctx, app, job); gone != nil || revision != 0 && bus.EditOf(e) != revision {
			return err
		}
	}
}

func (s *Service) deleteJob(ctx context.Context, app, job string, revision uint64, keepHistory bool, closeSchedule ScheduleCloser) error {
	e, err := s.b.Job(ctx, app, job)
	if errors.Is(err, bus.ErrNotFound) {
		return bus.NoSuchJob(app, s.x.JobName(app, job))
	}
	if err != nil {
		return err
	}
	if revision != 0 && bus.EditOf(e) != revision {
		return bus.ErrChanged
	}
	if keepHistory && bus.NameKey(e.Value.Name) != e.Value.Token {
		return bus.State(bus.CodeRenamed, "the history of %s is kept under the name that it was made with, %s: rename it back, or delete the history too", e.Value.Name, s.x.FirstName(app, job))
	}
	if n := s.x.LiveOf(app, job); n > 0 {
		return bus.State(bus.CodeIsRunning, "the job %s has %d executions that have not ended", bus.JobKey(app, e.Value.Name), n)
	}
	if err := closeSchedule(ctx, app, job); err != nil {
		return err
	}
	if err := s.b.DeleteJob(ctx, e); err != nil {
		return err
	}
	s.x.PutJob(app, job, nil, e.Revision+1)
	if keepHistory {
		return nil
	}
	return s.DeleteHistory(ctx, app, job)
}

// DeleteApp deletes an application that has no jobs, with its queue and its
// history. StateErrors: no_such_app, app_in_use.
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
	jobs = slices.DeleteFunc(jobs, func(e bus.Entry[bus.Job]) bool { return e.Value.Definition == nil })
	if len(jobs) > 0 {
		return bus.State(bus.CodeAppInUse, "the application %s has %d jobs: delete them first", app, len(jobs))
	}
	if err := s.b.Apps.Delete(ctx, app, e.Revision); err != nil {
		return err
	}
	s.x.PutApp(app, nil, e.Revision+1)
	for _, job := range s.x.JobTokens(app) {
		if err := s.DeleteHistory(ctx, app, job); err != nil {
			return err
		}
	}
	return s.b.RemoveQueue(ctx, app)
}
