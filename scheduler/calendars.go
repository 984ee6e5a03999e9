package scheduler

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// weekends is the calendar of schedules by business days that name none.
var weekends = sync.OnceValue(func() *calendars.Compiled {
	days, err := calendar.Compile(&calendar.Calendar{
		Name: "weekends", WeeklyHoliday: [7]bool{time.Sunday: true, time.Saturday: true},
	}, calendar.Sources{})
	if err != nil {
		panic(err)
	}
	return &calendars.Compiled{Days: days}
})

// refreshCalendars makes the read model have all calendars that were stored
// before the call. It mostly asks for no more than the newest revision.
func (s *Scheduler) refreshCalendars(ctx context.Context) error {
	newest, err := bus.NewestRevision(ctx, s.bus, s.bus.Calendars)
	if err != nil || newest <= s.index.Calendars().Revision() {
		return err
	}
	all, _, err := bus.Snapshot(ctx, s.bus, s.bus.Calendars)
	for i := range all {
		s.index.PutCalendar(all[i].Key, &all[i].Value, all[i].Revision)
	}
	return err
}

// DecideBefore decides the due times of all schedules that use one of the
// calendars, given by their keys, as if each schedule were edited. It returns
// the moment up to which they are decided. A change of the calendars must count
// from this moment on.
func (s *Scheduler) DecideBefore(ctx context.Context, keys map[string]bool) (subjects.Time, error) {
	if err := s.ledger.waitLoaded(ctx); err != nil {
		return 0, fmt.Errorf("change a calendar: the scheduler has not loaded the fires yet: %w: %w", bus.ErrAway, err)
	}
	all, _, err := bus.Snapshot(ctx, s.bus, s.bus.Schedules)
	if err != nil {
		return 0, err
	}
	now := subjects.Now()
	for i := range all {
		if sc := &all[i].Value; sc.Active && keys[sc.Calendar] && s.hasPassed(sc, now.Std()) {
			if err := s.decideStored(ctx, sc.Key(), now); err != nil {
				return 0, err
			}
		}
	}
	return now, nil
}

// hasPassed reports whether a nominal time has passed that this bus has not seen
// decided. With a jitter it need not be due.
func (s *Scheduler) hasPassed(sc *bus.Schedule, now time.Time) bool {
	p, err := s.plans.planFor(sc)
	return err == nil && p.hasTime(s.ledger.walkStart(sc, p), now)
}

// decideStored decides the due times of a schedule as at an edit.
func (s *Scheduler) decideStored(ctx context.Context, key bus.ScheduleKey, now subjects.Time) error {
	release, err := s.locks.lockSchedule(ctx, key)
	if err != nil {
		return err
	}
	defer release()
	for {
		e, err := s.bus.Schedules.Get(ctx, key.String())
		if errors.Is(err, bus.ErrNotFound) {
			return nil
		}
		if err != nil || !e.Value.Active {
			return err
		}
		if err := s.decideDue(ctx, &e.Value, now, atEdit); !errors.Is(err, errStale) {
			return err
		}
	}
}

// maxSources is how many times that were moved to one fire are looked up.
const maxSources = 1000

// wasDecided reports whether a fire was moved from times that all have a
// decision already. That is possible only if the schedule or a calendar has
// changed since they passed: by the rules of before, they were no holidays.
func (s *Scheduler) wasDecided(ctx context.Context, sc *bus.Schedule, p *plan, fire time.Time) (bool, error) {
	sources := p.passedSources(sc, fire)
	for _, t := range sources {
		found, err := s.Fires(ctx, sc.App, sc.Job, sc.Key().Name(), FireQuery{From: t, To: t.Add(time.Second), Limit: 1})
		if err != nil || len(found) == 0 {
			return false, err
		}
	}
	return len(sources) > 0, nil
}

// passedSources returns the times that were moved to a fire, if the first of
// them had passed when the schedule or its calendar last changed. It returns
// none if there are too many.
func (p *plan) passedSources(sc *bus.Schedule, fire time.Time) (sources []time.Time) {
	d := p.decisionAt(fire)
	if d.From.IsZero() || d.From.After(p.startOf(sc)) {
		return nil
	}
	for t := range p.movedTo(fire) {
		if sources = append(sources, t); len(sources) > maxSources {
			return nil
		}
	}
	return sources
}

// movedTo returns the times on holidays in whose place the nominal time t is,
// unless the schedule names t itself.
func (p *plan) movedTo(t time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if p.moved == nil {
			return
		}
		d := p.decisionAt(t)
		if d.From.IsZero() {
			return
		}
		for source := range p.moved.Decisions(d.From.Add(-time.Second), t) {
			if !source.Fires && !source.StoodIn && source.To.Equal(t) && !yield(source.Time) {
				return
			}
		}
	}
}

// checkCalendarStays undoes the write of a schedule if its calendar was deleted
// meanwhile. A deletion looks for schedules after it has deleted the calendar,
// and a schedule looks for its calendar after it was written, so at least one of
// the two sees the other.
func (s *Scheduler) checkCalendarStays(ctx context.Context, before, written *bus.Schedule) error {
	_, err := s.bus.Calendars.Get(ctx, written.Calendar)
	if err == nil || !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	_, err = s.editSchedule(ctx, written.Key(), atEdit, func(was *bus.Schedule) (*bus.Schedule, string, error) {
		switch {
		case was == nil || was.Generation != written.Generation:
			return was, "", nil
		case before == nil:
			return nil, "removed", nil
		}
		is := *before
		return &is, "changed", nil
	})
	if err != nil {
		return err
	}
	return s.noSuchCalendar(written)
}

func (s *Scheduler) noSuchCalendar(sc *bus.Schedule) error {
	return &bus.FieldError{Path: "/calendar", Want: "the name of a calendar that exists", Got: s.index.Calendars().NameOf(sc.Calendar)}
}
