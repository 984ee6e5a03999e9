package scheduler

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// sweepEvery is how often timers of schedules that will not fire again are
// removed.
const sweepEvery = time.Minute

// timers wakes each active schedule at its nominal times.
type timers struct {
	s     *Scheduler
	cron  gocron.Scheduler
	known map[string]*timer
}

type timer struct {
	revision uint64 // of the schedule
	id       uuid.UUID
	alarm    *alarm // nil: there is no timer
}

// runTimers keeps the timers as the schedules are until ctx ends.
func (s *Scheduler) runTimers(ctx context.Context) error {
	c, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return fmt.Errorf("start timers: %w", err)
	}
	c.Start()
	t := &timers{s, c, map[string]*timer{}}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		changed := s.index.ScheduleChanged() // before the schedules are read
		t.follow(s.index.Schedules())
		select {
		case <-changed:
		case <-sweep.C:
		case <-ctx.Done():
			if err := c.Shutdown(); err != nil {
				return fmt.Errorf("end timers: %w", err)
			}
			return nil
		}
	}
}

// follow makes, changes and removes timers, and wakes the schedules that
// changed.
func (t *timers) follow(schedules []bus.Entry[bus.Schedule]) {
	there := make(map[string]bool, len(schedules))
	for _, e := range schedules {
		key := e.Value.Key()
		there[key] = true
		if k := t.known[key]; k == nil || k.revision != e.Revision {
			t.remove(key)
			t.known[key] = t.add(&e.Value, e.Revision)
			t.s.wakes.add(key)
		} else if k.alarm != nil && k.alarm.over.Load() {
			t.remove(key)
			t.known[key] = &timer{revision: e.Revision}
		}
	}
	for key := range t.known {
		if !there[key] {
			t.remove(key)
			t.s.plans.forget(key)
		}
	}
}

func (t *timers) add(sc *bus.Schedule, revision uint64) *timer {
	none := &timer{revision: revision}
	if !sc.Active {
		return none
	}
	p, err := t.s.plans.of(sc)
	if err != nil {
		t.s.log.Error("schedule not understood, it does not fire", "app", sc.App, "job", sc.Job, "err", err)
		t.s.bus.Event("schedule", "broken", []string{sc.App, sc.Job}, err.Error())
		return none
	}
	if p.next(time.Now()).IsZero() {
		return none
	}
	key, a := sc.Key(), &alarm{plan: p}
	j, err := t.cron.NewJob(gocron.CronJob(sc.Cron, true), gocron.NewTask(func() { t.s.wakes.add(key) }),
		gocron.WithName(key), gocron.WithCronImplementation(a))
	if err != nil { // the rounds still wake it
		t.s.log.Error("schedule has no timer", "app", sc.App, "job", sc.Job, "err", err)
		return none
	}
	return &timer{revision, j.ID(), a}
}

func (t *timers) remove(key string) {
	if k := t.known[key]; k != nil && k.alarm != nil {
		if err := t.cron.RemoveJob(k.id); err != nil {
			t.s.log.Error("timer not removed", "key", key, "err", err)
		}
	}
	delete(t.known, key)
}

// alarm lets gocron wake at the nominal times of a plan.
type alarm struct {
	plan *plan
	over atomic.Bool // nothing comes after
}

// IsValid is asked when the timer is made: the plan is.
func (a *alarm) IsValid(string, *time.Location, time.Time) error { return nil }

// Next is when to wake after last. It is never past, or gocron would go through
// all that was missed, and never zero, or it might do so for ever. It is in
// UTC, since gocron takes the same wall clock twice for one time.
func (a *alarm) Next(last time.Time) time.Time {
	from := last
	if now := time.Now(); now.After(from) {
		from = now
	}
	next := a.plan.next(from)
	if next.IsZero() {
		a.over.Store(true)
		return from.AddDate(10, 0, 0).UTC()
	}
	return next.UTC()
}
