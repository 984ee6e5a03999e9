package scheduler

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// ForecastFire is a time at which a schedule is going to fire.
type ForecastFire struct {
	Schedule bus.ScheduleKey
	Due      time.Time // in the time zone of the schedule
	Nominal  time.Time // before Due if the schedule has a jitter
}

// Forecast returns the first fires of all schedules of some applications that are
// due from one moment until before another, by time, and whether there are more
// than limit. It leaves out schedules that a pause holds back.
func (s *Scheduler) Forecast(from, to time.Time, isAllowed func(app string) bool, limit int) (fires []ForecastFire, more bool) {
	var next fireHeap
	for _, e := range s.index.Schedules() {
		sc := &e.Value
		if !sc.Active || !isAllowed(sc.App) || s.isHeld(sc.App) {
			continue
		}
		if p, err := s.plans.planFor(sc); err == nil {
			next.add(sc.Key(), p, from.Add(-time.Nanosecond), to)
		}
	}
	heap.Init(&next)
	for len(next) > 0 {
		if len(fires) == limit {
			return fires, true
		}
		first := next[0]
		fires = append(fires, ForecastFire{first.key, first.due, first.due.Add(-first.plan.shift)})
		if first.due = first.plan.dueAfter(first.due); first.due.IsZero() || !first.due.Before(to) {
			heap.Pop(&next)
			continue
		}
		next[0] = first
		heap.Fix(&next, 0)
	}
	return fires, false
}

// fireHeap has the next fire of each schedule, the earliest first.
type fireHeap []nextFire

type nextFire struct {
	key  bus.ScheduleKey
	plan *plan
	due  time.Time
}

// add appends the first fire of a schedule after a moment, if it is before to.
func (h *fireHeap) add(key bus.ScheduleKey, p *plan, after, to time.Time) {
	if due := p.dueAfter(after); !due.IsZero() && due.Before(to) {
		*h = append(*h, nextFire{key, p, due})
	}
}

func (h fireHeap) Len() int { return len(h) }

func (h fireHeap) Less(i, j int) bool {
	return cmp.Or(h[i].due.Compare(h[j].due), h[i].key.Compare(h[j].key)) < 0
}

func (h fireHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *fireHeap) Push(x any) { *h = append(*h, x.(nextFire)) }

func (h *fireHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
