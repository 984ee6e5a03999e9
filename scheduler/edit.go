package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// scheduleChange returns the new schedule and the name of the event. Both the
// old and the new schedule may be nil, for none. It returns the same pointer if
// nothing changes.
type scheduleChange func(was *bus.Schedule) (is *bus.Schedule, what string, err error)

// Set creates or replaces the schedule of a job, active or paused as sc says,
// and returns its revision. Set ignores the generation and the times in sc and
// writes its own. Errors: [bus.FieldError], [bus.StateError] no_such_job,
// ErrAway.
func (s *Scheduler) Set(ctx context.Context, sc bus.Schedule) (rev uint64, err error) {
	if err := s.ValidateSchedule(sc); err != nil {
		return 0, err
	}
	if _, err := s.bus.Job(ctx, sc.App, sc.Job); errors.Is(err, bus.ErrNotFound) {
		return 0, bus.NoSuchJob(sc.App, s.index.JobName(sc.App, sc.Job))
	} else if err != nil {
		return 0, err
	}
	return s.editSchedule(ctx, sc.App, sc.Job, atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		is := sc
		if was == nil {
			return &is, "created", nil
		}
		is.Generation, is.Since, is.UpdateTime = was.Generation, was.Since, was.UpdateTime
		if is == *was {
			return was, "", nil
		}
		return &is, "changed", nil
	})
}

// ValidateSchedule returns the [bus.FieldError] with which [Scheduler.Set]
// would refuse the schedule, or nil. It does not look at the job.
func (s *Scheduler) ValidateSchedule(sc bus.Schedule) error {
	p, err := checkedPlan(&sc, s.plans.zone)
	if err == nil && p.nextAfter(time.Now()).IsZero() {
		err = &bus.FieldError{Path: "/cron_notation", Want: "an expression that fires: all its years are past", Got: sc.Cron}
	}
	return err
}

// Pause stops a schedule from firing until it is resumed. Errors:
// [bus.StateError] no_such_schedule, ErrAway.
func (s *Scheduler) Pause(ctx context.Context, app, job string) error {
	return s.setActive(ctx, app, job, false, "paused")
}

// Resume ends a pause. Times that passed during the pause do not fire. It
// returns the same errors as Pause.
func (s *Scheduler) Resume(ctx context.Context, app, job string) error {
	return s.setActive(ctx, app, job, true, "resumed")
}

func (s *Scheduler) setActive(ctx context.Context, app, job string, active bool, what string) error {
	_, err := s.editSchedule(ctx, app, job, atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		switch {
		case was == nil:
			return nil, "", s.noSuchSchedule(app, job)
		case was.Active == active:
			return was, "", nil
		}
		is := *was
		is.Active = active
		return &is, what, nil
	})
	return err
}

// Remove deletes a schedule. It first decides the times that are due: those
// that are on time still fire. It returns the same errors as Pause.
func (s *Scheduler) Remove(ctx context.Context, app, job string) error {
	_, err := s.editSchedule(ctx, app, job, atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		if was == nil {
			return nil, "", s.noSuchSchedule(app, job)
		}
		return nil, "removed", nil
	})
	return err
}

// CloseSchedule removes the schedule of a job that is about to be deleted. It
// skips due times that are undecided, with the reason "deleted": a fire would
// stop the deletion half way. It does nothing if the job has no schedule. The
// error may be ErrAway.
func (s *Scheduler) CloseSchedule(ctx context.Context, app, job string) error {
	_, err := s.editSchedule(ctx, app, job, atDeletion, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		return nil, "removed", nil
	})
	return err
}

func (s *Scheduler) noSuchSchedule(app, job string) error {
	return bus.State(bus.CodeNoSuchSchedule, "job %s of application %s has no schedule", s.index.JobName(app, job), app)
}

// Next returns the next n nominal times of a schedule, in its time zone. It
// returns none if the schedule is paused or does not exist.
func (s *Scheduler) Next(app, job string, n int) []time.Time {
	j, ok := s.index.Job(app, job)
	if !ok || j.Schedule == nil || !j.Schedule.Active {
		return nil
	}
	p, err := s.plans.planFor(j.Schedule)
	if err != nil {
		return nil
	}
	var next []time.Time
	for t := p.nextAfter(time.Now()); len(next) < n && !t.IsZero(); t = p.nextAfter(t) {
		next = append(next, t)
	}
	return next
}

// editSchedule applies a change, and retries while other buses change the
// schedule at the same time. It blocks until [Scheduler.Run] has loaded the
// fires.
func (s *Scheduler) editSchedule(ctx context.Context, app, job string, o occasion, change scheduleChange) (rev uint64, err error) {
	key := bus.JobKey(app, job)
	if err := s.ledger.waitLoaded(ctx); err != nil {
		return 0, fmt.Errorf("edit schedule %s: the scheduler has not loaded the fires yet: %w: %w", key, bus.ErrAway, err)
	}
	release, err := s.locks.lockSchedule(ctx, key)
	if err != nil {
		return 0, err
	}
	defer release()
	for {
		rev, err = s.tryEdit(ctx, app, job, o, change)
		if !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) && !errors.Is(err, errStale) {
			return rev, err
		}
	}
}

// tryEdit applies a change to the schedule as it is now. It fails if another
// bus changes the schedule meanwhile.
func (s *Scheduler) tryEdit(ctx context.Context, app, job string, o occasion, change scheduleChange) (rev uint64, err error) {
	key := bus.JobKey(app, job)
	e, err := s.bus.Schedules.Get(ctx, key)
	var was *bus.Schedule
	switch {
	case err == nil:
		was = &e.Value
	case !errors.Is(err, bus.ErrNotFound):
		return 0, err
	}
	is, what, err := change(was)
	if err != nil || is == was {
		return e.Revision, err
	}
	now := subjects.Now()
	generation := uint64(0)
	if was != nil {
		generation = was.Generation
		if err := s.decideDue(ctx, was, now, o); err != nil {
			return 0, err
		}
	} else if generation, err = s.lastGeneration(ctx, key); err != nil {
		return 0, err
	}
	if is != nil {
		is.Generation, is.Since, is.UpdateTime = generation+1, now, now
	}
	if rev, err = s.writeSchedule(ctx, key, was, is, e.Revision); err != nil {
		return 0, err
	}
	s.index.PutSchedule(app, job, is, rev)
	s.bus.Event("schedule", what, []string{app, job}, is)
	return rev, nil
}

func (s *Scheduler) writeSchedule(ctx context.Context, key string, was, is *bus.Schedule, rev uint64) (uint64, error) {
	switch {
	case is == nil:
		return rev + 1, s.bus.Schedules.Delete(ctx, key, rev)
	case was == nil:
		return s.bus.Schedules.Create(ctx, key, *is)
	}
	return s.bus.Schedules.Update(ctx, key, *is, rev)
}

// lastGeneration returns the generation of the schedule that the job had
// before. The new schedule counts on from it, so that its walk ignores keys
// which a late bus creates for the old one.
func (s *Scheduler) lastGeneration(ctx context.Context, key string) (uint64, error) {
	last := s.ledger.newestGeneration(key)
	history, err := s.bus.Schedules.KV().History(ctx, key)
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, fmt.Errorf("read the history of schedule %s: %w", key, err)
	}
	for _, e := range history {
		var sc bus.Schedule
		if e.Operation() == jetstream.KeyValuePut && json.Unmarshal(e.Value(), &sc) == nil {
			last = max(last, sc.Generation)
		}
	}
	return last, nil
}

// Stored reads the schedule of a job from the leader, nil if there is none.
func (s *Scheduler) Stored(ctx context.Context, app, job string) (*bus.Schedule, error) {
	e, err := s.bus.Schedules.Get(ctx, bus.JobKey(app, job))
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &e.Value, nil
}
