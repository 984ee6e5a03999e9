package index

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// RunningOf returns the executions that a schedule fired, and their restarts,
// that have not ended or are going to be retried. The ids are in ascending
// order.
func (x *Index) RunningOf(key bus.ScheduleKey) (ids []int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	add := func(id int64) {
		h, ok := x.table.findHandle(id)
		if !ok || x.names.nameOf(x.table.extra[id].schedule) != key.Name() {
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
