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

// sweepEvery is how often the timers of schedules that will not fire again are
// removed.
const sweepEvery = time.Minute

// timers wakes each active schedule at its nominal times.
type timers struct {
	s         *Scheduler
	scheduler gocron.Scheduler
	known     map[bus.ScheduleKey]*timer
}

type timer struct {
	revision uint64 // of the schedule
	plan     *plan  // nil if the schedule is paused or broken
	id       uuid.UUID
	cron     *planCron // nil if there is no timer
}

// runTimers keeps one timer for each active schedule until ctx ends.
func (s *Scheduler) runTimers(ctx context.Context) error {
	c, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return fmt.Errorf("start timers: %w", err)
	}
	c.Start()
	t := &timers{s, c, map[bus.ScheduleKey]*timer{}}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		changed := s.index.ScheduleChanged() // get it before reading the schedules, or a change may be lost
		t.syncTimers(s.index.Schedules())
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

// syncTimers creates, replaces and removes timers to match the schedules. It
// wakes the schedules that changed.
func (t *timers) syncTimers(schedules []bus.Entry[bus.Schedule]) {
	there := make(map[bus.ScheduleKey]bool, len(schedules))
	for _, e := range schedules {
		key := e.Value.Key()
		there[key] = true
		if k := t.known[key]; k == nil || k.revision != e.Revision || e.Value.Calendar != "" && t.hasNewPlan(k, &e.Value) {
			t.removeTimer(key)
			t.known[key] = t.addTimer(&e.Value, e.Revision)
			t.s.wakes.addSchedule(key)
		} else if k.cron != nil && k.cron.finished.Load() {
			t.removeTimer(key)
			t.known[key] = &timer{revision: e.Revision, plan: k.plan}
		}
	}
	for key := range t.known {
		if !there[key] {
			t.removeTimer(key)
			t.s.plans.dropPlan(key)
		}
	}
}

// hasNewPlan reports whether a timer needs another plan, because the calendar of
// its schedule has changed.
func (t *timers) hasNewPlan(k *timer, sc *bus.Schedule) bool {
	if !sc.Active {
		return false
	}
	p, _ := t.s.plans.planFor(sc) // nil if it is broken
	return p != k.plan
}

// addTimer returns the timer of a schedule. It starts none if the schedule is
// paused, is broken, or will not fire again.
func (t *timers) addTimer(sc *bus.Schedule, revision uint64) *timer {
	none := &timer{revision: revision}
	if !sc.Active {
		return none
	}
	p, err := t.s.plans.planFor(sc)
	if err != nil {
		t.s.log.Error("schedule cannot be parsed and does not fire", "app", sc.App, "job", sc.Job, "schedule", sc.Key().Name(), "err", err)
		t.s.bus.Event("schedule", "broken", []string{sc.App, sc.Job}, err.Error())
		return none
	}
	none.plan = p
	if p.dueAfter(time.Now()).IsZero() {
		return none
	}
	key, a := sc.Key(), &planCron{plan: p}
	j, err := t.scheduler.NewJob(gocron.CronJob("plan", true), gocron.NewTask(func() { t.s.wakes.addSchedule(key) }),
		gocron.WithName(key.String()), gocron.WithCronImplementation(a))
	if err != nil { // renewals of the lease still wake the schedule
		t.s.log.Error("schedule has no timer", "app", sc.App, "job", sc.Job, "schedule", sc.Key().Name(), "err", err)
		return none
	}
	return &timer{revision, p, j.ID(), a}
}

func (t *timers) removeTimer(key bus.ScheduleKey) {
	if k := t.known[key]; k != nil && k.cron != nil {
		if err := t.scheduler.RemoveJob(k.id); err != nil {
			t.s.log.Error("timer not removed", "key", key.String(), "err", err)
		}
	}
	delete(t.known, key)
}

// planCron makes gocron wake a schedule at the nominal times of its plan.
type planCron struct {
	plan     *plan
	finished atomic.Bool // the plan has no more times
}

// IsValid accepts every expression: the plan was parsed before.
func (a *planCron) IsValid(string, *time.Location, time.Time) error { return nil }

// Next returns when to wake after last. It never returns a past time, because
// gocron would then step through every missed time. It never returns the zero
// time, because gocron might do so forever. The time is in UTC, because gocron
// treats equal wall clock times as the same time.
func (a *planCron) Next(last time.Time) time.Time {
	from := last
	if now := time.Now(); now.After(from) {
		from = now
	}
	next := a.plan.dueAfter(from)
	if next.IsZero() {
		a.finished.Store(true)
		return from.AddDate(10, 0, 0).UTC()
	}
	return next.UTC()
}
