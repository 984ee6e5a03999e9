package scheduler

import (
	"context"
	"sync"
)

// queue holds the schedules that are to be walked: each once, and none that is
// being walked now.
type queue struct {
	mu      sync.Mutex
	order   []string
	waiting map[string]bool // in order, or to be put there when its walk has ended
	busy    map[string]bool
	more    chan struct{} // holds one token
}

func newQueue() *queue {
	return &queue{waiting: map[string]bool{}, busy: map[string]bool{}, more: make(chan struct{}, 1)}
}

// add wakes a schedule.
func (q *queue) add(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[key] {
		return
	}
	q.waiting[key] = true
	if !q.busy[key] {
		q.push(key)
	}
}

func (q *queue) push(key string) {
	q.order = append(q.order, key)
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take waits for the next schedule; false when ctx ends. One goroutine may call
// it.
func (q *queue) take(ctx context.Context) (key string, ok bool) {
	for ctx.Err() == nil {
		if key, ok := q.pop(); ok {
			return key, true
		}
		select {
		case <-q.more:
		case <-ctx.Done():
		}
	}
	return "", false
}

func (q *queue) pop() (string, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return "", false
	}
	key := q.order[0]
	q.order = q.order[1:]
	delete(q.waiting, key)
	q.busy[key] = true
	return key, true
}

// done says that the walk has ended.
func (q *queue) done(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, key)
	if q.waiting[key] {
		q.push(key)
	}
}

// locks lets one goroutine at a time decide for a schedule. It saves work
// within a bus; buses need none.
type locks struct{ m sync.Map }

func (l *locks) take(ctx context.Context, key string) (release func(), err error) {
	v, _ := l.m.LoadOrStore(key, make(chan struct{}, 1))
	held := v.(chan struct{})
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
