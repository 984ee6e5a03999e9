package index

import (
	"cmp"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// queue is where an execution that has not ended waits, or waited.
type queue struct {
	key   queueKey
	waits bool
	rank  rank
}

// queueKey names the queue of a pool.
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

// Position is the place of an execution in the queue of its pool.
type Position struct {
	Pool   string
	Number int // from 1
}

// rank orders a queue: by priority, then by who came first. An execution whose
// agent was lost is requested anew, behind those that came meanwhile.
type rank struct {
	priority uint8
	since    subjects.Time
	id       int64
}

func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.since, b.since), cmp.Compare(a.id, b.id))
}

// Positions returns the places of those executions that wait for an agent. It is
// one pass over all that have not ended, however many are asked for.
func (x *Index) Positions(ids []int64) map[int64]Position {
	x.mu.RLock()
	defer x.mu.RUnlock()
	wanted := map[queueKey][]rank{}
	for _, id := range ids {
		if q := x.live[id]; q.waits {
			wanted[q.key] = append(wanted[q.key], q.rank)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	ahead := map[queueKey][]int{} // how many wait between a wanted one and the wanted one before it
	for k, ranks := range wanted {
		slices.SortFunc(ranks, rank.compare)
		ahead[k] = make([]int, len(ranks)+1)
	}
	for _, q := range x.live {
		if ranks := wanted[q.key]; ranks != nil && q.waits {
			i, _ := slices.BinarySearchFunc(ranks, q.rank, rank.compare)
			ahead[q.key][i]++
		}
	}
	at := map[int64]Position{}
	for k, ranks := range wanted {
		n := 0
		for i, r := range ranks {
			n += ahead[k][i] // itself is one of them
			at[r.id] = Position{x.names.name(k.pool), n}
		}
	}
	return at
}
