package scheduler

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	followAgain = time.Second     // after which a watch that broke is begun anew
	maxWait     = 5 * time.Minute // between two tries to finish an open fire that is refused
)

// ledger is what a bus has seen of bucket fires: where each walk begins, and
// which fires are open. It may lag; then a walk meets keys that exist, and goes
// on.
type ledger struct {
	mu     sync.Mutex
	marks  map[string]map[uint64]int64     // by schedule and generation: the newest nominal time decided
	opened map[string]map[string]*openFire // by schedule and fire key: what has no record as far as is known
	loaded chan struct{}
	once   sync.Once
}

type openFire struct {
	key       string
	execution int64
	nominal   int64
	again     time.Time // not to be tried before
	wait      time.Duration
}

func newLedger() *ledger {
	return &ledger{marks: map[string]map[uint64]int64{}, opened: map[string]map[string]*openFire{}, loaded: make(chan struct{})}
}

// wait waits until all that was there is seen.
func (l *ledger) wait(ctx context.Context) error {
	select {
	case <-l.loaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow keeps the ledger up to date until ctx ends.
func (s *Scheduler) follow(ctx context.Context) error {
	for {
		err := s.bus.Fires.Tolerant(s.log).Watch(ctx, s.ledger.see, s.ledger.filled)
		if ctx.Err() != nil {
			return nil
		}
		s.log.Warn("fires not followed, trying again", "err", err)
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
		}
	}
}

func (l *ledger) filled() { l.once.Do(func() { close(l.loaded) }) }

// see takes in what the bucket says of a key: a decision, or nil if it was
// purged.
func (l *ledger) see(key string, f *bus.Fire, _ uint64) {
	if f == nil {
		l.done(key)
		return
	}
	l.take(key, f)
}

// take takes a decision in.
func (l *ledger) take(key string, f *bus.Fire) {
	schedule, second, ok := bus.SplitFireKey(key)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.marks[schedule]
	if of == nil {
		of = map[uint64]int64{}
		l.marks[schedule] = of
	}
	of[f.Generation] = max(of[f.Generation], second)
	for g := range of { // nobody walks a generation that two others followed
		if len(of) > 2 && g+1 < f.Generation {
			delete(of, g)
		}
	}
	if !f.Open() {
		l.remove(schedule, key)
		return
	}
	if l.opened[schedule] == nil {
		l.opened[schedule] = map[string]*openFire{}
	}
	if l.opened[schedule][key] == nil {
		l.opened[schedule][key] = &openFire{key: key, execution: f.Execution, nominal: second}
	}
}

// newest is where the walk of the schedule's present generation begins.
func (l *ledger) newest(sc *bus.Schedule) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := sc.Since.Std()
	if t := time.Unix(l.marks[sc.Key()][sc.Generation], 0); t.After(since) {
		return t
	}
	return since
}

// isMark says whether a walk may begin at the nominal time.
func (l *ledger) isMark(schedule string, second int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, newest := range l.marks[schedule] {
		if newest == second {
			return true
		}
	}
	return false
}

// generation is the newest one that decided something.
func (l *ledger) generation(schedule string) (newest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for g := range l.marks[schedule] {
		newest = max(newest, g)
	}
	return newest
}

// open lists the schedule's open fires that may be tried now, oldest first.
func (l *ledger) open(schedule string) []openFire {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []openFire
	for _, o := range l.opened[schedule] {
		if !o.again.After(time.Now()) {
			open = append(open, *o)
		}
	}
	slices.SortFunc(open, func(a, b openFire) int { return cmp.Compare(a.nominal, b.nominal) })
	return open
}

// later puts an open fire off, each time for longer.
func (l *ledger) later(key string) {
	schedule, _, _ := bus.SplitFireKey(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.opened[schedule][key]; o != nil {
		o.wait = min(max(2*o.wait, leaseEvery), maxWait)
		o.again = time.Now().Add(o.wait)
	}
}

// done says that a fire has its execution, or will have none.
func (l *ledger) done(key string) {
	schedule, _, _ := bus.SplitFireKey(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(schedule, key)
}

func (l *ledger) remove(schedule, key string) {
	delete(l.opened[schedule], key)
	if len(l.opened[schedule]) == 0 {
		delete(l.opened, schedule)
	}
}

// unfinished lists the schedules with open fires, less those whose execution is
// known.
func (l *ledger) unfinished(known func(execution int64) bool) (schedules []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for schedule, of := range l.opened {
		for key, o := range of {
			if known(o.execution) {
				l.remove(schedule, key)
			}
		}
		if len(of) > 0 {
			schedules = append(schedules, schedule)
		}
	}
	return schedules
}
