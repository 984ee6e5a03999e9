package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// history fills an index with n executions of the jobs j0, j1 ... of two
// applications. Ids come in blocks, as from several buses, so that their order
// is not that of creation.
func history(n, jobs int) *Index {
	x := New(nil)
	r := rand.New(rand.NewPCG(1, 2))
	all := []subjects.BatchStatus{subjects.Completed, subjects.Completed, subjects.Failed, subjects.Started, subjects.Undispatched}
	for i := range n {
		e := &bus.Execution{}
		e.ID = int64(i/20*20 + (i+7)%20 + 1)
		e.App, e.Job = fmt.Sprint("a", i%2), fmt.Sprint("j", r.IntN(jobs))
		e.BatchStatus = all[r.IntN(len(all))]
		e.CreateTime = subjects.Time(1_000_000 + 10*int64(i/3)) // three at a time
		if e.BatchStatus != subjects.Undispatched {
			e.StartTime, e.Agent = e.CreateTime+subjects.Time(r.IntN(1000)), fmt.Sprint("agent-", r.IntN(3))
		}
		if e.BatchStatus == subjects.Failed {
			e.ExitStatus = []string{"NO_INPUT", "NO_SPACE", ""}[r.IntN(3)]
		}
		x.PutExecution(e, uint64(i+1))
	}
	return x
}

// everything is the list that a query selects, found without any of the ways
// that the index has.
func (x *Index) everything(q *ExecutionQuery) (all []Summary) {
	for _, j := range x.jobs {
		for _, h := range j.list {
			s := x.summaryOf(x.table.entryAt(h))
			exit := s.ExitStatus
			if exit == "" && s.BatchStatus.Ended() {
				exit = strings.ToUpper(string(s.BatchStatus))
			}
			at := s.StartTime
			if at == 0 {
				at = s.CreateTime
			}
			if (q.App == "" || s.App == q.App) && (q.Job == "" || s.Job == q.Job) && (q.JobMatch == nil || q.JobMatch(s.Name)) &&
				(q.AppMatch == nil || q.AppMatch(s.App)) &&
				(len(q.Status) == 0 || slices.Contains(q.Status, s.BatchStatus)) && (q.Exit == nil || exit != "" && q.Exit(exit)) &&
				(q.Agent == nil || s.Agent != "" && q.Agent(s.Agent)) && at >= q.Since && (q.Until == 0 || at < q.Until) {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b Summary) int { return sortKey{b.CreateTime, b.ID}.compare(sortKey{a.CreateTime, a.ID}) })
	return all
}

func is(want ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(want, s) }
}

var someQueries = map[string]ExecutionQuery{
	"all":                       {},
	"one job":                   {App: "a1", Job: "j1"},
	"a job that is not there":   {App: "a1", Job: "none"},
	"an application":            {App: "a0"},
	"applications":              {AppMatch: is("a1")},
	"jobs by name":              {JobMatch: is("j0", "j2")},
	"failed":                    {Status: []subjects.BatchStatus{subjects.Failed}},
	"failed or waiting":         {App: "a1", Status: []subjects.BatchStatus{subjects.Failed, subjects.Undispatched}},
	"an exit status":            {Exit: is("NO_SPACE")},
	"the exit status of nobody": {Exit: is("COMPLETED")},
	"an agent":                  {Agent: is("agent-1")},
	"a while":                   {Since: 1_000_500, Until: 1_001_500},
	"all at once":               {App: "a0", JobMatch: is("j1", "j3"), Status: []subjects.BatchStatus{subjects.Failed}, Agent: is("agent-0"), Since: 1_000_500},
}

func TestFindExecutions(t *testing.T) {
	x := history(3000, 5)
	for name, q := range someQueries {
		t.Run(name, func(t *testing.T) {
			all := x.everything(&q)
			for _, part := range [][2]int{{0, 20}, {7, 1}, {100, 50}, {0, 5000}, {5999, 20}, {math.MaxInt, 20}} {
				q := q
				q.Offset, q.Limit = part[0], part[1]
				from := min(q.Offset, len(all))
				want := Page{all[from : from+min(q.Limit, len(all)-from)], len(all), q.Offset}
				compare(t, x, q, want)
			}
			var pages []Summary
			for q := q; ; q.After = pages[len(pages)-1].ID {
				q.Limit = 70
				p := x.FindExecutions(&q)
				if p.Offset != len(pages) {
					t.Fatalf("a page begins at %d after %d", p.Offset, len(pages))
				}
				if pages = append(pages, p.Results...); len(p.Results) == 0 || len(pages) >= p.Hits {
					break
				}
			}
			if diff := cmp.Diff(all, pages); diff != "" {
				t.Errorf("page by page forward: want -, got +\n%s", diff)
			}
			for _, i := range []int{0, 1, 30, len(all) - 1} {
				if i < 0 || i >= len(all) {
					continue
				}
				q := q
				q.Before, q.Limit = all[i].ID, 20
				from := max(0, i-20)
				compare(t, x, q, Page{all[from:i], len(all), from})
			}
		})
	}
}

// compare asks in both ways.
func compare(t *testing.T, x *Index, q ExecutionQuery, want Page) {
	t.Helper()
	for name, got := range map[string]Page{"find": x.FindExecutions(&q), "scan": x.scanEntries(&matcher{q: &q})} {
		if got.Hits != want.Hits || got.Offset != want.Offset || !slices.Equal(got.Results, want.Results) {
			t.Errorf("%s %+v = %d of %d after %d, want %d of %d after %d", name, q, len(got.Results), got.Hits, got.Offset,
				len(want.Results), want.Hits, want.Offset)
		}
	}
}

// A cursor stays good when its execution is removed: a page is not repeated.
func TestCursorThatIsGone(t *testing.T) {
	x := New(nil)
	for i := range 3000 {
		x.PutExecution(execution(int64(i+1), subjects.Completed), uint64(i+1))
	}
	x.Remove("a", "j", 2000)
	for _, c := range []struct {
		q           ExecutionQuery
		first, last int64
		offset      int
	}{
		{ExecutionQuery{After: 2000}, 1999, 1990, 1000},
		{ExecutionQuery{Before: 2000}, 2010, 2001, 990},
		{ExecutionQuery{After: math.MaxInt64}, 3000, 2991, 0},
		{ExecutionQuery{Before: math.MaxInt64}, 0, 0, 0},
		{ExecutionQuery{After: 1}, 0, 0, 2999},
	} {
		c.q.Limit = 10
		for name, p := range map[string]Page{"find": x.FindExecutions(&c.q), "scan": x.scanEntries(&matcher{q: &c.q})} {
			first, last := int64(0), int64(0)
			if len(p.Results) > 0 {
				first, last = p.Results[0].ID, p.Results[len(p.Results)-1].ID
			}
			if first != c.first || last != c.last || p.Offset != c.offset || p.Hits != 2999 {
				t.Errorf("%s after %d before %d = %d to %d of %d after %d, want %d to %d after %d", name, c.q.After, c.q.Before,
					first, last, p.Hits, p.Offset, c.first, c.last, c.offset)
			}
		}
	}
}

func TestPositions(t *testing.T) {
	x := New(nil)
	rev := uint64(0)
	put := func(id int64, app, pool, priority string, status subjects.BatchStatus) {
		rev++
		e := execution(id, status)
		e.App, e.Pool, e.Priority = app, pool, priority
		x.PutExecution(e, rev)
	}
	put(1, "a", "p", subjects.Normal, subjects.Started)
	put(2, "a", "p", subjects.Low, subjects.Undispatched)
	put(3, "a", "p", subjects.Normal, subjects.Undispatched)
	put(4, "a", "p", subjects.Normal, subjects.Unrestarted)
	put(5, "a", "p", subjects.High, subjects.Undispatched)
	put(6, "a", "other", subjects.High, subjects.Undispatched)
	put(7, "b", "p", subjects.High, subjects.Undispatched)
	want := map[int64]Position{2: {"p", 4}, 3: {"p", 2}, 4: {"p", 3}, 5: {"p", 1}, 6: {"other", 1}}
	if diff := cmp.Diff(want, x.Positions([]int64{1, 2, 3, 4, 5, 6, 99})); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	put(5, "a", "p", subjects.High, subjects.Started)
	if got := x.Positions([]int64{1, 5}); len(got) != 0 {
		t.Errorf("those that run wait at %v", got)
	}
}

// BenchmarkFind asks for pages of a million executions of 100 jobs.
func BenchmarkFind(b *testing.B) {
	x := history(1_000_000, 50)
	for name, q := range map[string]ExecutionQuery{
		"all, first page":        {},
		"all, deep cursor":       {After: 500_000},
		"all, offset 5000":       {Offset: 5000},
		"all, offset 500000":     {Offset: 500_000},
		"job, deep cursor":       {App: "a1", Job: "j1", After: 500_000},
		"failed":                 {Status: []subjects.BatchStatus{subjects.Failed}},
		"nothing matches":        {Exit: is("NEVER")},
		"failed since a while":   {Status: []subjects.BatchStatus{subjects.Failed}, Since: 4_000_000},
		"jobs by name, an agent": {JobMatch: is("j1", "j2"), Agent: is("agent-1")},
	} {
		b.Run(name, func(b *testing.B) {
			q.Limit = 20
			for b.Loop() {
				x.FindExecutions(&q)
			}
		})
	}
}

// BenchmarkPositions asks for the places of a page of 20 among 100,000 that
// wait.
func BenchmarkPositions(b *testing.B) {
	x := New(nil)
	for i := range 100_000 {
		x.PutExecution(execution(int64(i+1), subjects.Undispatched), uint64(i+1))
	}
	ids := make([]int64, 20)
	for i := range ids {
		ids[i] = int64(100_000 - i)
	}
	for b.Loop() {
		if len(x.Positions(ids)) != 20 {
			b.Fatal("not all wait")
		}
	}
}
