package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A caller that waits is woken by every way in which an execution can come to
// its end in the index.
func TestWaitersAreWoken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(x *Index)
		want   subjects.BatchStatus // empty: not found
		record bool                 // whether the waiter gets the record
	}{
		{"this bus writes the end", func(x *Index) { x.PutExecution(execution(1, subjects.Stopped), 3) }, subjects.Stopped, true},
		{"another bus writes the end", func(x *Index) {
			x.putRecord(&recordFields{ID: 1, Status: subjects.Failed, Create: 1000}, "a", "j", 3, nil)
		}, subjects.Failed, false},
		{"the record was deleted before the index saw the end", func(x *Index) {
			e := execution(1, subjects.Completed)
			e.DeleteTime = 1
			x.PutExecution(e, 3)
		}, "", false},
		{"the record was removed before the index saw the end", func(x *Index) { x.Remove("a", "j", 1) }, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := New(nil)
				x.PutExecution(execution(1, subjects.Started), 1)
				var woken atomic.Int32
				for range 3 {
					go func() {
						s, whole, err := x.WaitRecord(t.Context(), 1)
						woken.Add(1)
						switch {
						case tt.want == "" && !errors.Is(err, bus.ErrNotFound):
							t.Errorf("waited for %+v, %v; want %v", s, err, bus.ErrNotFound)
						case tt.want != "" && (err != nil || s.BatchStatus != tt.want || (whole != nil) != tt.record):
							t.Errorf("waited for %+v, record %v, %v; want %s", s, whole, err, tt.want)
						}
					}()
					synctest.Wait()
				}
				x.PutExecution(execution(1, subjects.Stopping), 2)
				synctest.Wait()
				if n := woken.Load(); n != 0 {
					t.Errorf("%d were woken before the end", n)
				}
				tt.change(x)
				synctest.Wait()
				if n := woken.Load(); n != 3 || len(x.waiters) != 0 {
					t.Errorf("%d of 3 were woken, %d executions have waiters left", n, len(x.waiters))
				}
			})
		})
	}
}

// Each end that follows the filling of the index is reported once, whether this
// bus or another one wrote it.
func TestOnEnd(t *testing.T) {
	t.Parallel()
	x := New(nil)
	var ended []int64
	x.OnEnd(func(app, job string, id int64) {
		if app != "a" || job != "j" {
			t.Errorf("execution %d of %s.%s", id, app, job)
		}
		ended = append(ended, id)
	})
	x.PutExecution(execution(1, subjects.Completed), 1) // while the index is being filled
	close(x.ready)
	x.PutExecution(execution(2, subjects.Started), 2)
	x.PutExecution(execution(2, subjects.Stopped), 3)
	x.PutExecution(execution(2, subjects.Stopped), 4) // the janitor changed the record
	x.PutExecution(execution(1, subjects.Completed), 5)
	x.putRecord(&recordFields{ID: 3, Status: subjects.Failed, Create: 1000}, "a", "j", 6, nil)
	deleted := execution(4, subjects.Completed)
	deleted.DeleteTime = 1
	x.PutExecution(deleted, 7)
	if want := []int64{2, 3}; !slices.Equal(ended, want) {
		t.Errorf("ended: %v, want %v", ended, want)
	}
}

// One of two callers gives up; the other one still waits.
func TestOneWaiterGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := New(nil)
		x.PutExecution(execution(1, subjects.Started), 1)
		wait := func(timeout time.Duration) <-chan error {
			done := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				_, err := x.WaitEnd(ctx, 1)
				done <- err
			}()
			return done
		}
		short, long := wait(time.Second), wait(time.Hour)
		if err := <-short; err == nil {
			t.Error("a wait without an end returned no error")
		}
		x.PutExecution(execution(1, subjects.Completed), 2)
		if err := <-long; err != nil {
			t.Errorf("the other wait: %v", err)
		}
	})
}

// A caller that comes late gets the record of one of the last executions that
// this bus ended, and only the summary of older ones.
func TestLateWaiters(t *testing.T) {
	t.Parallel()
	x := New(nil)
	n := int64(len(x.ended) + 10)
	for id := range n {
		x.PutExecution(execution(id+1, subjects.Completed), uint64(id+1))
	}
	for id := range n {
		s, whole, err := x.WaitRecord(t.Context(), id+1)
		if recent := id >= 10; err != nil || s.ID != id+1 || (whole != nil) != recent || recent && whole.ID != id+1 {
			t.Errorf("execution %d: %+v, record %v, %v", id+1, s, whole, err)
		}
	}
}

// Each change of a record moves the execution from one counter to another.
func TestCountersFollowTheRecord(t *testing.T) {
	t.Parallel()
	x := New(nil)
	x.PutJob("a", "j", jobNamed("j"), 1)
	took := func(e *bus.Execution, ms subjects.Time) *bus.Execution {
		e.EndTime = e.StartTime + ms
		return e
	}
	deleted := execution(1, subjects.Completed)
	deleted.DeleteTime = 1
	for i, tt := range []struct {
		name string
		do   func(rev uint64)
		want Stats
		live int
	}{
		{"created", func(rev uint64) { x.PutExecution(execution(1, subjects.Undispatched), rev) }, Stats{Total: 1}, 1},
		{"started", func(rev uint64) { x.PutExecution(execution(1, subjects.Started), rev) }, Stats{Total: 1}, 1},
		{"failed", func(rev uint64) { x.PutExecution(execution(1, subjects.Failed), rev) }, Stats{Total: 1, Failure: 1}, 0},
		{"a later result completes it", func(rev uint64) { x.PutExecution(took(execution(1, subjects.Completed), 30), rev) },
			Stats{Total: 1, Success: 1, Average: 30 * time.Millisecond}, 0},
		{"a second one", func(rev uint64) { x.PutExecution(took(execution(2, subjects.Completed), 50), rev) },
			Stats{Total: 2, Success: 2, Average: 40 * time.Millisecond}, 0},
		{"one that ends before it started counts as no time", func(rev uint64) { x.PutExecution(took(execution(3, subjects.Completed), -900), rev) },
			Stats{Total: 3, Success: 3, Average: 26 * time.Millisecond}, 0},
		{"stopped and abandoned are neither", func(rev uint64) {
			x.PutExecution(execution(4, subjects.Stopped), rev)
			x.PutExecution(execution(5, subjects.Abandoned), rev)
		}, Stats{Total: 5, Success: 3, Average: 26 * time.Millisecond}, 0},
		{"deleted", func(rev uint64) { x.PutExecution(deleted, rev) }, Stats{Total: 4, Success: 2, Average: 25 * time.Millisecond}, 0},
		{"removed after it was deleted", func(uint64) { x.Remove("a", "j", 1) }, Stats{Total: 4, Success: 2, Average: 25 * time.Millisecond}, 0},
		{"removed", func(uint64) { x.Remove("a", "j", 2) }, Stats{Total: 3, Success: 1}, 0},
		{"removed once more", func(uint64) { x.Remove("a", "j", 2) }, Stats{Total: 3, Success: 1}, 0},
		{"all removed", func(uint64) {
			for id := range int64(5) {
				x.Remove("a", "j", id+1)
			}
		}, Stats{}, 0},
	} {
		tt.do(uint64(i + 2))
		j, _ := x.Job("a", "j")
		if live := x.LiveOf("a", "j"); j.Stats != tt.want || live != tt.live || (j.Latest != nil) != (tt.want.Total > 0) {
			t.Errorf("%s: %+v, %d live, latest %+v; want %+v, %d live", tt.name, j.Stats, live, j.Latest, tt.want, tt.live)
		}
	}
}

// Only the executions of the job itself that have not ended count.
func TestLiveOfAJob(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for i, of := range []struct {
		app, job string
		status   subjects.BatchStatus
	}{
		{"a", "j", subjects.Started}, {"a", "j", subjects.Completed}, {"a", "j", subjects.Unknown},
		{"a", "k", subjects.Started}, {"b", "j", subjects.Started},
	} {
		e := execution(int64(i+1), of.status)
		e.App, e.Job = of.app, of.job
		x.PutExecution(e, uint64(i+1))
	}
	for name, want := range map[string]int{"a.j": 2, "a.k": 1, "b.j": 1, "b.k": 0} {
		app, job, _ := bus.SplitJobKey(name)
		if n := x.LiveOf(app, job); n != want {
			t.Errorf("%s has %d live executions, want %d", name, n, want)
		}
	}
}

// A restart waits for the record of its new execution, in whichever order the
// two records arrive.
func TestRestartsWithoutTheirRecord(t *testing.T) {
	t.Parallel()
	was, by := execution(1, subjects.Failed), execution(2, subjects.Undispatched)
	was.RestartedBy, by.RestartOf = 2, 1
	for _, tt := range []struct {
		name string
		puts []*bus.Execution
		gone int64
		want []Restarted
	}{
		{"no new record", []*bus.Execution{was}, 0, []Restarted{{"a", "j", 1, 2}}},
		{"the new record comes", []*bus.Execution{was, by}, 0, nil},
		{"the new record came first", []*bus.Execution{by, was}, 0, nil},
		{"the restarted execution is removed", []*bus.Execution{was}, 1, nil},
		{"another one comes", []*bus.Execution{was, execution(3, subjects.Started)}, 0, []Restarted{{"a", "j", 1, 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := New(nil)
			for i, e := range tt.puts {
				x.PutExecution(e, uint64(i+1))
			}
			if tt.gone != 0 {
				x.Remove("a", "j", tt.gone)
			}
			if got := x.Unsubmitted(); !slices.Equal(got, tt.want) {
				t.Errorf("Unsubmitted() = %+v, want %+v", got, tt.want)
			}
			if kept := len(x.successor); kept > len(tt.want) {
				t.Errorf("the index keeps %d restarts that are done", kept)
			}
		})
	}
}

// The janitor asks for what it may remove: ended before the time, and not more
// than it can handle.
func TestEndedBefore(t *testing.T) {
	t.Parallel()
	x := New(nil)
	put := func(id int64, job string, status subjects.BatchStatus, create, end subjects.Time) {
		e := execution(id, status)
		e.Job, e.CreateTime, e.StartTime, e.EndTime = job, create, create, end
		x.PutExecution(e, uint64(id))
	}
	put(1, "j", subjects.Completed, 100, 200)
	put(2, "j", subjects.Started, 110, 0)
	put(3, "j", subjects.Failed, 120, 900) // it took long
	put(4, "j", subjects.Unknown, 130, 140)
	put(5, "j", subjects.Stopped, 140, 499)
	put(6, "j", subjects.Completed, 500, 501)
	put(7, "k", subjects.Completed, 50, 500)
	put(8, "k", subjects.Completed, 90, 95)
	for _, tt := range []struct {
		before int64
		limit  int
		want   []int64
	}{
		{500, 10, []int64{1, 5, 8}}, {501, 10, []int64{1, 5, 7, 8}}, {500, 2, []int64{1, 5}}, {500, 1, []int64{1}},
		{500, 0, nil}, {500, -1, nil}, {50, 10, nil}, {5000, 10, []int64{1, 3, 5, 6, 7, 8}},
	} {
		if got := ids(x.EndedBefore(time.UnixMilli(tt.before), tt.limit)); !slices.Equal(got, tt.want) {
			t.Errorf("ended before %d, at most %d: %v, want %v", tt.before, tt.limit, got, tt.want)
		}
	}
}

// The newest executions of an agent are found across gaps between the ids, but
// not beyond a hundred thousand ids.
func TestNewestOfAnAgent(t *testing.T) {
	t.Parallel()
	x := New(nil)
	long := strings.Repeat("x", longName+1)
	for i, of := range []struct {
		id    int64
		agent string
	}{
		{180_000, "old"}, {200_000, "agent-1"}, {200_001, "agent-2"}, {203_000, "agent-1"}, {290_000, "agent-1"}, {290_001, long},
	} {
		e := execution(of.id, subjects.Completed)
		e.Agent = of.agent
		x.PutExecution(e, uint64(i+1))
	}
	for _, tt := range []struct {
		agent string
		limit int
		want  []int64
	}{
		{"agent-1", 10, []int64{290_000, 203_000, 200_000}}, {"agent-1", 2, []int64{290_000, 203_000}},
		{"agent-2", 1, []int64{200_001}}, {"old", 1, nil}, {"nobody", 1, nil}, {long, 1, nil}, {tooManyAs, 1, nil},
	} {
		if got := ids(x.NewestOf(tt.agent, tt.limit, nil)); !slices.Equal(got, tt.want) {
			t.Errorf("NewestOf(%.10s, %d) = %v, want %v", tt.agent, tt.limit, got, tt.want)
		}
	}
}

// A summary has what the record says.
func TestSummary(t *testing.T) {
	t.Parallel()
	x := New(nil)
	e := execution(7, subjects.Started)
	e.InstanceID, e.Attempt, e.StartTime = 3, 100_000, 9000
	e.ScheduledFor, e.ScheduledDate, e.RestartOf, e.StopRequest = 6500, "2026-12-01", 3, bus.StopRequested
	x.PutExecution(e, 1)
	want := Summary{
		App: "a", Job: "j", Name: "j", ID: 7, InstanceID: 3, BatchStatus: subjects.Started, Agent: "agent-1", Attempt: 65535,
		CreateTime: 7000, StartTime: 9000, UpdateTime: 9000, ScheduledFor: 6500, ScheduledDate: "2026-12-01", RestartOf: 3, StopRequest: bus.StopRequested,
	}
	if got, ok := x.Find(7); !ok || got != want {
		t.Errorf("Find(7) = %+v\nwant      %+v", got, want)
	}
	if live := x.Live(); len(live) != 1 || live[0] != (Live{Summary: want, Revision: 1}) {
		t.Errorf("Live() = %+v", live)
	}
	end := execution(7, subjects.Stopped)
	end.StopRequest = bus.StopRequested
	x.PutExecution(end, 2)
	if got, _ := x.Find(7); got.StopRequest != "" {
		t.Error("an execution that has ended still has a stop request")
	}
}

// Every batch status keeps its name, and waits, lives or has ended.
func TestEveryBatchStatus(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for i, status := range subjects.BatchStatuses() {
		id := int64(i + 1)
		x.PutExecution(execution(id, status), uint64(id))
		s, _ := x.Find(id)
		live := slices.ContainsFunc(x.Live(), func(l Live) bool { return l.ID == id })
		_, waits := x.Positions([]int64{id})[id]
		if s.BatchStatus != status || live == status.Ended() || waits != status.Waiting() {
			t.Errorf("%s is found as %s, live %v, waiting %v", status, s.BatchStatus, live, waits)
		}
		only := x.FindExecutions(&ExecutionQuery{Status: []subjects.BatchStatus{status}, Limit: 9})
		if got := fmt.Sprint(ids(only.Results)); got != fmt.Sprint([]int64{id}) {
			t.Errorf("%s finds %s, want execution %d", status, got, id)
		}
	}
}

// An agent can choose an id in a result, so a rebuilt record may have the id of
// another execution. It never hides that one.
func TestRebuiltRecordOfAnId(t *testing.T) {
	real, ghost := execution(1, subjects.Started), execution(1, subjects.Completed)
	ghost.App, ghost.Job, ghost.Rebuilt = "b", "z", true
	deleted := *ghost
	deleted.DeleteTime = 1
	for name, put := range map[string]func(x *Index){
		"after the execution":  func(x *Index) { x.PutExecution(real, 5); x.PutExecution(ghost, 9) },
		"before the execution": func(x *Index) { x.PutExecution(ghost, 4); x.PutExecution(real, 5) },
		"at a later revision":  func(x *Index) { x.PutExecution(ghost, 9); x.PutExecution(real, 5); x.PutExecution(ghost, 10) },
		"and deleted":          func(x *Index) { x.PutExecution(real, 5); x.PutExecution(&deleted, 9) },
		"and removed":          func(x *Index) { x.PutExecution(real, 5); x.Remove("b", "z", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			x := New(nil)
			put(x)
			got, ok := x.Find(1)
			page, hits := x.Executions("a", "j", 0, 10)
			if !ok || got.App != "a" || got.BatchStatus != subjects.Started || hits != 1 || page[0].ID != 1 {
				t.Errorf("Find = %+v, %v and a list of %d; want the started execution of a", got, ok, hits)
			}
			if _, hits := x.Executions("b", "z", 0, 10); hits != 0 {
				t.Errorf("%d executions of the other job", hits)
			}
		})
	}
}
