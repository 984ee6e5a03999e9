package index

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// RunningOf returns the executions that a schedule fired, and their restarts,
// that have not ended or are going to be retried. It leaves out those of
// backfills. The ids are in ascending order.
func (x *Index) RunningOf(key bus.ScheduleKey) (ids []int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	add := func(id int64) {
		h, ok := x.table.findHandle(id)
		if !ok || x.table.backfills[id] != 0 || x.names.nameOf(x.table.extra[id].schedule) != key.Name() {
			return
		}
		if j := x.jobs[x.table.entryAt(h).job]; j.app == key.App() && j.key == key.Job() {
			ids = append(ids, id)
		}
	}
	for id := range x.live {
		add(id)
	}
	for id := range x.retries {
		add(id)
	}
	slices.Sort(ids)
	return ids
}

// RunningBackfilled returns the number of executions of a backfill, and of their
// restarts, that have not ended or are going to be restarted.
func (x *Index) RunningBackfilled(backfill int64) (n int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for id := range x.live {
		if x.table.backfills[id] == backfill {
			n++
		}
	}
	for id := range x.retries {
		if x.table.backfills[id] == backfill {
			n++
		}
	}
	for id := range x.successor { // the record of the restart is about to exist
		if x.table.backfills[id] == backfill {
			n++
		}
	}
	return n
}

// Backfilled returns the newest execution of each chain of restarts that a
// backfill of a job fired, by the id of the first one.
func (x *Index) Backfilled(app, key string) map[int64]Summary {
	x.mu.RLock()
	defer x.mu.RUnlock()
	newest := map[int64]Summary{}
	for id := range x.table.backfills {
		h, ok := x.table.findHandle(id)
		if !ok {
			continue
		}
		e := x.table.entryAt(h)
		if j := x.jobs[e.job]; j.app != app || j.key != key || newest[e.instance].ID > id {
			continue
		}
		newest[e.instance] = x.summaryOf(e)
	}
	return newest
}
