package index

import (
	"cmp"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// queuePlace is the place where a live execution waits, or waited, for an
// agent.
type queuePlace struct {
	key   queueKey
	waits bool
	rank  rank

	deadline subjects.Time // end of the timeout; 0: none
}

// deadline returns when the timeout of an execution ends, or 0. The clock of the
// agent that told the start may be slow, so the creation is a bound.
func (r *recordFields) deadline() subjects.Time {
	if r.Timeout == 0 || r.Start == 0 {
		return 0
	}
	start := max(r.Start, r.Create).Std()
	return subjects.TimeOf(start.Add(time.Duration(r.Timeout) * time.Millisecond))
}

// queueKey identifies the queue of a pool.
type queueKey struct {
	app  string
	pool uint32 // number of a name
}

func priorityNumber(priority string) uint8 {
	switch priority {
	case subjects.High:
		return 0
	case subjects.Low:
		return 2
	}
	return 1
}

// Position is an execution's place in the queue of its pool.
type Position struct {
	Pool   string
	Number int // from 1
}

// rank orders a queue by priority, then by time. An execution whose agent was
// lost is requested again, behind those that arrived meanwhile.
type rank struct {
	priority uint8
	since    subjects.Time
	id       int64
}

func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.since, b.since), cmp.Compare(a.id, b.id))
}

// Positions returns the places of those executions that wait for an agent. It
// makes one pass over all live executions, however many ids there are.
func (x *Index) Positions(ids []int64) map[int64]Position {
	x.mu.RLock()
	defer x.mu.RUnlock()
	wanted := map[queueKey][]rank{}
	for _, id := range ids {
		if q := x.live[id]; q.waits && !x.limits.waits(id) {
			wanted[q.key] = append(wanted[q.key], q.rank)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	ahead := map[queueKey][]int{} // waiting executions between a wanted one and the wanted one before it
	for k, ranks := range wanted {
		slices.SortFunc(ranks, rank.compare)
		ahead[k] = make([]int, len(ranks)+1)
	}
	for id, q := range x.live {
		if ranks := wanted[q.key]; ranks != nil && q.waits && !x.limits.waits(id) {
			i, _ := slices.BinarySearchFunc(ranks, q.rank, rank.compare)
			ahead[q.key][i]++
		}
	}
	at := map[int64]Position{}
	for k, ranks := range wanted {
		n := 0
		for i, r := range ranks {
			n += ahead[k][i] // this includes the execution itself
			at[r.id] = Position{x.names.nameOf(k.pool), n}
		}
	}
	return at
}
