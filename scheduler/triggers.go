package scheduler

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// maxTriggerAge is how long after the end of an execution its triggers can
	// still start jobs, if no bus ran before. It is shorter if fires are kept for
	// less than twice that: the key of a decision must outlive it.
	maxTriggerAge = 7 * 24 * time.Hour
	// sweepTriggersEvery is how often the leader looks for ends that it missed,
	// because it learned of an end before it learned of the trigger.
	sweepTriggersEvery = time.Minute
)

// endedQueue holds, for each trigger key, the executions that ended and whose
// triggers are to be decided.
type endedQueue struct {
	mu    sync.Mutex
	ids   map[bus.ScheduleKey][]int64
	all   map[bus.ScheduleKey]bool // look at all executions
	swept time.Time
}

func newEndedQueue() *endedQueue {
	return &endedQueue{ids: map[bus.ScheduleKey][]int64{}, all: map[bus.ScheduleKey]bool{}}
}

func (q *endedQueue) addEnd(key bus.ScheduleKey, id int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ids[key] = append(q.ids[key], id)
}

func (q *endedQueue) addAll(key bus.ScheduleKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all[key] = true
}

// takeEnds returns what waits for the key, and removes it.
func (q *endedQueue) takeEnds(key bus.ScheduleKey) (ids []int64, all bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids, all = q.ids[key], q.all[key]
	delete(q.ids, key)
	delete(q.all, key)
	return ids, all
}

// waiting returns the keys for which something waits.
func (q *endedQueue) waiting() (keys []bus.ScheduleKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key := range q.ids {
		keys = append(keys, key)
	}
	for key := range q.all {
		keys = append(keys, key)
	}
	return keys
}

// needsSweep reports whether sweepTriggersEvery has passed since the last
// sweep, or force is set, and notes that a sweep begins.
func (q *endedQueue) needsSweep(force bool, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !force && now.Sub(q.swept) < sweepTriggersEvery {
		return false
	}
	q.swept = now
	return true
}

// noteEnd wakes the triggers that name the job of an execution that ended. The
// index calls it.
func (s *Scheduler) noteEnd(app, job string, id int64) {
	of := s.index.StartedBy(app, job)
	if len(of) == 0 || !s.leadership.isLeading() { // the next leader looks at all executions
		return
	}
	for _, started := range of {
		key := triggerKey(&started, app, job)
		s.ended.addEnd(key, id)
		s.wakes.addSchedule(key)
	}
}

// sweepTriggers wakes the triggers for which something waits, and every trigger
// if the last sweep is long ago or this bus has begun to lead.
func (s *Scheduler) sweepTriggers(force bool) {
	if s.ended.needsSweep(force, time.Now()) {
		for _, started := range s.index.Triggered() {
			for _, t := range started.Triggers.Jobs {
				s.ended.addAll(triggerKey(&started, t.App, t.Job))
			}
		}
	}
	for _, key := range s.ended.waiting() {
		s.wakes.addSchedule(key)
	}
}

// triggerKey returns the key of the decisions about the trigger of a job by
// another one.
func triggerKey(started *index.Started, app, job string) bus.ScheduleKey {
	if started.Triggers.All {
		return bus.JoinKey(started.App, started.Job)
	}
	return bus.TriggerKey(started.App, started.Job, app, job)
}

// walkTrigger decides the triggers of a key that executions have met.
func (s *Scheduler) walkTrigger(ctx context.Context, key bus.ScheduleKey) error {
	ids, all := s.ended.takeEnds(key)
	read := time.Now()
	def, _, ok := s.index.Definition(key.App(), key.Job())
	if !ok || def.Settings.Triggers == nil {
		return nil
	}
	started := &index.Started{App: key.App(), Job: key.Job(), Triggers: def.Settings.Triggers}
	var met []index.Summary
	if all {
		met = s.endedSince(key, started)
	} else {
		for _, id := range ids {
			if e, ok := s.index.Find(id); ok {
				met = append(met, e)
			}
		}
	}
	if len(met) == 0 {
		return nil
	}
	if err := s.refreshPauses(ctx); err != nil || s.isHeld(key.App()) {
		s.ended.addAll(key) // the end of the pause, or the next renewal of the lease, wakes it
		return err
	}
	slices.SortFunc(met, func(a, b index.Summary) int { return cmp.Compare(a.ID, b.ID) })
	for i := range met {
		err := errStale
		if !isStale(read) {
			err = s.decideTrigger(ctx, key, started, &met[i])
		}
		if err != nil {
			s.ended.addAll(key) // the next renewal of the lease tries again
			return err
		}
	}
	return nil
}

// endedSince returns the executions that may meet a trigger of the key.
func (s *Scheduler) endedSince(key bus.ScheduleKey, started *index.Started) (all []index.Summary) {
	oldest := s.oldestEnd(started)
	seen := map[bus.ScheduleKey]bool{}
	for _, t := range started.Triggers.Jobs {
		by := bus.NewScheduleKey(t.App, t.Job, "")
		if triggerKey(started, t.App, t.Job) != key || seen[by] {
			continue
		}
		seen[by] = true
		// An execution can run for long before it ends.
		all = append(all, s.index.CreatedSince(t.App, t.Job, subjects.TimeOf(oldest.Add(-maxTriggerAge)))...)
	}
	return slices.DeleteFunc(all, func(e index.Summary) bool { return !e.BatchStatus.Ended() || e.EndTime.Std().Before(oldest) })
}

// oldestEnd returns the time before which ends start nothing.
func (s *Scheduler) oldestEnd(started *index.Started) time.Time {
	oldest := time.Now().Add(-min(maxTriggerAge, s.bus.Retention().Fires/2))
	if since := started.Triggers.Since.Std(); since.After(oldest) {
		return since
	}
	return oldest
}

// decideTrigger decides what an execution that ended starts by the triggers of
// the key.
func (s *Scheduler) decideTrigger(ctx context.Context, key bus.ScheduleKey, started *index.Started, e *index.Summary) error {
	if !e.BatchStatus.Ended() || e.EndTime.Std().Before(s.oldestEnd(started)) || s.index.AwaitsRetry(e.ID) {
		return nil
	}
	number, f, ok := triggerFire(started.Triggers, e, s.businessDate(e), s.endedFor)
	if !ok {
		return nil
	}
	if s.ledger.isDecided(key, number) {
		return nil
	}
	// Two buses may have stored triggers at the same time.
	if path := s.index.StartPath(key.App(), key.Job(), e.App, e.Job); path != nil {
		s.log.Error("triggers form a cycle and start nothing", "app", key.App(), "job", key.Job(), "cycle", strings.Join(path, " starts "))
		return nil
	}
	return s.storeFire(ctx, key, number, f)
}

// firstMet returns the first trigger that the execution meets, or nil.
func firstMet(t *bus.Triggers, e *index.Summary) *bus.Trigger {
	for i := range t.Jobs {
		if by := &t.Jobs[i]; by.App == e.App && by.Job == e.Job && by.Matches(e.BatchStatus, e.ExitStatus) {
			return by
		}
	}
	return nil
}

// triggerFire returns what an execution that ended starts: the decision, and the
// number of its key. The number is the same for all executions that must start
// one execution together: those of an instance, or if all triggers are needed,
// those of a business date. ok is false if it starts nothing, or nothing yet.
// endedFor returns the executions of the job of a trigger for a date.
func triggerFire(t *bus.Triggers, e *index.Summary, date string, endedFor func(by *bus.Trigger, date string) []index.Summary) (number int64, f bus.Fire, ok bool) {
	met := firstMet(t, e)
	if met == nil {
		return 0, f, false
	}
	f = bus.Fire{Generation: 1, Nominal: e.EndTime, Date: date, Parameters: met.Parameters, Causes: []bus.Cause{causeOf(e)}}
	if !t.All {
		return e.InstanceID, f, true
	}
	f.Causes, f.Parameters = joinCauses(t, date, endedFor)
	return dateNumber(date), f, f.Causes != nil
}

// joinCauses returns executions of a business date that meet all triggers, one
// for each, and the parameters of all triggers. It returns none if a trigger is
// not met.
func joinCauses(t *bus.Triggers, date string, endedFor func(by *bus.Trigger, date string) []index.Summary) (causes []bus.Cause, parameters map[string]string) {
	parameters = map[string]string{}
	for i := range t.Jobs {
		by := &t.Jobs[i]
		of := endedFor(by, date)
		first := slices.IndexFunc(of, func(e index.Summary) bool { return by.Matches(e.BatchStatus, e.ExitStatus) })
		if first < 0 {
			return nil, nil
		}
		causes = append(causes, causeOf(&of[first]))
		maps.Copy(parameters, by.Parameters)
	}
	return causes, parameters
}

// endedFor returns the executions of the job of a trigger for a business date,
// newest first, without those that are going to be retried.
func (s *Scheduler) endedFor(by *bus.Trigger, date string) []index.Summary {
	day, _ := time.Parse(time.DateOnly, date)
	// No time zone is more than a day from UTC.
	of := s.index.CreatedSince(by.App, by.Job, subjects.TimeOf(day.AddDate(0, 0, -2)))
	return slices.DeleteFunc(of, func(e index.Summary) bool { return s.businessDate(&e) != date || s.index.AwaitsRetry(e.ID) })
}

func causeOf(e *index.Summary) bus.Cause { return bus.Cause{App: e.App, Job: e.Job, Execution: e.ID} }

// businessDate returns the date for which an execution runs: that of its
// schedule, or the date of its creation in the bus's time zone.
func (s *Scheduler) businessDate(e *index.Summary) string {
	if e.ScheduledDate != "" {
		return e.ScheduledDate
	}
	return e.CreateTime.Std().In(s.plans.zone).Format(time.DateOnly)
}

// dateNumber returns a date as the number YYYYMMDD.
func dateNumber(date string) int64 {
	n, _ := strconv.ParseInt(strings.ReplaceAll(date, "-", ""), 10, 64)
	return n
}
