package index

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Positions agree with queues that are sorted in full: by priority, then by the
// time of the last request, then by id.
func TestPositionsAreThoseOfSortedQueues(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 5))
		x, queues := New(nil), map[string][]*bus.Execution{}
		for id := range int64(300) {
			e := execution(id+1, []subjects.BatchStatus{subjects.Undispatched, subjects.Unrestarted, subjects.Started}[r.IntN(3)])
			e.App, e.Pool = []string{"a", "b"}[r.IntN(2)], []string{"p", "q"}[r.IntN(2)]
			// None is normal.
			e.Priority = []string{subjects.High, subjects.Normal, subjects.Low, ""}[r.IntN(4)]
			e.CreateTime = subjects.Time(r.IntN(50))
			if r.IntN(4) == 0 { // its agent was lost, and it is requested again
				e.StartTime = e.CreateTime + subjects.Time(r.IntN(50))
			}
			x.PutExecution(e, uint64(id+1))
			if e.BatchStatus.Waiting() {
				queues[e.App+e.Pool] = append(queues[e.App+e.Pool], e)
			}
		}
		order := map[string]int{subjects.High: -1, subjects.Low: 1}
		want := map[int64]Position{}
		for _, queue := range queues {
			slices.SortFunc(queue, func(a, b *bus.Execution) int {
				return cmp.Or(order[a.Priority]-order[b.Priority], cmp.Compare(max(a.CreateTime, a.StartTime), max(b.CreateTime, b.StartTime)),
					cmp.Compare(a.ID, b.ID))
			})
			for i, e := range queue {
				want[e.ID] = Position{e.Pool, i + 1}
			}
		}
		all := []int64{-1, 0, 1000}
		for id := range int64(300) {
			all = append(all, id+1)
		}
		if got := x.Positions(all); !maps.Equal(got, want) {
			t.Errorf("seed %d: all positions: %v, want %v", seed, got, want)
		}
		for id, p := range want {
			if got := x.Positions([]int64{id}); len(got) != 1 || got[id] != p {
				t.Errorf("seed %d: the position of %d alone is %v, want %v", seed, id, got, p)
			}
		}
	}
}
