package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Summary is an execution as lists show it.
type Summary struct {
	App, Job                       string // Job is the permanent key
	Name                           string // present name of the job
	ID, InstanceID                 int64
	BatchStatus                    subjects.BatchStatus
	ExitStatus                     string
	Agent                          string
	Attempt                        int
	CreateTime, StartTime, EndTime subjects.Time
	UpdateTime                     subjects.Time // the latest of the three
	ScheduledFor                   subjects.Time
	ScheduledDate                  string // YYYY-MM-DD; empty: none
	Schedule                       string // that fired it; see [bus.Execution.FiredBy]
	RestartOf                      int64
	StopRequest                    string
	Backfill                       int64 // that fired it; see [bus.Execution.Backfill]
}

// Live is an execution that has not ended, as the recoverer needs it.
type Live struct {
	Summary
	Revision uint64
	Deadline subjects.Time // end of the timeout; 0: it has none, or has not started
}

// Doomed is a record that somebody deleted. Lists hide it; the janitor removes
// it.
type Doomed struct {
	App, Job string
	ID       int64
}

// Restarted is an execution that was restarted as another one, whose record
// does not exist yet.
type Restarted struct {
	App, Job string
	ID, By   int64
}

// DueRetry is a failed execution that the bus restarts at a time.
type DueRetry struct {
	App, Job string
	ID       int64
	Due      subjects.Time
}

// PutExecution adds or replaces an execution whose record this bus has just
// written or read.
func (x *Index) PutExecution(e *bus.Execution, rev uint64) {
	x.putRecord(&recordFields{
		ID: e.ID, Instance: e.InstanceID, Status: e.BatchStatus, Exit: e.ExitStatus, Agent: e.Agent, Attempt: e.Attempt,
		Pool: e.Pool, Priority: e.Priority,
		Create: e.CreateTime, Start: e.StartTime, End: e.EndTime, ScheduledFor: e.ScheduledFor, ScheduledDate: e.ScheduledDate, RestartOf: e.RestartOf,
		Schedule: e.Schedule, FireKey: e.FireKey,
		RestartedBy: e.RestartedBy, StopRequest: e.StopRequest, Deleted: e.DeleteTime, JobName: e.JobName,
		Rebuilt: e.Rebuilt, RetryDue: e.RetryDue,
		Timeout: e.TimeoutMS, TimedOut: e.TimedOut, Limits: e.Limits, Backfill: e.Backfill,
	}, e.App, e.Job, rev, e)
}

// putRecord replaces the entry of r, unless the entry is newer, and wakes the
// callers that wait for its end. whole is the full record, if the caller has
// it.
func (x *Index) putRecord(r *recordFields, app, job string, rev uint64, whole *bus.Execution) {
	x.mu.Lock()
	ended := x.endsBy(r)
	waiters := x.replaceEntry(r, app, job, rev, whole)
	x.mu.Unlock()
	wakeWaiters(waiters, whole)
	if ended {
		for _, f := range x.onEnd {
			f(app, job, r.ID)
		}
	}
}

// endsBy reports whether an execution that has not ended yet ends by r, after
// the index was filled. x.mu is held.
func (x *Index) endsBy(r *recordFields) bool {
	if !r.Status.Ended() || r.Deleted != 0 {
		return false
	}
	select {
	case <-x.ready:
	default:
		return false
	}
	h, there := x.table.findHandle(r.ID)
	return !there || !statusOf(x.table.entryAt(h).status).Ended()
}

func wakeWaiters(waiters []chan *bus.Execution, whole *bus.Execution) {
	for _, w := range waiters {
		w <- whole // buffered: never blocks
	}
}

// detachWaiters returns the channels of the callers that wait for the end of an
// execution, and removes them. x.mu is held.
func (x *Index) detachWaiters(id int64) []chan *bus.Execution {
	waiters := x.waiters[id]
	delete(x.waiters, id)
	return waiters
}

// replaceEntry replaces the entry of r, unless the entry is newer. If r has
// ended or is deleted, it returns the channels of those who wait for the end.
// x.mu is held.
func (x *Index) replaceEntry(r *recordFields, app, job string, rev uint64, whole *bus.Execution) (waiters []chan *bus.Execution) {
	j := x.jobFor(app, job)
	h, there := x.table.findHandle(r.ID)
	if there && x.table.entryAt(h).job != j.number {
		// Buses give an id out once. An agent can choose an id in a result, and
		// a bus rebuilds a record from it.
		if r.Rebuilt {
			return nil
		}
		x.removeEntry(r.ID, x.jobs[x.table.entryAt(h).job])
		h, there = 0, false
	}
	if there && x.table.entryAt(h).rev >= rev {
		return nil
	}
	if r.Deleted != 0 {
		x.removeEntry(r.ID, j)
		x.doomed[r.ID] = Doomed{app, job, r.ID}
		return x.detachWaiters(r.ID)
	}
	if _, ok := x.doomed[r.ID]; ok {
		return nil
	}
	j.setFirstName(r.JobName)
	x.writeEntry(r, j, h, there, rev)
	x.trackLive(r, app, job)
	if !r.Status.Ended() {
		return nil
	}
	if whole != nil {
		x.ended[x.endedNext%len(x.ended)] = whole
		x.endedNext++
	}
	return x.detachWaiters(r.ID)
}

// writeEntry writes the entry of r, at handle h if it exists, and updates the
// job's list and counts.
func (x *Index) writeEntry(r *recordFields, j *jobEntry, h int32, there bool, rev uint64) {
	moved := false
	if there {
		j.addCount(x.table.entryAt(h), -1)
		if moved = x.table.entryAt(h).create != r.Create; moved {
			j.list = x.table.dropHandle(j.list, h)
		}
	} else {
		h = x.table.addEntry(r.ID)
	}
	e := x.table.entryAt(h)
	*e = entry{
		id: r.ID, instance: r.Instance, create: r.Create, start: r.Start, end: r.End, rev: rev, job: j.number,
		exit: x.names.numberOf(r.Exit), agent: x.names.numberOf(r.Agent),
		attempt: uint16(min(r.Attempt, 65535)), status: statusNumber(r.Status),
	}
	if r.ScheduledFor != 0 || r.ScheduledDate != "" || r.RestartOf != 0 {
		fired := bus.Execution{Schedule: r.Schedule, FireKey: r.FireKey}
		x.table.extra[r.ID] = extra{r.ScheduledFor, r.RestartOf, packDate(r.ScheduledDate), x.names.numberOf(fired.FiredBy())}
	}
	if r.Backfill != 0 {
		x.table.backfills[r.ID] = r.Backfill
	}
	if !there || moved {
		j.list = x.table.insertHandle(j.list, h)
	}
	j.addCount(e, 1)
}

// trackLive keeps the data that only live or restarted executions have.
func (x *Index) trackLive(r *recordFields, app, job string) {
	delete(x.successor, r.RestartOf)
	if r.RestartedBy != 0 {
		if _, there := x.table.findHandle(r.RestartedBy); !there {
			x.successor[r.ID] = Restarted{app, job, r.ID, r.RestartedBy}
		}
	}
	delete(x.retries, r.ID)
	if r.RetryDue != 0 && r.RestartedBy == 0 && r.Status == subjects.Failed {
		x.retries[r.ID] = DueRetry{app, job, r.ID, r.RetryDue}
	}
	x.limits.track(r)
	if r.Status.Ended() {
		delete(x.live, r.ID)
		delete(x.stopRequests, r.ID)
		return
	}
	x.live[r.ID] = queuePlace{
		key: queueKey{app, x.names.numberOf(r.Pool)}, waits: r.Status.Waiting(),
		rank: rank{priorityNumber(r.Priority), max(r.Create, r.Start), r.ID}, deadline: r.deadline(),
	}
	switch {
	case r.StopRequest != "":
		x.stopRequests[r.ID] = r.StopRequest
	case r.TimedOut != 0:
		x.stopRequests[r.ID] = bus.StopRequested
	}
}

// Remove removes an execution whose record is gone, and wakes the callers that
// wait for its end.
func (x *Index) Remove(app, job string, id int64) {
	x.mu.Lock()
	j := x.jobFor(app, job)
	if h, there := x.table.findHandle(id); there && x.table.entryAt(h).job != j.number {
		x.mu.Unlock()
		return
	}
	x.removeEntry(id, j)
	delete(x.doomed, id)
	waiters := x.detachWaiters(id)
	x.mu.Unlock()
	wakeWaiters(waiters, nil)
}

func (x *Index) removeEntry(id int64, j *jobEntry) {
	if h, ok := x.table.findHandle(id); ok {
		j.addCount(x.table.entryAt(h), -1)
		j.list = x.table.dropHandle(j.list, h)
		x.table.removeEntry(id)
	}
	delete(x.live, id)
	delete(x.stopRequests, id)
	delete(x.successor, id)
	delete(x.retries, id)
	x.limits.remove(id)
}

func (x *Index) summaryOf(e *entry) Summary {
	j := x.jobs[e.job]
	ex := x.table.extra[e.id]
	return Summary{
		App: j.app, Job: j.key, Name: j.displayName(), ID: e.id, InstanceID: e.instance,
		BatchStatus: statusOf(e.status), ExitStatus: x.names.nameOf(e.exit), Agent: x.names.nameOf(e.agent), Attempt: int(e.attempt),
		CreateTime: e.create, StartTime: e.start, EndTime: e.end, UpdateTime: max(e.create, e.start, e.end),
		ScheduledFor: ex.scheduledFor, ScheduledDate: ex.date.String(), Schedule: x.names.nameOf(ex.schedule), RestartOf: ex.restartOf, StopRequest: x.stopRequests[e.id],
		Backfill: x.table.backfills[e.id],
	}
}

// Executions returns a page of a job's executions, newest first; offset is from
// 0. A negative offset or limit counts as 0.
func (x *Index) Executions(app, job string, offset, limit int) (page []Summary, hits int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{app, job}]
	if j == nil {
		return nil, 0
	}
	n := len(j.list)
	for i := n - 1 - max(0, offset); i >= 0 && len(page) < limit; i-- {
		page = append(page, x.summaryOf(x.table.entryAt(j.list[i])))
	}
	return page, n
}

// Find returns the summary of an execution by its id alone.
func (x *Index) Find(id int64) (Summary, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h, ok := x.table.findHandle(id)
	if !ok {
		return Summary{}, false
	}
	return x.summaryOf(x.table.entryAt(h)), true
}

// WaitEnd blocks until the execution has ended. The error is ctx's, or
// [bus.ErrNotFound], also if the record is removed meanwhile.
func (x *Index) WaitEnd(ctx context.Context, id int64) (Summary, error) {
	s, _, err := x.WaitRecord(ctx, id)
	return s, err
}

// WaitRecord is [Index.WaitEnd] that also returns the record. The record is nil
// if another bus wrote the end, or if the execution had ended some time ago.
func (x *Index) WaitRecord(ctx context.Context, id int64) (Summary, *bus.Execution, error) {
	x.mu.Lock()
	none := fmt.Errorf("wait for execution %d: %w", id, bus.ErrNotFound)
	h, ok := x.table.findHandle(id)
	if !ok {
		x.mu.Unlock()
		return Summary{}, nil, none
	}
	if s := x.summaryOf(x.table.entryAt(h)); s.BatchStatus.Ended() {
		whole := x.justEnded(id)
		x.mu.Unlock()
		return s, whole, nil
	}
	ch := make(chan *bus.Execution, 1)
	x.waiters[id] = append(x.waiters[id], ch)
	x.mu.Unlock()
	select {
	case whole := <-ch:
		s, ok := x.Find(id)
		if !ok { // removed since
			return Summary{}, nil, none
		}
		return s, whole, nil
	case <-ctx.Done():
		x.mu.Lock()
		x.waiters[id] = slices.DeleteFunc(x.waiters[id], func(c chan *bus.Execution) bool { return c == ch })
		if len(x.waiters[id]) == 0 {
			delete(x.waiters, id)
		}
		x.mu.Unlock()
		return Summary{}, nil, ctx.Err()
	}
}

// justEnded returns the record of an execution that this bus ended a moment
// ago: a caller that waits for a short execution often comes late.
func (x *Index) justEnded(id int64) *bus.Execution {
	for i := range x.ended {
		if e := x.ended[(x.endedNext+len(x.ended)-1-i)%len(x.ended)]; e != nil && e.ID == id {
			return e
		}
	}
	return nil
}

// NewestOf returns the newest executions of an agent in the applications that
// appMatch accepts, at most limit, from the newest hundred thousand ids. A nil
// appMatch accepts all applications.
func (x *Index) NewestOf(agent string, limit int, appMatch func(string) bool) []Summary {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n, ok := x.names.byName[agent]
	if !ok || n == tooMany {
		return nil
	}
	var newest int64
	for p := range x.table.pages {
		newest = max(newest, p)
	}
	var found []Summary
	for p := newest; p > newest-100 && p >= 0 && len(found) < limit; p-- {
		pg := x.table.pages[p]
		if pg == nil {
			continue
		}
		for i := chunkSize - 1; i >= 0 && len(found) < limit; i-- {
			h := pg.handles[i]
			if h <= 0 || x.table.entryAt(h-1).agent != n {
				continue
			}
			if s := x.summaryOf(x.table.entryAt(h - 1)); appMatch == nil || appMatch(s.App) {
				found = append(found, s)
			}
		}
	}
	return found
}

// Live returns all executions that have not ended.
func (x *Index) Live() []Live {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]Live, 0, len(x.live))
	for id, q := range x.live {
		if h, ok := x.table.findHandle(id); ok {
			e := x.table.entryAt(h)
			all = append(all, Live{x.summaryOf(e), e.rev, q.deadline})
		}
	}
	return all
}

// LiveOf counts a job's executions that have not ended.
func (x *Index) LiveOf(app, job string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	for id := range x.live {
		if h, ok := x.table.findHandle(id); ok {
			if j := x.jobs[x.table.entryAt(h).job]; j.app == app && j.key == job {
				n++
			}
		}
	}
	return n
}

// EndedBefore returns at most limit executions that ended before t, the oldest
// first within a job. It leaves out those that are going to be retried.
func (x *Index) EndedBefore(t time.Time, limit int) []Summary {
	x.mu.RLock()
	defer x.mu.RUnlock()
	before := subjects.TimeOf(t)
	var old []Summary
	for _, j := range x.jobs {
		for _, h := range j.list {
			e := x.table.entryAt(h)
			if e.create >= before || len(old) >= limit {
				break
			}
			if _, retried := x.retries[e.id]; !retried && e.end != 0 && e.end < before && statusOf(e.status).Ended() {
				old = append(old, x.summaryOf(e))
			}
		}
	}
	return old
}

// DueRetries returns at most limit executions whose retry is due at a time, the
// longest due first.
func (x *Index) DueRetries(now subjects.Time, limit int) []DueRetry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var due []DueRetry
	for _, r := range x.retries {
		if r.Due <= now {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b DueRetry) int { return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.ID, b.ID)) })
	return due[:min(len(due), limit)]
}

// Doomed returns the records that somebody deleted.
func (x *Index) Doomed() []Doomed {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]Doomed, 0, len(x.doomed))
	for _, d := range x.doomed {
		all = append(all, d)
	}
	return all
}

// Unsubmitted returns the restarts whose new execution has no record yet.
func (x *Index) Unsubmitted() []Restarted {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]Restarted, 0, len(x.successor))
	for _, r := range x.successor {
		if _, there := x.table.findHandle(r.By); !there {
			all = append(all, r)
		}
	}
	return all
}
