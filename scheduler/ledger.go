package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// maxBackoff is the longest delay between two attempts to finish an open fire.
const maxBackoff = 5 * time.Minute

// ledger is what this bus has seen of bucket fires: where each walk begins, and
// which fires are open. It may lag behind the bucket. A walk then meets keys
// that exist already, and goes on.
type ledger struct {
	mu     sync.Mutex
	marks  map[bus.ScheduleKey]marks
	opened map[bus.ScheduleKey]map[string]*openFire // by schedule and fire key: fires without a known record
	// Of triggers: the numbers of all decisions.
	decided map[bus.ScheduleKey]map[int64]struct{}
	// By schedule and the second of their key: the oldest times of runs of
	// skipped times.
	runs   map[bus.ScheduleKey]map[int64]int64
	loaded chan struct{}
	once   sync.Once
}

// openFire is a fire whose key names an execution that has no record yet.
type openFire struct {
	key       string
	execution int64
	nominal   int64
	overlap   string       // of the fire
	backfill  bus.Backfill // ID is 0 if a walk decided the fire
	retryAt   time.Time    // no attempt before this
	backoff   time.Duration
}

func newLedger() *ledger {
	return &ledger{
		marks: map[bus.ScheduleKey]marks{}, opened: map[bus.ScheduleKey]map[string]*openFire{},
		decided: map[bus.ScheduleKey]map[int64]struct{}{}, runs: map[bus.ScheduleKey]map[int64]int64{}, loaded: make(chan struct{}),
	}
}

// waitLoaded blocks until the ledger has seen all keys that were in the bucket
// at the start.
func (l *ledger) waitLoaded(ctx context.Context) error {
	select {
	case <-l.loaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watchFires keeps the ledger up to date until ctx ends. It restarts a broken
// watch.
func (s *Scheduler) watchFires(ctx context.Context) error {
	return bus.RetryWatch(ctx, func() error {
		err := s.bus.Fires.Tolerant(s.log).Watch(ctx, s.ledger.applyUpdate, s.ledger.markLoaded)
		if err == nil {
			return nil
		}
		s.log.Warn("watch of the fires failed, retrying", "err", err)
		return fmt.Errorf("%w: %w", bus.ErrAway, err) // every error is worth a retry
	})
}

func (l *ledger) markLoaded() { l.once.Do(func() { close(l.loaded) }) }

// applyUpdate applies an update from the bucket: a decision, or nil if the key
// was purged.
func (l *ledger) applyUpdate(key string, f *bus.Fire, _ uint64) {
	if f == nil {
		l.removeDecision(key)
		return
	}
	l.addDecision(key, f)
}

// removeDecision removes the decision of a key that was purged. The marks stay.
func (l *ledger) removeDecision(key string) {
	l.removeOpen(key)
	schedule, number, _ := bus.SplitFireKey(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if delete(l.decided[schedule], number); len(l.decided[schedule]) == 0 {
		delete(l.decided, schedule)
	}
	if delete(l.runs[schedule], number); len(l.runs[schedule]) == 0 {
		delete(l.runs, schedule)
	}
}

// isDecided reports whether a trigger has a decision with this number.
func (l *ledger) isDecided(trigger bus.ScheduleKey, number int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.decided[trigger][number]
	return ok
}

// addDecision adds the decision of a key.
func (l *ledger) addDecision(key string, f *bus.Fire) {
	schedule, second, ok := bus.SplitFireKey(key)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if schedule.IsTrigger() {
		if l.decided[schedule] == nil {
			l.decided[schedule] = map[int64]struct{}{}
		}
		l.decided[schedule][second] = struct{}{}
	} else if f.Generation != 0 { // a walk has reached this time
		l.addMarkLocked(schedule, f.Generation, second)
	}
	if f.SkippedCount > 1 {
		if l.runs[schedule] == nil {
			l.runs[schedule] = map[int64]int64{}
		}
		l.runs[schedule][second] = f.SkippedFrom.Std().Unix()
	}
	if !f.Open() {
		l.removeOpenLocked(schedule, key)
		return
	}
	if l.opened[schedule] == nil {
		l.opened[schedule] = map[string]*openFire{}
	}
	if l.opened[schedule][key] == nil {
		l.opened[schedule][key] = &openFire{key: key, execution: f.Execution, nominal: second, overlap: f.Overlap}
	}
	if f.Backfill != nil {
		l.opened[schedule][key].backfill = *f.Backfill
	}
}

// runOver returns the second of the key that stands for a run of skipped times
// which contains a moment.
func (l *ledger) runOver(schedule bus.ScheduleKey, at int64) (key int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for to, from := range l.runs[schedule] {
		if from <= at && at <= to && (!ok || to < key) {
			key, ok = to, true
		}
	}
	return key, ok
}

// addMarkLocked adds the nominal time of a decision to the marks.
func (l *ledger) addMarkLocked(schedule bus.ScheduleKey, generation uint64, second int64) {
	of := l.marks[schedule]
	of.addDecided(generation, second)
	l.marks[schedule] = of
}

// marks are the newest decided times of the newest two generations of a
// schedule. A walk needs no others.
type marks [2]mark

type mark struct {
	generation uint64
	second     int64 // 0: none
}

func (m *marks) addDecided(generation uint64, second int64) {
	oldest := &m[0]
	for i := range m {
		if m[i].generation == generation {
			m[i].second = max(m[i].second, second)
			return
		}
		if m[i].generation < oldest.generation {
			oldest = &m[i]
		}
	}
	if oldest.second == 0 || oldest.generation < generation {
		*oldest = mark{generation, second}
	}
}

// newestOf returns the newest decided time of a generation, 0 if there is none.
func (m marks) newestOf(generation uint64) int64 {
	for _, is := range m {
		if is.generation == generation {
			return is.second
		}
	}
	return 0
}

// walkStart returns the time after which a walk begins: the newest decision of
// the schedule's generation, or the last change of the schedule or its calendar.
func (l *ledger) walkStart(sc *bus.Schedule, p *plan) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := p.startOf(sc)
	if t := time.Unix(l.marks[sc.Key()].newestOf(sc.Generation), 0); t.After(since) {
		return t
	}
	return since
}

// isWalkStart reports whether the nominal time is where a walk of the schedule
// may begin.
func (l *ledger) isWalkStart(schedule bus.ScheduleKey, second int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, newest := range l.marks[schedule] {
		if newest.second == second {
			return true
		}
	}
	return false
}

// newestGeneration returns the newest generation of the schedule that decided a
// time.
func (l *ledger) newestGeneration(schedule bus.ScheduleKey) (newest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.marks[schedule] {
		newest = max(newest, m.generation)
	}
	return newest
}

// openFires returns the schedule's open fires, oldest first. It leaves out those
// of backfills.
func (l *ledger) openFires(schedule bus.ScheduleKey) []openFire {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []openFire
	for _, o := range l.opened[schedule] {
		if o.backfill.ID == 0 {
			open = append(open, *o)
		}
	}
	slices.SortFunc(open, func(a, b openFire) int { return cmp.Compare(a.nominal, b.nominal) })
	return open
}

// openBackfills returns the backfills of a schedule that have open fires, oldest
// first.
func (l *ledger) openBackfills(schedule bus.ScheduleKey) (ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.opened[schedule] {
		if id := o.backfill.ID; id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// backfillFires returns the open fires of a backfill that a bus has started, and
// the oldest of those that wait: as many as may run at the same time.
func (l *ledger) backfillFires(schedule bus.ScheduleKey, id int64) (started, waiting []openFire, concurrency int) {
	older := func(a, b openFire) int { return cmp.Compare(a.nominal, b.nominal) }
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.opened[schedule] {
		switch {
		case o.backfill.ID != id:
			continue
		case o.backfill.Started != 0:
			started = append(started, *o)
			continue
		}
		concurrency = max(o.backfill.Concurrency, 1)
		if len(waiting) == concurrency && older(waiting[len(waiting)-1], *o) < 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(waiting, *o, older)
		waiting = slices.Insert(waiting, i, *o)
		waiting = waiting[:min(len(waiting), concurrency)]
	}
	slices.SortFunc(started, older)
	return started, waiting, concurrency
}

// waitingBackfills returns the keys of the fires of all backfills of a job that
// wait.
func (l *ledger) waitingBackfills(app, job string) (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for schedule, of := range l.opened {
		for key, o := range of {
			if schedule.App() == app && schedule.Job() == job && o.backfill.ID != 0 && o.backfill.Started == 0 {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// queuedSchedules returns the schedules of a job that have queued fires.
func (l *ledger) queuedSchedules(app, job string) (schedules []bus.ScheduleKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for schedule, of := range l.opened {
		if schedule.App() != app || schedule.Job() != job {
			continue
		}
		for _, o := range of {
			if queuesFires(o.overlap) {
				schedules = append(schedules, schedule)
				break
			}
		}
	}
	return schedules
}

// backOff delays the next attempt for an open fire, with exponential backoff.
func (l *ledger) backOff(key string) {
	schedule, _, _ := bus.SplitFireKey(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.opened[schedule][key]; o != nil {
		o.backoff = min(max(2*o.backoff, leaseEvery), maxBackoff)
		o.retryAt = time.Now().Add(o.backoff)
	}
}

// removeOpen removes an open fire, once it has its execution or will never have
// one.
func (l *ledger) removeOpen(key string) {
	schedule, _, _ := bus.SplitFireKey(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeOpenLocked(schedule, key)
}

func (l *ledger) removeOpenLocked(schedule bus.ScheduleKey, key string) {
	delete(l.opened[schedule], key)
	if len(l.opened[schedule]) == 0 {
		delete(l.opened, schedule)
	}
}

// unfinishedSchedules returns the schedules that have open fires. It first
// removes the open fires whose execution is known.
func (l *ledger) unfinishedSchedules(known func(execution int64) bool) (schedules []bus.ScheduleKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for schedule, of := range l.opened {
		for key, o := range of {
			if waits := o.backfill.ID != 0 && o.backfill.Started == 0; !waits && known(o.execution) {
				l.removeOpenLocked(schedule, key)
			}
		}
		if len(of) > 0 {
			schedules = append(schedules, schedule)
		}
	}
	return schedules
}
