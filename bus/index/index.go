// Package index is the read model: it keeps every definition and a summary of
// every execution in memory. It fills itself from the buckets and follows their
// changes. Lists, searches and counts come from it. The steps and parameters of
// one execution are read from JetStream.
//
//	KV jobs, schedules, apps, calendars --watch---> maps of definitions
//	KV executions --ordered consumer, 2 decoders--> entries of 72 bytes,
//	                                                by id, and by job in order of creation
//	own writes -----------------------------------> the same, without delay;
//	                                                the revision tells the echo
//
// An entry holds no pointer, so the garbage collector does not scan it, even if
// there are a million.
package index

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Index is the read model of one bus.
type Index struct {
	b     *bus.Bus
	ready chan struct{}

	putJob sync.Mutex // held while a definition is parsed, without mu

	mu           sync.RWMutex
	apps         map[string]appEntry
	calendars    *calendars.Set
	pauses       groupPauses
	jobs         []*jobEntry // by the number in entries of executions; never shrinks
	byKey        map[jobName]*jobEntry
	byName       map[jobName]*jobEntry   // those with a definition
	perApp       map[string]int          // jobs with a definition
	promised     map[*jobEntry]struct{}  // those whose settings promise something
	starts       map[jobName][]*jobEntry // by the job that a trigger names: the jobs that it starts
	table        table
	names        names // of agents and exit statuses
	live         map[int64]queuePlace
	doomed       map[int64]Doomed
	successor    map[int64]Restarted // restarts whose new execution is not in the index yet
	retries      map[int64]DueRetry  // failed executions that the bus restarts
	waiters      map[int64][]chan *bus.Execution
	stopRequests map[int64]string
	limits       limitQueues
	ended        [64]*bus.Execution // ring of the last executions that this bus ended
	endedNext    int
	onEnd        []func(app, job string, id int64)
	onSchedule   []func(key bus.ScheduleKey)
}

type jobName struct{ app, job string }

type appEntry struct {
	app *bus.App // nil: deleted at rev
	rev uint64
}

// New returns an empty index. Run fills it.
func New(b *bus.Bus) *Index {
	return &Index{
		b: b, ready: make(chan struct{}),
		apps: map[string]appEntry{}, starts: map[jobName][]*jobEntry{}, byKey: map[jobName]*jobEntry{}, byName: map[jobName]*jobEntry{}, perApp: map[string]int{}, promised: map[*jobEntry]struct{}{},
		table: newTable(), names: newNames(), live: map[int64]queuePlace{},
		doomed: map[int64]Doomed{}, successor: map[int64]Restarted{}, retries: map[int64]DueRetry{},
		waiters: map[int64][]chan *bus.Execution{}, stopRequests: map[int64]string{}, limits: newLimitQueues(),
		pauses: newGroupPauses(),
	}
}

// Ready returns a channel that is closed when the index holds everything that
// existed when Run began.
func (x *Index) Ready() <-chan struct{} { return x.ready }

// WaitReady blocks until the index is filled.
func (x *Index) WaitReady(ctx context.Context) error {
	select {
	case <-x.ready:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("the read model was not filled within a minute")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OnEnd makes the index call f whenever an execution has ended, also if it was
// restarted meanwhile. job is the permanent key. f must not block. The index
// calls it for no execution that had ended when Run began, and possibly twice
// for one execution. Call OnEnd before Run.
func (x *Index) OnEnd(f func(app, job string, id int64)) { x.onEnd = append(x.onEnd, f) }

// OnSchedule makes the index call f with the key of each schedule that changes
// or is removed, and with the zero key if a calendar changes. f must not block
// or call the index. Call OnSchedule before Run.
func (x *Index) OnSchedule(f func(key bus.ScheduleKey)) { x.onSchedule = append(x.onSchedule, f) }

// Run fills the index and follows changes until ctx ends.
func (x *Index) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var left atomic.Int32
	left.Store(7)
	filled := func() {
		if left.Add(-1) == 0 {
			close(x.ready)
		}
	}
	followBucket(ctx, g, x.b.Apps, filled, x.PutApp)
	followBucket(ctx, g, x.b.Jobs, filled, func(key string, v *bus.Job, rev uint64) {
		if app, job, ok := bus.SplitJobKey(key); ok {
			x.PutJob(app, job, v, rev)
		}
	})
	followBucket(ctx, g, x.b.Schedules, filled, func(key string, v *bus.Schedule, rev uint64) {
		if k, ok := bus.ParseScheduleKey(key); ok {
			x.PutSchedule(k, v, rev)
		}
	})
	followBucket(ctx, g, x.b.Calendars, filled, x.PutCalendar)
	followBucket(ctx, g, x.b.Pauses, filled, x.PutPauses)
	followBucket(ctx, g, x.b.Ledger, filled, func(_ string, v *bus.Ledger, rev uint64) { x.PutLedger(v, rev) })
	g.Go(func() error { return x.followExecutions(ctx, filled) })
	return g.Wait()
}

// followBucket calls put for every existing key, then filled, then put for
// every change until ctx ends.
func followBucket[T any](ctx context.Context, g *errgroup.Group, s *bus.Store[T], filled func(), put func(string, *T, uint64)) {
	filled = sync.OnceFunc(filled) // a watch that starts again calls it again
	g.Go(func() error {
		return bus.RetryWatch(ctx, func() error { return s.Watch(ctx, put, filled) })
	})
}

// PutApp adds an application that this bus wrote, or removes it if v is nil, so
// that a client sees its own write.
func (x *Index) PutApp(name string, v *bus.App, rev uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if rev > x.apps[name].rev {
		x.apps[name] = appEntry{v, rev}
	}
}

// PutJob sets the definition of the job with this permanent key. There is no
// job if v is nil or has no definition.
func (x *Index) PutJob(app, key string, v *bus.Job, rev uint64) {
	x.putJob.Lock()
	defer x.putJob.Unlock()
	if x.hasJob(app, key, rev) { // most often, the watch brings what this bus wrote itself
		return
	}
	var def *bus.Job
	var parsed *jsl.Job
	if v != nil && v.Definition != nil {
		var err error
		// Still list the job, so that it can be deleted.
		if parsed, err = jsl.Restore(v.Definition); err != nil {
			x.b.Log.Warn("the definition of a job cannot be parsed", "app", app, "job", v.Name, "err", err)
		}
		named := *v
		named.PermanentKey = key
		if named.Notation != nil { // it is as large as a hundred definitions
			named.Notation = &bus.Notation{}
		}
		def = &named
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	j := x.jobFor(app, key)
	if j.def != nil {
		x.perApp[app]--
		// Otherwise the index already knows a job that took the name.
		if k := (jobName{app, j.def.Name}); x.byName[k] == j {
			delete(x.byName, k)
		}
	}
	if def != nil {
		x.perApp[app]++
		j.setFirstName(def.Name)
		k := jobName{app, def.Name}
		if has := x.byName[k]; has == nil || has.rev < rev { // otherwise j has lost the name since
			x.byName[k] = j
		}
	}
	x.setTriggers(j, j.def, def)
	if delete(x.promised, j); def != nil && def.Settings.SLA != nil {
		x.promised[j] = struct{}{}
	}
	j.def, j.jsl, j.rev = def, parsed, rev
}

// hasJob reports whether the index has this revision of a job, or a newer one.
func (x *Index) hasJob(app, key string, rev uint64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{app, key}]
	return j != nil && rev <= j.rev
}

// PutSchedule sets a schedule, or removes it if v is nil.
func (x *Index) PutSchedule(key bus.ScheduleKey, v *bus.Schedule, rev uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	j := x.jobFor(key.App(), key.Job())
	i, there := j.findSchedule(key)
	if !there {
		j.schedules = slices.Insert(j.schedules, i, scheduleEntry{key: key})
	}
	e := &j.schedules[i]
	if rev <= e.rev {
		return
	}
	e.value, e.rev = v, rev
	for _, f := range x.onSchedule {
		f(key)
	}
}

// PutCalendar sets the calendar with a key, or removes it if v is nil.
func (x *Index) PutCalendar(key string, v *bus.Calendar, rev uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set := x.calendars.With(key, v, rev)
	if set == x.calendars {
		return
	}
	x.calendars = set
	for _, f := range x.onSchedule {
		f(bus.ScheduleKey{})
	}
}

// Calendars returns all calendars.
func (x *Index) Calendars() *calendars.Set {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.calendars
}

// jobFor returns the entry for a permanent key, and creates it if there is
// none.
func (x *Index) jobFor(app, key string) *jobEntry {
	k := jobName{app, key}
	j := x.byKey[k]
	if j == nil {
		j = &jobEntry{app: app, key: key, number: uint32(len(x.jobs))}
		x.jobs = append(x.jobs, j)
		x.byKey[k] = j
	}
	return j
}
