package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// scheduleChange returns the new schedule and the name of the event. Both the
// old and the new schedule may be nil, for none. It returns the same pointer if
// nothing changes.
type scheduleChange func(was *bus.Schedule) (is *bus.Schedule, what string, err error)

// Set creates or replaces a schedule, active or paused as sc says, and returns
// its revision. Set ignores the generation and the times in sc and writes its
// own. Errors: [bus.FieldError], [bus.StateError] no_such_job, ErrAway.
func (s *Scheduler) Set(ctx context.Context, sc bus.Schedule) (rev uint64, err error) {
	return s.SetIf(ctx, sc, func(*bus.Schedule) error { return nil })
}

// Create is Set for a schedule that does not exist yet. If it exists, the error
// is a [bus.StateError] schedule_exists.
func (s *Scheduler) Create(ctx context.Context, sc bus.Schedule) (rev uint64, err error) {
	return s.SetIf(ctx, sc, func(was *bus.Schedule) error {
		if was == nil {
			return nil
		}
		return bus.State(bus.CodeScheduleExists, "job %s of application %s has a schedule %s already",
			s.index.JobName(was.App, was.Job), was.App, was.Key().Name())
	})
}

// SetIf is Set, unless allow returns an error. allow gets the schedule that sc
// is about to replace, nil for none. SetIf calls it again if another bus
// changes the schedule meanwhile.
func (s *Scheduler) SetIf(ctx context.Context, sc bus.Schedule, allow func(was *bus.Schedule) error) (rev uint64, err error) {
	if wrong := Faults(sc); len(wrong) > 0 {
		return 0, wrong[0]
	}
	if sc.Name == bus.DefaultSchedule { // as earlier versions stored it
		sc.Name = ""
	}
	if _, err := s.bus.Job(ctx, sc.App, sc.Job); errors.Is(err, bus.ErrNotFound) {
		return 0, bus.NoSuchJob(sc.App, s.index.JobName(sc.App, sc.Job))
	} else if err != nil {
		return 0, err
	}
	var before, written *bus.Schedule
	rev, err = s.editSchedule(ctx, sc.Key(), atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		is := sc
		before, written = was, &is
		if err := allow(was); err != nil {
			return nil, "", err
		}
		if was != nil {
			if !is.Active && !was.Active {
				is.Paused = was.Paused
			}
			if SameSchedule(&is, was) { // it may have fired for the last time
				return was, "", nil
			}
		}
		if err := s.ValidateSchedule(ctx, sc); err != nil {
			return nil, "", err
		}
		return &is, map[bool]string{true: "created", false: "changed"}[was == nil], nil
	})
	if err == nil && sc.Calendar != "" {
		err = s.checkCalendarStays(ctx, before, written)
	}
	return rev, err
}

// ValidateSchedule returns the [bus.FieldError] with which [Scheduler.Set]
// would refuse the schedule, or nil. It does not look at the job. The error may
// be ErrAway.
func (s *Scheduler) ValidateSchedule(ctx context.Context, sc bus.Schedule) error {
	p, err := s.previewedPlan(ctx, &sc)
	if err != nil || !p.dueAfter(time.Now()).IsZero() {
		return err
	}
	unbounded := *p
	unbounded.end = time.Time{}
	switch {
	case p.counted != nil && unbounded.dueAfter(time.Now()).IsZero():
		return &bus.FieldError{Path: "/business_days", Want: "business days to come: there is none", Got: fmt.Sprint(sc.BusinessDays)}
	case p.moved != nil && !p.nominalAfter(time.Now()).IsZero():
		return &bus.FieldError{Path: "/calendar", Want: "a calendar with which the schedule fires: all its times are on holidays", Got: s.index.Calendars().NameOf(sc.Calendar)}
	case sc.At != "" && p.counted == nil:
		return &bus.FieldError{Path: "/at", Want: "a time to come", Got: sc.At}
	case unbounded.nominalAfter(time.Now()).IsZero():
		return &bus.FieldError{Path: "/cron_notation", Want: "an expression that fires: all its years are past", Got: sc.Cron}
	}
	return &bus.FieldError{Path: "/end", Want: "an end after the next nominal time", Got: sc.End}
}

// previewedPlan returns the plan of a schedule that is not stored. The error is
// the first of its [Faults], or that its calendar does not exist.
func (s *Scheduler) previewedPlan(ctx context.Context, sc *bus.Schedule) (*plan, error) {
	if sc.Calendar != "" {
		if err := s.refreshCalendars(ctx); err != nil {
			return nil, err
		}
	}
	p, err := s.plans.checkedPlan(sc)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, s.noSuchCalendar(sc)
	}
	return p, err
}

// SameSchedule reports whether two schedules of a job mean the same, whatever
// their generations and times, and whoever paused them.
func SameSchedule(a, b *bus.Schedule) bool {
	x, y := *a, *b
	x.Generation, x.Since, x.UpdateTime, x.Job, x.Name, x.Paused = y.Generation, y.Since, y.UpdateTime, y.Job, y.Name, y.Paused
	return a.Key().Name() == b.Key().Name() && reflect.DeepEqual(&x, &y)
}

// Pause stops a schedule from firing until it is resumed. The pause of a
// schedule that is paused already stays as it is. Errors: [bus.StateError]
// no_such_schedule, ErrAway.
func (s *Scheduler) Pause(ctx context.Context, key bus.ScheduleKey, by bus.Pause) error {
	_, err := s.editSchedule(ctx, key, atEnd, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		switch {
		case was == nil:
			return nil, "", s.noSuchSchedule(key)
		case !was.Active:
			return was, "", nil
		}
		is := *was
		by.At = subjects.Now()
		is.Active, is.Paused = false, &by
		return &is, "paused", nil
	})
	return err
}

// Resumed says which nominal times passed during a pause.
type Resumed struct {
	From, To subjects.Time // the pause; zero if there was none
	Count    int           // at most a million
}

// Resume ends a pause. Times that passed during the pause are skipped, or with
// catchUp fire like times that passed while no bus ran. It returns the same
// errors as Pause.
func (s *Scheduler) Resume(ctx context.Context, key bus.ScheduleKey, catchUp bool) (done Resumed, err error) {
	o := atEdit
	if catchUp {
		o = atCatchUp
	}
	_, err = s.editSchedule(ctx, key, o, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		done = Resumed{}
		switch {
		case was == nil:
			return nil, "", s.noSuchSchedule(key)
		case was.Active:
			return was, "", nil
		}
		is := *was
		is.Active, is.Paused = true, nil
		done = Resumed{From: was.Since, To: subjects.Now()}
		if p, err := s.plans.planFor(was); err == nil {
			done.Count = p.countBetween(was.Since.Std(), done.To.Std())
		}
		return &is, "resumed", nil
	})
	return done, err
}

// Remove deletes a schedule. It first decides the times that are due: those
// that are on time still fire. It returns the same errors as Pause.
func (s *Scheduler) Remove(ctx context.Context, key bus.ScheduleKey) error {
	_, err := s.editSchedule(ctx, key, atEnd, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		if was == nil {
			return nil, "", s.noSuchSchedule(key)
		}
		return nil, "removed", nil
	})
	return err
}

// CloseSchedules removes all schedules of a job that is about to be deleted. It
// skips due times that are undecided, with the reason "deleted": a fire would
// stop the deletion half way. It does nothing if the job has no schedule. The
// error may be ErrAway.
func (s *Scheduler) CloseSchedules(ctx context.Context, app, job string) error {
	all, err := s.StoredAll(ctx, app, job)
	if err != nil {
		return err
	}
	for i := range all {
		_, err := s.editSchedule(ctx, all[i].Key(), atDeletion, func(was *bus.Schedule) (*bus.Schedule, string, error) {
			return nil, "removed", nil
		})
		if err != nil {
			return err
		}
	}
	return s.closeQueued(ctx, app, job)
}

func (s *Scheduler) noSuchSchedule(key bus.ScheduleKey) error {
	job := s.index.JobName(key.App(), key.Job())
	if key.Name() == bus.DefaultSchedule {
		return bus.State(bus.CodeNoSuchSchedule, "job %s of application %s has no schedule", job, key.App())
	}
	return bus.State(bus.CodeNoSuchSchedule, "job %s of application %s has no schedule %s", job, key.App(), key.Name())
}

// Next returns the next n nominal times of a schedule, in its time zone. It
// returns none if the schedule does not exist, or if it, its application or all
// schedules are paused.
func (s *Scheduler) Next(key bus.ScheduleKey, n int) []time.Time {
	sc, ok := s.index.Schedule(key)
	if !ok || !sc.Active || s.isHeld(sc.App) {
		return nil
	}
	p, err := s.plans.planFor(sc)
	if err != nil {
		return nil
	}
	var next []time.Time
	for t := p.nextAfter(time.Now().Add(-p.shift)); len(next) < n && !t.IsZero(); t = p.nextAfter(t) {
		next = append(next, t)
	}
	return next
}

// editSchedule applies a change, and retries while other buses change the
// schedule at the same time. It blocks until [Scheduler.Run] has loaded the
// fires.
func (s *Scheduler) editSchedule(ctx context.Context, key bus.ScheduleKey, o occasion, change scheduleChange) (rev uint64, err error) {
	if err := s.ledger.waitLoaded(ctx); err != nil {
		return 0, fmt.Errorf("edit schedule %s: the scheduler has not loaded the fires yet: %w: %w", key, bus.ErrAway, err)
	}
	release, err := s.locks.lockSchedule(ctx, key)
	if err != nil {
		return 0, err
	}
	defer release()
	for {
		rev, err = s.tryEdit(ctx, key, o, change)
		if !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) && !errors.Is(err, errStale) {
			return rev, err
		}
	}
}

// tryEdit applies a change to the schedule as it is now. It fails if another
// bus changes the schedule meanwhile.
func (s *Scheduler) tryEdit(ctx context.Context, key bus.ScheduleKey, o occasion, change scheduleChange) (rev uint64, err error) {
	e, err := s.bus.Schedules.Get(ctx, key.String())
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
	since, decideFirst := nextSince(was, now, o)
	if decideFirst {
		if err := s.decideDue(ctx, was, now, o); err != nil {
			return 0, err
		}
	}
	if is != nil {
		generation, err := s.lastGeneration(ctx, key, was)
		if err != nil {
			return 0, err
		}
		is.Generation, is.Since, is.UpdateTime = generation+1, since, now
	}
	if rev, err = s.writeSchedule(ctx, key, was, is, e.Revision); err != nil {
		return 0, err
	}
	s.index.PutSchedule(key, is, rev)
	s.bus.Event("schedule", what, []string{key.App(), key.Job()}, eventDetail(key, is))
	return rev, nil
}

// nextSince returns the moment at which the generation begins that an edit at
// now writes, and whether the edit decides the times up to now by the generation
// before. was is nil for a schedule that did not exist.
func nextSince(was *bus.Schedule, now subjects.Time, o occasion) (since subjects.Time, decideFirst bool) {
	switch {
	case was == nil:
		return now, false
	case o == atCatchUp && !was.Active:
		return was.Since, false // the walk of the next generation decides the times of the pause
	}
	return now, true
}

// eventDetail returns what the event of an edit says. The event of a removed
// schedule names it, unless it is the default schedule.
func eventDetail(key bus.ScheduleKey, is *bus.Schedule) any {
	switch {
	case is != nil:
		shown := *is
		shown.Parameters = nil // everybody on NATS sees events
		return shown
	case key.Name() == bus.DefaultSchedule:
		return nil
	}
	return map[string]string{"name": key.Name()}
}

func (s *Scheduler) writeSchedule(ctx context.Context, key bus.ScheduleKey, was, is *bus.Schedule, rev uint64) (uint64, error) {
	switch {
	case is == nil:
		return rev + 1, s.bus.Schedules.Delete(ctx, key.String(), rev)
	case was == nil:
		return s.bus.Schedules.Create(ctx, key.String(), *is)
	}
	return s.bus.Schedules.Update(ctx, key.String(), *is, rev)
}

// lastGeneration returns the generation of was, or if that is nil, of the
// schedule that the job had before. The new schedule counts on from it, so that
// its walk ignores keys which a late bus creates for the old one.
func (s *Scheduler) lastGeneration(ctx context.Context, key bus.ScheduleKey, was *bus.Schedule) (uint64, error) {
	if was != nil {
		return was.Generation, nil
	}
	last := s.ledger.newestGeneration(key)
	history, err := s.bus.Schedules.KV().History(ctx, key.String())
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

// Stored reads a schedule from the leader of its bucket, nil if there is none.
func (s *Scheduler) Stored(ctx context.Context, key bus.ScheduleKey) (*bus.Schedule, error) {
	e, err := s.bus.Schedules.Get(ctx, key.String())
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &e.Value, nil
}

// StoredAll reads all schedules of a job from the bucket, the default one
// first, the others by name.
func (s *Scheduler) StoredAll(ctx context.Context, app, job string) ([]bus.Schedule, error) {
	key := bus.NewScheduleKey(app, job, "").String()
	first, err := s.bus.Schedules.List(ctx, key)
	if err != nil {
		return nil, err
	}
	named, err := s.bus.Schedules.List(ctx, key+".*")
	if err != nil {
		return nil, err
	}
	var all []bus.Schedule
	for _, e := range append(first, named...) {
		if k, ok := bus.ParseScheduleKey(e.Key); ok && k == e.Value.Key() {
			all = append(all, e.Value)
		}
	}
	slices.SortFunc(all, func(a, b bus.Schedule) int { return a.Key().Compare(b.Key()) })
	return all, nil
}
