package index

import (
	"cmp"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Started is a job that another job starts by triggers.
type Started struct {
	App, Job string // Job is the permanent key
	Triggers *bus.Triggers
}

// setTriggers replaces the triggers of a job in x.starts. x.mu is held.
func (x *Index) setTriggers(j *jobEntry, was, is *bus.Job) {
	if was != nil && was.Settings.Triggers != nil {
		for _, t := range was.Settings.Triggers.Jobs {
			k := jobName{t.App, t.Job}
			if x.starts[k] = slices.DeleteFunc(x.starts[k], func(o *jobEntry) bool { return o == j }); len(x.starts[k]) == 0 {
				delete(x.starts, k)
			}
		}
	}
	if is != nil && is.Settings.Triggers != nil {
		for _, t := range is.Settings.Triggers.Jobs {
			k := jobName{t.App, t.Job}
			if !slices.Contains(x.starts[k], j) {
				x.starts[k] = append(x.starts[k], j)
			}
		}
	}
}

// StartedBy returns the jobs with a trigger that names this job, by application
// and key. The job itself may not exist.
func (x *Index) StartedBy(app, key string) (all []Started) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, j := range x.starts[jobName{app, key}] {
		all = append(all, Started{j.app, j.key, j.def.Settings.Triggers})
	}
	slices.SortFunc(all, func(a, b Started) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Job, b.Job)) })
	return all
}

// Triggered returns all jobs that have triggers.
func (x *Index) Triggered() (all []Started) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, j := range x.jobs {
		if j.def != nil && j.def.Settings.Triggers != nil {
			all = append(all, Started{j.app, j.key, j.def.Settings.Triggers})
		}
	}
	return all
}

// StartPath returns by which jobs one job starts another one: the names of
// both and of those between them, or nil if it does not start it. A job is its
// own path.
func (x *Index) StartPath(fromApp, fromKey, toApp, toKey string) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	from, to := jobName{fromApp, fromKey}, jobName{toApp, toKey}
	startedBy := map[jobName]jobName{from: from}
	for next := []jobName{from}; len(next) > 0; next = next[1:] {
		at := next[0]
		if at == to {
			var path []string
			for ; at != from; at = startedBy[at] {
				path = append(path, x.shownName(at))
			}
			path = append(path, x.shownName(from))
			slices.Reverse(path)
			return path
		}
		for _, j := range x.starts[at] {
			k := jobName{j.app, j.key}
			if _, seen := startedBy[k]; !seen {
				startedBy[k] = at
				next = append(next, k)
			}
		}
	}
	return nil
}

// shownName returns a job as errors name it. x.mu is held.
func (x *Index) shownName(k jobName) string {
	if j := x.byKey[k]; j != nil {
		return bus.JobKey(k.app, j.displayName())
	}
	return bus.JobKey(k.app, k.job)
}

// CreatedSince returns the executions of a job that were created at or after a
// time, newest first.
func (x *Index) CreatedSince(app, key string, since subjects.Time) (all []Summary) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{app, key}]
	if j == nil {
		return nil
	}
	for i := len(j.list) - 1; i >= 0; i-- {
		e := x.table.entryAt(j.list[i])
		if e.create < since {
			break
		}
		all = append(all, x.summaryOf(e))
	}
	return all
}

// AwaitsRetry reports whether the bus is going to restart a failed execution.
func (x *Index) AwaitsRetry(id int64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	_, ok := x.retries[id]
	return ok
}
