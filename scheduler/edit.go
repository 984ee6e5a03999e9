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

// edit is a change of a schedule: from what it was, or nil, to what it is to
// be, or nil. The same pointer is no change.
type edit func(was *bus.Schedule) (is *bus.Schedule, what string, err error)

// Set makes sc the schedule of its job, active or paused as it says, and
// returns its revision. Generation and times are set here. Errors:
// [bus.FieldError], [bus.StateError] no_such_job, ErrAway.
func (s *Scheduler) Set(ctx context.Context, sc bus.Schedule) (rev uint64, err error) {
	if err := s.ValidateSchedule(sc); err != nil {
		return 0, err
	}
	if _, err := s.bus.Job(ctx, sc.App, sc.Job); errors.Is(err, bus.ErrNotFound) {
		return 0, bus.NoSuchJob(sc.App, s.index.JobName(sc.App, sc.Job))
	} else if err != nil {
		return 0, err
	}
	return s.edit(ctx, sc.App, sc.Job, atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
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
	p, err := judged(&sc, s.plans.zone)
	if err == nil && p.next(time.Now()).IsZero() {
		err = &bus.FieldError{Path: "/cron_notation", Want: "an expression that fires: its years are over", Got: sc.Cron}
	}
	return err
}

// Pause lets a schedule ask for nothing until it is resumed. Errors:
// [bus.StateError] no_such_schedule, ErrAway.
func (s *Scheduler) Pause(ctx context.Context, app, job string) error {
	return s.activate(ctx, app, job, false, "paused")
}

// Resume ends a pause. What would have been due meanwhile is not made up for.
// Errors as of Pause.
func (s *Scheduler) Resume(ctx context.Context, app, job string) error {
	return s.activate(ctx, app, job, true, "resumed")
}

func (s *Scheduler) activate(ctx context.Context, app, job string, active bool, what string) error {
	_, err := s.edit(ctx, app, job, atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		switch {
		case was == nil:
			return nil, "", s.noSchedule(app, job)
		case was.Active == active:
			return was, "", nil
		}
		is := *was
		is.Active = active
		return &is, what, nil
	})
	return err
}

// Remove deletes a schedule. What was due before is decided: fired if it is on
// time. Errors as of Pause.
func (s *Scheduler) Remove(ctx context.Context, app, job string) error {
	_, err := s.edit(ctx, app, job, atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		if was == nil {
			return nil, "", s.noSchedule(app, job)
		}
		return nil, "removed", nil
	})
	return err
}

// CloseSchedule removes the schedule of a job that is about to be deleted.
// Nominal times that are due and not decided are skipped as "deleted": a fire
// now would stop the deletion half way. It does nothing if the job has no
// schedule. The error may be ErrAway.
func (s *Scheduler) CloseSchedule(ctx context.Context, app, job string) error {
	_, err := s.edit(ctx, app, job, atDeletion, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		return nil, "removed", nil
	})
	return err
}

func (s *Scheduler) noSchedule(app, job string) error {
	return bus.State(bus.CodeNoSuchSchedule, "job %s of application %s has no schedule", s.index.JobName(app, job), app)
}

// Next returns the next n nominal times of a schedule, in its time zone; none
// if it is paused or there is none.
func (s *Scheduler) Next(app, job string, n int) []time.Time {
	j, ok := s.index.Job(app, job)
	if !ok || j.Schedule == nil || !j.Schedule.Active {
		return nil
	}
	p, err := s.plans.of(j.Schedule)
	if err != nil {
		return nil
	}
	var next []time.Time
	for t := p.next(time.Now()); len(next) < n && !t.IsZero(); t = p.next(t) {
		next = append(next, t)
	}
	return next
}

// edit makes a change until it is made to what it was judged on. It waits until
// [Scheduler.Run] has seen the fires.
func (s *Scheduler) edit(ctx context.Context, app, job string, o occasion, change edit) (rev uint64, err error) {
	key := bus.JobKey(app, job)
	if err := s.ledger.wait(ctx); err != nil {
		return 0, fmt.Errorf("edit schedule %s: the scheduler is not ready: %w: %w", key, bus.ErrAway, err)
	}
	release, err := s.locks.take(ctx, key)
	if err != nil {
		return 0, err
	}
	defer release()
	for {
		rev, err = s.editOnce(ctx, app, job, o, change)
		if !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) && !errors.Is(err, errOld) {
			return rev, err
		}
	}
}

func (s *Scheduler) editOnce(ctx context.Context, app, job string, o occasion, change edit) (rev uint64, err error) {
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
		if err := s.decide(ctx, was, now, o); err != nil {
			return 0, err
		}
	} else if generation, err = s.lastGeneration(ctx, key); err != nil {
		return 0, err
	}
	if is != nil {
		is.Generation, is.Since, is.UpdateTime = generation+1, now, now
	}
	if rev, err = s.write(ctx, key, was, is, e.Revision); err != nil {
		return 0, err
	}
	s.index.PutSchedule(app, job, is, rev)
	s.bus.Event("schedule", what, []string{app, job}, is)
	return rev, nil
}

func (s *Scheduler) write(ctx context.Context, key string, was, is *bus.Schedule, rev uint64) (uint64, error) {
	switch {
	case is == nil:
		return rev + 1, s.bus.Schedules.Delete(ctx, key, rev)
	case was == nil:
		return s.bus.Schedules.Create(ctx, key, *is)
	}
	return s.bus.Schedules.Update(ctx, key, *is, rev)
}

// lastGeneration is that of the schedule that was here before, so that the keys
// which a late bus made for it are not taken for the new one's.
func (s *Scheduler) lastGeneration(ctx context.Context, key string) (uint64, error) {
	last := s.ledger.generation(key)
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
