package scheduler

import (
	"context"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// walkQueue holds the keys of schedules whose walk is pending. It holds each
// key once, and hands out no key whose walk is running.
type walkQueue struct {
	mu      sync.Mutex
	order   []bus.ScheduleKey
	waiting map[bus.ScheduleKey]bool // in order, or added to it at the end of a running walk
	busy    map[bus.ScheduleKey]bool // the walk is running
	more    chan struct{}            // signals that order is not empty
}

func newWalkQueue() *walkQueue {
	return &walkQueue{waiting: map[bus.ScheduleKey]bool{}, busy: map[bus.ScheduleKey]bool{}, more: make(chan struct{}, 1)}
}

// addSchedule adds a schedule, unless it is waiting already.
func (q *walkQueue) addSchedule(key bus.ScheduleKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[key] {
		return
	}
	q.waiting[key] = true
	if !q.busy[key] {
		q.pushLocked(key)
	}
}

func (q *walkQueue) pushLocked(key bus.ScheduleKey) {
	q.order = append(q.order, key)
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// nextSchedule blocks until a schedule waits or ctx ends; ok is false at the
// end. Only one goroutine may call it.
func (q *walkQueue) nextSchedule(ctx context.Context) (key bus.ScheduleKey, ok bool) {
	for ctx.Err() == nil {
		if key, ok := q.popSchedule(); ok {
			return key, true
		}
		select {
		case <-q.more:
		case <-ctx.Done():
		}
	}
	return bus.ScheduleKey{}, false
}

func (q *walkQueue) popSchedule() (bus.ScheduleKey, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return bus.ScheduleKey{}, false
	}
	key := q.order[0]
	q.order = q.order[1:]
	delete(q.waiting, key)
	q.busy[key] = true
	return key, true
}

// endWalk must be called when the walk of a schedule has ended.
func (q *walkQueue) endWalk(key bus.ScheduleKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, key)
	if q.waiting[key] {
		q.pushLocked(key)
	}
}

// scheduleLocks lets one goroutine of this bus at a time decide for a schedule.
// That saves work; it is not needed for correctness, and other buses do not see
// the lock.
type scheduleLocks struct {
	mu    sync.Mutex
	locks map[bus.ScheduleKey]*scheduleLock // those that somebody holds or waits for
}

type scheduleLock struct {
	held  chan struct{}
	users int
}

// lockSchedule blocks until the caller holds the lock or ctx ends.
func (l *scheduleLocks) lockSchedule(ctx context.Context, key bus.ScheduleKey) (release func(), err error) {
	lock := l.useLock(key)
	select {
	case lock.held <- struct{}{}:
		return func() {
			<-lock.held
			l.leaveLock(key, lock)
		}, nil
	case <-ctx.Done():
		l.leaveLock(key, lock)
		return nil, ctx.Err()
	}
}

func (l *scheduleLocks) useLock(key bus.ScheduleKey) *scheduleLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locks == nil {
		l.locks = map[bus.ScheduleKey]*scheduleLock{}
	}
	lock := l.locks[key]
	if lock == nil {
		lock = &scheduleLock{held: make(chan struct{}, 1)}
		l.locks[key] = lock
	}
	lock.users++
	return lock
}

func (l *scheduleLocks) leaveLock(key bus.ScheduleKey, lock *scheduleLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.locks, key)
	}
}
