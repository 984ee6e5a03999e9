package scheduler

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	// checkEvery is how often all schedules are compared with their timers. No
	// change needs it; it bounds the harm of a mistake.
	checkEvery = 5 * time.Minute
	// idleTime is how far ahead the clock is set while nothing will be due.
	idleTime = 24 * time.Hour
	// retryTime is the delay of the clock if it rings before the wall clock shows
	// the time.
	retryTime = 10 * time.Millisecond
)

// timers wakes each active schedule when a nominal time is due.
//
//	added, changed --> by due time --clock--> overdue: its walk is running or pending
//	                        ^                    |
//	                        +--- time decided ---+
//
// A timer is due at the first nominal time that this bus has not seen decided.
// It is overdue from then until the time is decided, by a walk of this bus or by
// another bus. Renewals of the lease wake the overdue schedules again. So the
// work depends on the number of fires, not on the number of schedules: a job of
// gocron is the clock for all timers, and most of them wait in a heap.
type timers struct {
	s     *Scheduler
	reset chan struct{} // signals that the clock must ring earlier than it is set to

	changes scheduleChanges

	mu      sync.Mutex
	all     map[bus.ScheduleKey]*timer
	byDue   dueHeap
	overdue map[*timer]struct{}
	rings   time.Time // what the clock is set to
}

// timer belongs to a schedule. It is in the heap, or overdue, or neither if the
// schedule will not fire again.
type timer struct {
	schedule *bus.Schedule
	revision uint64 // of the schedule
	plan     *plan  // nil if the schedule is paused or broken
	due      int64  // Unix second; 0: never
	place    int    // in the heap; -1: not there
}

// scheduleChanges are the schedules that have changed since they were last
// taken.
type scheduleChanges struct {
	mu   sync.Mutex
	keys []bus.ScheduleKey // the zero key stands for a change of a calendar
	more chan struct{}     // signals that there are keys
}

func (c *scheduleChanges) addKey(key bus.ScheduleKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = append(c.keys, key)
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *scheduleChanges) takeKeys() []bus.ScheduleKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := c.keys
	c.keys = nil
	return keys
}

// dueHeap is a heap of timers by due time, for package heap.
type dueHeap []*timer

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due < h[j].due }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *dueHeap) Push(t any) {
	t.(*timer).place = len(*h)
	*h = append(*h, t.(*timer))
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h, t.place = (*h)[:last], -1
	return t
}

func newTimers(s *Scheduler) *timers {
	return &timers{
		s: s, reset: make(chan struct{}, 1), changes: scheduleChanges{more: make(chan struct{}, 1)},
		all: map[bus.ScheduleKey]*timer{}, overdue: map[*timer]struct{}{},
	}
}

// runTimers keeps one timer for each active schedule until ctx ends.
func (s *Scheduler) runTimers(ctx context.Context) error {
	t := s.timers
	c, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return fmt.Errorf("start timers: %w", err)
	}
	c.Start()
	t.applyChanges() // all schedules are new
	ring, err := c.NewJob(t.ringJob())
	if err != nil {
		return fmt.Errorf("start timers: %w", err)
	}
	close(s.timed)
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	for {
		select {
		case <-t.changes.more:
			t.applyChanges()
		case <-check.C:
			t.checkAll()
		case <-t.reset:
			definition, task, name, plan := t.ringJob()
			if _, err := c.Update(ring.ID(), definition, task, name, plan); err != nil && ctx.Err() == nil {
				// Renewals of the lease still wake the schedules.
				s.log.Error("the clock of the schedules is not set", "err", err)
			}
		case <-ctx.Done():
			if err := c.Shutdown(); err != nil {
				return fmt.Errorf("end timers: %w", err)
			}
			return nil
		}
	}
}

// ringJob returns the job that is the clock of all timers.
func (t *timers) ringJob() (gocron.JobDefinition, gocron.Task, gocron.JobOption, gocron.JobOption) {
	return gocron.CronJob("due", true), gocron.NewTask(t.wakeDue), gocron.WithName("schedules"), gocron.WithCronImplementation(ringPlan{t})
}

// ringPlan makes gocron wake schedules when they are due.
type ringPlan struct{ t *timers }

// IsValid accepts every expression.
func (ringPlan) IsValid(string, *time.Location, time.Time) error { return nil }

// Next wakes what is due, and returns when the clock must ring after last: when
// the next timer is due. It never returns a past time, because gocron would then
// step through every missed time. The time is in UTC, because gocron treats
// equal wall clock times as the same time.
func (r ringPlan) Next(last time.Time) time.Time {
	t := r.t
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.wakeUntilLocked(now)
	t.rings = now.Add(idleTime)
	if len(t.byDue) > 0 && t.byDue[0].due < t.rings.Unix() {
		t.rings = time.Unix(t.byDue[0].due, 0)
	}
	if !t.rings.After(last) { // it rang early, by the wall clock
		t.rings = last.Add(retryTime)
	}
	return t.rings.UTC()
}

// wakeDue wakes the schedules that are due.
func (t *timers) wakeDue() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wakeUntilLocked(time.Now())
}

func (t *timers) wakeUntilLocked(now time.Time) {
	for len(t.byDue) > 0 && t.byDue[0].due <= now.Unix() {
		k := heap.Pop(&t.byDue).(*timer)
		t.overdue[k] = struct{}{}
		t.s.wakes.addSchedule(k.schedule.Key())
	}
}

// checkOverdue sets the overdue timers again, since other buses may have decided
// their times. If this bus leads, it wakes the schedules that are overdue still.
func (t *timers) checkOverdue(leads bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.wakeUntilLocked(now) // the clock may have been set forward
	for k := range t.overdue {
		if t.setLocked(k, now); leads && k.due != 0 && k.due <= now.Unix() {
			t.s.wakes.addSchedule(k.schedule.Key())
		}
	}
}

// noteWalk sets the timer of a schedule again after a walk. If the walk decided
// something, and more is due, it wakes the schedule again.
func (t *timers) noteWalk(key bus.ScheduleKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.all[key]
	if k == nil {
		return
	}
	now, was := time.Now(), k.due
	if t.setLocked(k, now); k.due > was && k.due <= now.Unix() {
		t.s.wakes.addSchedule(key)
	}
}

// setLocked computes when a timer is due, and moves it to where it belongs.
func (t *timers) setLocked(k *timer, now time.Time) {
	due := int64(0)
	if k.plan != nil {
		if next := k.plan.nextAfter(t.s.ledger.walkStart(k.schedule, k.plan)); !next.IsZero() {
			due = next.Add(k.plan.shift).Unix()
		}
	}
	if due == k.due && k.place >= 0 {
		return
	}
	t.dropLocked(k)
	switch k.due = due; {
	case due == 0:
	case due <= now.Unix():
		t.overdue[k] = struct{}{}
	default:
		heap.Push(&t.byDue, k)
		if time.Unix(due, 0).Before(t.rings) {
			select {
			case t.reset <- struct{}{}:
			default:
			}
		}
	}
}

// dropLocked removes a timer from the heap and from what is overdue.
func (t *timers) dropLocked(k *timer) {
	if k.place >= 0 {
		heap.Remove(&t.byDue, k.place)
	}
	delete(t.overdue, k)
}

// applyChanges creates, replaces and removes the timers of the schedules that
// have changed, and wakes those schedules.
func (t *timers) applyChanges() {
	calendars := false
	for _, key := range t.changes.takeKeys() {
		if key == (bus.ScheduleKey{}) {
			calendars = true
			continue
		}
		t.applyChange(key)
	}
	if calendars {
		t.checkAll()
	}
}

func (t *timers) applyChange(key bus.ScheduleKey) {
	sc, revision := t.s.index.StoredSchedule(key)
	if sc == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if k := t.all[key]; k != nil {
			t.dropLocked(k)
			delete(t.all, key)
		}
		return
	}
	t.setTimer(sc, revision)
}

// setTimer creates or replaces the timer of a schedule. If the schedule or its
// plan has changed, it wakes the schedule.
func (t *timers) setTimer(sc *bus.Schedule, revision uint64) {
	t.mu.Lock()
	k := t.all[sc.Key()]
	t.mu.Unlock()
	if k != nil && k.revision == revision && sc.Calendar == "" {
		return
	}
	p := t.planOf(sc, k != nil && k.revision == revision && k.plan == nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	isNew := k == nil
	switch {
	case isNew:
		k = &timer{place: -1}
		t.all[sc.Key()] = k
	case k.revision == revision && k.plan == p:
		return
	}
	k.schedule, k.revision, k.plan = sc, revision, p
	if t.setLocked(k, now); !isNew || k.due != 0 && k.due <= now.Unix() {
		t.s.wakes.addSchedule(sc.Key())
	}
}

// planOf returns the plan of a schedule, nil if it is paused or broken. known
// means that it was broken before.
func (t *timers) planOf(sc *bus.Schedule, known bool) *plan {
	if !sc.Active {
		return nil
	}
	p, err := t.s.plans.planFor(sc)
	if err != nil && !known {
		t.s.log.Error("schedule cannot be parsed and does not fire", "app", sc.App, "job", sc.Job, "schedule", sc.Key().Name(), "err", err)
		t.s.bus.Event("schedule", "broken", []string{sc.App, sc.Job}, err.Error())
	}
	return p
}

// checkAll compares all schedules with their timers, computes when they are due,
// and drops the plans that no schedule has any more.
func (t *timers) checkAll() {
	there := map[bus.ScheduleKey]bool{}
	for _, key := range t.s.index.ScheduleKeys() {
		there[key] = true
		t.applyChange(key)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now, used := time.Now(), map[*plan]bool{}
	for key, k := range t.all {
		if !there[key] {
			t.dropLocked(k)
			delete(t.all, key)
			continue
		}
		used[k.plan] = true
		t.setLocked(k, now)
	}
	t.s.plans.dropOthers(used)
}
