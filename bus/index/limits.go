package index

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// limitQueues are the executions that wait for limits, and the newest ledger
// that this bus knows. All executions of a queue need the same, so only the
// first of each can be the next to get it.
type limitQueues struct {
	ledger   bus.Ledger // immutable
	revision uint64
	byNeeds  map[bus.Needs][]int64 // ascending
	waiting  map[int64]bus.Needs
}

func newLimitQueues() limitQueues {
	return limitQueues{byNeeds: map[bus.Needs][]int64{}, waiting: map[int64]bus.Needs{}}
}

// track adds an execution that waits for its first attempt, and removes any
// other.
func (q *limitQueues) track(r *recordFields) {
	switch {
	case r.Limits == "":
	case !r.Status.Waiting() || r.Attempt > 0 || q.ledger.Holds(r.Limits, r.ID):
		q.remove(r.ID)
	case q.waiting[r.ID] == "":
		q.waiting[r.ID] = r.Limits
		ids := q.byNeeds[r.Limits]
		i, _ := slices.BinarySearch(ids, r.ID)
		q.byNeeds[r.Limits] = slices.Insert(ids, i, r.ID)
	}
}

func (q *limitQueues) remove(id int64) {
	needs := q.waiting[id]
	if needs == "" {
		return
	}
	delete(q.waiting, id)
	ids := q.byNeeds[needs]
	switch i, found := slices.BinarySearch(ids, id); {
	case !found:
	case len(ids) == 1:
		delete(q.byNeeds, needs)
	case i == 0:
		q.byNeeds[needs] = ids[1:]
	default:
		q.byNeeds[needs] = slices.Delete(ids, i, i+1)
	}
}

// waits reports whether an execution waits for limits.
func (q *limitQueues) waits(id int64) bool {
	needs := q.waiting[id]
	return needs != "" && !q.ledger.Holds(needs, id)
}

// PutLedger sets the ledger, unless the index has a newer one.
func (x *Index) PutLedger(l *bus.Ledger, rev uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if rev <= x.limits.revision {
		return
	}
	x.limits.revision, x.limits.ledger = rev, bus.Ledger{}
	if l != nil {
		x.limits.ledger = *l
	}
}

// Ledger returns the newest ledger that this bus knows, with its revision. The
// caller must not change it.
func (x *Index) Ledger() (bus.Ledger, uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.limits.ledger, x.limits.revision
}

// AwaitedLimits returns the limits for which an execution waits, empty if it
// does not wait for any.
func (x *Index) AwaitedLimits(id int64) bus.Needs {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if !x.limits.waits(id) {
		return ""
	}
	return x.limits.waiting[id]
}

// HoldsLimits reports whether an execution holds what it needs.
func (x *Index) HoldsLimits(needs bus.Needs, id int64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.limits.ledger.Holds(needs, id)
}

// HasLimitWaiters reports whether an execution waits for limits.
func (x *Index) HasLimitWaiters() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.limits.waiting) > 0
}

// GrantLimits adds the waiting executions that can have what they need to l, in
// the order of their ids, and returns them. others reports whether more
// executions wait.
func (x *Index) GrantLimits(l *bus.Ledger) (granted []int64, others bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.limits.waiting) == 0 {
		return nil, false
	}
	g := bus.NewGranter(l)
	at := make(map[bus.Needs]int, len(x.limits.byNeeds)) // the next of each queue
	for needs := range x.limits.byNeeds {
		at[needs] = 0
	}
	for len(at) > 0 {
		needs, id := x.limits.first(at)
		if id == 0 {
			return granted, others
		}
		at[needs]++
		if l.Holds(needs, id) { // another bus granted it
			continue
		}
		ok, blocked := g.Grant(needs, id)
		if ok {
			granted = append(granted, id)
		}
		if blocked {
			delete(at, needs)
			others = true
		}
	}
	return granted, others
}

// first returns the lowest id that is next in a queue, or 0.
func (q *limitQueues) first(at map[bus.Needs]int) (of bus.Needs, id int64) {
	for needs, i := range at {
		ids := q.byNeeds[needs]
		if i >= len(ids) {
			delete(at, needs)
			continue
		}
		if id == 0 || ids[i] < id {
			of, id = needs, ids[i]
		}
	}
	return of, id
}

// DropGranted removes executions from the queues, after the ledger shows that
// they hold what they need.
func (x *Index) DropGranted(ids []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		x.limits.remove(id)
	}
}

// LimitPlace returns how many executions that use a limit wait for limits and
// come before id, plus one.
func (x *Index) LimitPlace(limit string, id int64) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	place := 1
	for needs, ids := range x.limits.byNeeds {
		if slices.ContainsFunc(needs.All(), func(n bus.Need) bool { return n.Limit == limit }) {
			i, _ := slices.BinarySearch(ids, id)
			place += i
		}
	}
	return place
}

// LimitWaiters returns how many executions wait for each limit.
func (x *Index) LimitWaiters() map[string]int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	waiting := map[string]int{}
	for needs, ids := range x.limits.byNeeds {
		for _, n := range needs.All() {
			waiting[n.Limit] += len(ids)
		}
	}
	return waiting
}

// UsersOf returns the names of the jobs, as app/name, whose definitions use a
// limit.
func (x *Index) UsersOf(limit string) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var users []string
	for _, j := range x.jobs {
		if j.def == nil || j.jsl == nil {
			continue
		}
		for _, use := range j.jsl.Limits {
			if use.Name == limit {
				users = append(users, j.app+"/"+j.displayName())
			}
		}
	}
	slices.Sort(users)
	return users
}
