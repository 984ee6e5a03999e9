package index

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// oddNumbers are offsets and limits at which a sum or a slice may overflow.
var oddNumbers = []int{math.MinInt, math.MinInt + 1, -5000, -1, 0, 1, 4, 5, 6, 1024, deepOffset + 1, math.MaxInt - 1, math.MaxInt}

// pageOf returns the page that offset and limit select. A negative number
// counts as 0.
func pageOf[T any](all []T, offset, limit int) []T {
	all = all[min(max(0, offset), len(all)):]
	return all[:min(max(0, limit), len(all))]
}

// Every list answers every offset and limit, and in the same way.
func TestOddOffsetsAndLimits(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for id := range int64(5) {
		e := execution(id+1, subjects.Completed)
		e.Job = []string{"j", "k"}[id%2]
		x.PutExecution(e, uint64(id+1))
		x.PutJob("a", fmt.Sprint("n", id), jobNamed(fmt.Sprint("n", id)), uint64(id+1))
	}
	everyID := []int64{5, 4, 3, 2, 1}
	for _, offset := range oddNumbers {
		for _, limit := range oddNumbers {
			for name, q := range map[string]ExecutionQuery{
				"all":                {},
				"one job":            {Job: "j"},
				"completed":          {Status: []subjects.BatchStatus{subjects.Completed}},
				"completed, one job": {Job: "j", Status: []subjects.BatchStatus{subjects.Completed}},
			} {
				list := everyID
				if q.Job != "" {
					list = []int64{5, 3, 1}
				}
				q.Offset, q.Limit = offset, limit
				got := x.FindExecutions(&q)
				if want := pageOf(list, offset, limit); !slices.Equal(ids(got.Results), want) || got.Hits != len(list) || got.Offset != max(0, offset) {
					t.Errorf("%s from %d, at most %d = %v of %d after %d, want %v of %d", name, offset, limit,
						ids(got.Results), got.Hits, got.Offset, want, len(list))
				}
			}
			page, hits := x.Executions("a", "j", offset, limit)
			if want := pageOf([]int64{5, 3, 1}, offset, limit); !slices.Equal(ids(page), want) || hits != 3 {
				t.Errorf("Executions from %d, at most %d = %v of %d, want %v of 3", offset, limit, ids(page), hits, want)
			}
			var names []string
			jobs, hits := x.Jobs(JobQuery{App: "a", Offset: offset, Limit: limit})
			for _, j := range jobs {
				names = append(names, j.Name)
			}
			if want := pageOf([]string{"n0", "n1", "n2", "n3", "n4"}, offset, limit); !slices.Equal(names, want) || hits != 5 {
				t.Errorf("Jobs from %d, at most %d = %v of %d, want %v of 5", offset, limit, names, hits, want)
			}
		}
		if got, want := ids(x.NewestOf("agent-1", offset, nil)), pageOf(everyID, 0, offset); !slices.Equal(got, want) {
			t.Errorf("the newest %d of an agent are %v, want %v", offset, got, want)
		}
	}
}

// A cursor has a page at either edge of the list, and answers any limit and any
// id.
func TestOddCursors(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for id := range int64(5) {
		x.PutExecution(execution(2*id+2, subjects.Completed), uint64(id+1)) // 2, 4, 6, 8, 10
	}
	for _, tt := range []struct {
		name          string
		after, before int64
		limit         int
		want          []int64
		offset        int
	}{
		{"after the newest", 10, 0, 2, []int64{8, 6}, 1},
		{"after the oldest", 2, 0, 2, nil, 5},
		{"after an id lower than all", 1, 0, 2, nil, 5},
		{"after a negative id", -7, 0, 2, nil, 5},
		{"after an id higher than all", math.MaxInt64, 0, 2, []int64{10, 8}, 0},
		{"after an id between two", 7, 0, 2, []int64{6, 4}, 2},
		{"before the newest", 0, 10, 2, nil, 0},
		{"before the oldest", 0, 2, 2, []int64{6, 4}, 2},
		{"before the second newest", 0, 8, 2, []int64{10}, 0},
		{"before an id lower than all", 0, 1, 2, []int64{4, 2}, 3},
		{"before a negative id", 0, -7, 2, []int64{4, 2}, 3},
		{"before an id between two", 0, 7, 9, []int64{10, 8}, 0},
		{"after, all that there are", 8, 0, math.MaxInt, []int64{6, 4, 2}, 2},
		{"before, all that there are", 0, 4, math.MaxInt, []int64{10, 8, 6}, 0},
		{"after, with a limit of none", 8, 0, 0, nil, 2},
		{"before, with a limit of none", 0, 4, 0, nil, 3},
		{"after, with a negative limit", 8, 0, -1, nil, 2},
		{"before, with a negative limit", 0, 4, math.MinInt, nil, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, status := range map[string][]subjects.BatchStatus{"lists": nil, "scan": {subjects.Completed}} {
				p := x.FindExecutions(&ExecutionQuery{After: tt.after, Before: tt.before, Limit: tt.limit, Status: status})
				if !slices.Equal(ids(p.Results), tt.want) || p.Offset != tt.offset || p.Hits != 5 {
					t.Errorf("%s: %v of %d after %d, want %v of 5 after %d", name, ids(p.Results), p.Hits, p.Offset, tt.want, tt.offset)
				}
			}
		})
	}
}

// An index without executions answers every query with an empty page.
func TestNothingIsFoundInAnEmptyIndex(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for name, q := range someQueries {
		for _, cursor := range [][2]int64{{0, 0}, {1, 0}, {0, 1}} {
			q.After, q.Before, q.Limit = cursor[0], cursor[1], 20
			if p := x.FindExecutions(&q); len(p.Results) != 0 || p.Hits != 0 || p.Offset != 0 {
				t.Errorf("%s, cursor %v: %+v", name, cursor, p)
			}
		}
	}
	if page, hits := x.Executions("a", "j", 0, 20); len(page) != 0 || hits != 0 {
		t.Errorf("executions of an unknown job: %v of %d", page, hits)
	}
	if all := x.NewestOf("agent-1", 5, nil); len(all) != 0 {
		t.Errorf("executions of an unknown agent: %v", all)
	}
	if s, ok := x.Find(-1); ok {
		t.Errorf("the execution -1 is %+v", s)
	}
}

// A client that reads a list page by page sees each execution that exists all
// the time once, whatever else happens between two pages.
func TestPagesWhileTheListChanges(t *testing.T) {
	t.Parallel()
	const n, limit = 200, 20
	for _, tt := range []struct {
		name   string
		change func(x *Index, p Page, rev func() uint64) // after each page
		gone   func(id int64) bool                       // which ones need not be seen
	}{
		{"the execution of the cursor is removed", func(x *Index, p Page, _ func() uint64) {
			x.Remove("a", "j", p.Results[len(p.Results)-1].ID)
			x.Remove("a", "j", p.Results[0].ID)
		}, nil},
		{"the execution of the cursor is deleted", func(x *Index, p Page, rev func() uint64) {
			for _, s := range p.Results[limit/2:] {
				e := execution(s.ID, subjects.Completed)
				e.DeleteTime = 1
				x.PutExecution(e, rev())
			}
		}, nil},
		{"newer executions are created", func(x *Index, _ Page, rev func() uint64) {
			for range 30 {
				r := rev()
				x.PutExecution(execution(int64(1000+r), subjects.Completed), r)
			}
		}, nil},
		{"the job is renamed", func(x *Index, _ Page, rev func() uint64) {
			r := rev()
			x.PutJob("a", "j", jobNamed(fmt.Sprint("j", r)), r)
		}, nil},
		{"executions that the client has not seen are removed", func(x *Index, _ Page, _ func() uint64) {
			x.Remove("a", "j", 10)
			x.Remove("a", "j", 11)
		}, func(id int64) bool { return id == 10 || id == 11 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, status := range map[string][]subjects.BatchStatus{"lists": nil, "scan": {subjects.Completed}} {
				x, last := New(nil), uint64(0)
				rev := func() uint64 { last++; return last }
				for id := range int64(n) {
					x.PutExecution(execution(id+1, subjects.Completed), rev())
				}
				var seen []int64
				q := ExecutionQuery{Limit: limit, Status: status}
				for {
					p := x.FindExecutions(&q)
					if len(p.Results) == 0 {
						break
					}
					seen = append(seen, ids(p.Results)...)
					q.After = p.Results[len(p.Results)-1].ID
					tt.change(x, p, rev)
				}
				var want []int64
				for id := int64(n); id > 0; id-- {
					if tt.gone == nil || !tt.gone(id) {
						want = append(want, id)
					}
				}
				if !slices.Equal(seen, want) {
					t.Errorf("%s: saw %v, want %v", name, seen, want)
				}
			}
		})
	}
}

// A scan releases the lock between its parts. Each page still is in order,
// without repetition, and holds only what the query selects.
func TestScanWhileExecutionsChange(t *testing.T) {
	t.Parallel()
	const n = (scanned + 2) * chunkSize
	x := New(nil)
	for id := range int64(n) {
		x.PutExecution(execution(id+1, subjects.Failed), uint64(id+1))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range int64(n / 8) {
			id := n - 2*i
			if x.PutExecution(execution(id, subjects.Completed), uint64(n+i+1)); i%3 == 0 {
				x.Remove("a", "j", id-1)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		p := x.FindExecutions(&ExecutionQuery{Status: []subjects.BatchStatus{subjects.Failed}, Limit: 100})
		for i, s := range p.Results {
			if s.BatchStatus != subjects.Failed || i > 0 && p.Results[i-1].ID <= s.ID {
				t.Fatalf("result %d is execution %d, %s; the one before is %d", i, s.ID, s.BatchStatus, p.Results[max(0, i-1)].ID)
			}
		}
	}
	p := x.FindExecutions(&ExecutionQuery{Status: []subjects.BatchStatus{subjects.Failed}, Limit: 1})
	if want := n - n/8 - (n/8+2)/3; p.Hits != want {
		t.Errorf("%d are left, want %d", p.Hits, want)
	}
}

// Jobs with executions and without, in several applications, are counted and
// listed apart.
func TestJobsOfSeveralApplications(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for i, app := range []string{"a", "b", "c"} {
		for n := range i + 1 {
			x.PutJob(app, fmt.Sprint("j", n), &bus.Job{App: app, Name: fmt.Sprint("j", n), Definition: jobNamed("j").Definition}, 1)
		}
	}
	x.PutJob("b", "j0", nil, 2)
	for app, want := range map[string]int{"a": 1, "b": 1, "c": 3, "": 0} {
		_, hits := x.Jobs(JobQuery{App: app, Limit: 1})
		if n := x.CountJobs(app); n != want || hits != want {
			t.Errorf("%q has %d jobs, and %d in its list, want %d", app, n, hits, want)
		}
	}
}
