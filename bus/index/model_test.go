package index

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// model is what an index must answer, kept in plain maps: the newest record of
// each execution, whatever the order of arrival.
type model struct {
	records map[int64]*bus.Execution
	revs    map[int64]uint64
	removed map[int64]bool
}

// TestModel changes an index and a model at random, with writes that arrive
// late, twice or after the removal, and compares every answer.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			x, m := New(nil), model{map[int64]*bus.Execution{}, map[int64]uint64{}, map[int64]bool{}}
			var sent []*bus.Execution
			var revs []uint64
			for rev := uint64(1); rev < 600; rev++ {
				e := randomRecord(r, &m)
				sent, revs = append(sent, e), append(revs, rev)
				x.PutExecution(e, rev)
				m.put(e, rev)
				// The watch brings an older one again.
				if i := r.IntN(len(sent)); r.IntN(3) == 0 && !m.removed[sent[i].ID] {
					x.PutExecution(sent[i], revs[i])
					m.put(sent[i], revs[i])
				}
				if gone := sent[r.IntN(len(sent))]; r.IntN(12) == 0 {
					x.Remove("a", gone.Job, gone.ID)
					m.remove(gone.ID)
				}
			}
			m.compare(t, x)
			for range 60 {
				m.compareQuery(t, x, r)
			}
		})
	}
}

// randomRecord returns a new execution, or a later state of one.
func randomRecord(r *rand.Rand, m *model) *bus.Execution {
	statuses := []subjects.BatchStatus{subjects.Undispatched, subjects.Started, subjects.Stopping, subjects.Completed, subjects.Failed}
	e := execution(1+r.Int64N(3000), statuses[r.IntN(len(statuses))])
	for m.removed[e.ID] { // no id is used twice
		e.ID = 1 + r.Int64N(3000)
	}
	if ids := slices.Sorted(maps.Keys(m.records)); len(ids) > 0 && r.IntN(2) == 0 {
		e.ID = ids[r.IntN(len(ids))]
	}
	e.Job = fmt.Sprint("j", e.ID%3)
	e.Agent = fmt.Sprint("agent-", e.ID%4)
	e.CreateTime = subjects.Time(e.ID / 5 * 1000) // five have the same time
	if r.IntN(8) == 0 {
		e.CreateTime += subjects.Time(r.IntN(3) * 500) // a record that was made of a claim
	}
	if e.BatchStatus.Ended() {
		e.StartTime = e.CreateTime + 1
		e.EndTime = e.StartTime + subjects.Time(r.IntN(50))
	}
	if r.IntN(10) == 0 && e.BatchStatus == subjects.Failed {
		e.RestartedBy = e.ID + 3001
	}
	if r.IntN(20) == 0 {
		e.DeleteTime = 1
	}
	return e
}

func (m *model) put(e *bus.Execution, rev uint64) {
	was := m.records[e.ID]
	if rev <= m.revs[e.ID] || was != nil && was.DeleteTime != 0 {
		return
	}
	m.records[e.ID], m.revs[e.ID] = e, rev
}

func (m *model) remove(id int64) {
	delete(m.records, id)
	delete(m.revs, id)
	m.removed[id] = true
}

// compareQuery compares a page of a random query with a plain slice.
func (m *model) compareQuery(t *testing.T, x *Index, r *rand.Rand) {
	t.Helper()
	q := ExecutionQuery{Limit: r.IntN(30)}
	if r.IntN(2) == 0 {
		q.App, q.Job = "a", fmt.Sprint("j", r.IntN(4)) // j3 has none
	}
	if r.IntN(2) == 0 {
		q.Status = []subjects.BatchStatus{subjects.Failed, subjects.Started}[:1+r.IntN(2)]
	}
	if r.IntN(3) == 0 {
		q.Agent = is(fmt.Sprint("agent-", r.IntN(4)))
	}
	if r.IntN(3) == 0 {
		q.Since = subjects.Time(r.IntN(600) * 1000)
	}
	if r.IntN(3) == 0 {
		q.Until = subjects.Time(r.IntN(600)*1000 + 1)
	}
	want := m.sorted(func(e *bus.Execution) bool {
		at := cmp.Or(e.StartTime, e.CreateTime)
		return (q.Job == "" || e.Job == q.Job) && (q.Status == nil || slices.Contains(q.Status, e.BatchStatus)) &&
			(q.Agent == nil || q.Agent(e.Agent)) && at >= q.Since && (q.Until == 0 || at < q.Until)
	})
	slices.Reverse(want)
	from, to := 0, 0
	switch i := r.IntN(len(want) + 1); {
	case i == len(want) || r.IntN(3) == 0:
		q.Offset = r.IntN(len(want) + 10)
		from = min(q.Offset, len(want))
		to = min(from+q.Limit, len(want))
	case r.IntN(2) == 0:
		q.After = want[i].ID
		from, to = i+1, min(i+1+q.Limit, len(want))
	default:
		q.Before = want[i].ID
		from, to = max(0, i-q.Limit), i
	}
	offset := from
	if q.After == 0 && q.Before == 0 {
		offset = q.Offset
	}
	p := x.FindExecutions(&q)
	if !slices.Equal(ids(p.Results), idsOf(want[from:to])) || p.Hits != len(want) || p.Offset != offset {
		t.Errorf("%+v = %v of %d after %d, want %v of %d after %d", q, ids(p.Results), p.Hits, p.Offset,
			idsOf(want[from:to]), len(want), offset)
	}
}

// sorted returns the records that keep accepts, oldest first.
func (m *model) sorted(keep func(*bus.Execution) bool) (all []*bus.Execution) {
	for _, e := range m.records {
		if e.DeleteTime == 0 && keep(e) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *bus.Execution) int {
		return cmp.Or(cmp.Compare(a.CreateTime, b.CreateTime), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func idsOf(all []*bus.Execution) (ids []int64) {
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids
}

func (m *model) compare(t *testing.T, x *Index) {
	t.Helper()
	equal := func(what string, got, want []int64) {
		t.Helper()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for i := range 3 {
		m.compareJob(t, x, fmt.Sprint("j", i))
	}
	var live []int64
	for _, l := range x.Live() {
		live = append(live, l.ID)
		if l.Revision != m.revs[l.ID] {
			t.Errorf("execution %d is live at revision %d, want %d", l.ID, l.Revision, m.revs[l.ID])
		}
	}
	equal("live", live, idsOf(m.sorted(func(e *bus.Execution) bool { return !e.BatchStatus.Ended() })))
	var doomed []int64
	for _, d := range x.Doomed() {
		doomed = append(doomed, d.ID)
	}
	var deleted, restarted, unsubmitted []int64
	for id, e := range m.records {
		if e.DeleteTime != 0 {
			deleted = append(deleted, id)
		} else if e.RestartedBy != 0 {
			restarted = append(restarted, id)
		}
	}
	equal("doomed", doomed, deleted)
	for _, u := range x.Unsubmitted() {
		unsubmitted = append(unsubmitted, u.ID)
		if u.By != u.ID+3001 || u.Job != fmt.Sprint("j", u.ID%3) {
			t.Errorf("a restart is %+v", u)
		}
	}
	for _, id := range restarted {
		if !slices.Contains(unsubmitted, id) {
			t.Errorf("the restart of execution %d waits for its record, and is not in %v", id, unsubmitted)
		}
	}
	newest := m.sorted(func(e *bus.Execution) bool { return e.Agent == "agent-2" })
	slices.SortFunc(newest, func(a, b *bus.Execution) int { return cmp.Compare(b.ID, a.ID) })
	equal("newest of an agent", ids(x.NewestOf("agent-2", 5, nil)), idsOf(newest[:5]))
	equal("all of an agent", ids(x.NewestOf("agent-2", 10_000, nil)), idsOf(newest))
	limit := time.UnixMilli(300_000)
	equal("ended before", ids(x.EndedBefore(limit, 10_000)), idsOf(m.sorted(func(e *bus.Execution) bool {
		return e.BatchStatus.Ended() && e.CreateTime < 300_000 && e.EndTime < 300_000
	})))
}

// compareJob compares a job's list and counts.
func (m *model) compareJob(t *testing.T, x *Index, job string) {
	t.Helper()
	want := m.sorted(func(e *bus.Execution) bool { return e.Job == job })
	slices.Reverse(want)
	page, hits := x.Executions("a", job, 0, 10_000)
	if got := ids(page); !slices.Equal(got, idsOf(want)) || hits != len(want) {
		t.Errorf("executions of %s: %d of %d: %v, want %d: %v", job, len(got), hits, got, len(want), idsOf(want))
	}
	x.PutJob("a", job, jobNamed(job), 1)
	j, ok := x.Job("a", job)
	if !ok {
		t.Fatalf("%s is not there", job)
	}
	stats, live, took := Stats{Total: len(want)}, 0, time.Duration(0)
	for _, e := range want {
		switch {
		case e.BatchStatus == subjects.Completed:
			stats.Success++
			took += time.Duration(e.EndTime-e.StartTime) * time.Millisecond
		case e.BatchStatus == subjects.Failed:
			stats.Failure++
		case !e.BatchStatus.Ended():
			live++
		}
	}
	if stats.Success > 0 {
		stats.Average = (took / time.Duration(stats.Success)).Truncate(time.Millisecond)
	}
	if j.Stats != stats {
		t.Errorf("counts of %s: %+v, want %+v", job, j.Stats, stats)
	}
	if n := x.LiveOf("a", job); n != live {
		t.Errorf("%d executions of %s are live, want %d", n, job, live)
	}
	if len(want) > 0 && j.Latest.ID != want[0].ID {
		t.Errorf("the latest of %s is %d, want %d", job, j.Latest.ID, want[0].ID)
	}
}
