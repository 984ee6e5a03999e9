package scheduler

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// endExecution ends the execution of a nominal time, in seconds after from.
func (n *node) endExecution(schedule string, from time.Time, second int64) {
	n.t.Helper()
	k := keyOf(schedule)
	ids := n.executions(schedule)[from.Unix()+second]
	if len(ids) != 1 {
		n.t.Fatalf("the time %d has the executions %v", second, ids)
	}
	_, err := n.bus.Executions.Change(context.Background(), bus.ExecutionKey(k.App(), k.Job(), ids[0]), func(e *bus.Execution) (*bus.Execution, error) {
		e.BatchStatus, e.EndTime = subjects.Completed, subjects.Now()
		return e, nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
}

// skippedBy returns the times that were skipped because of an overlap, in
// seconds after from, and checks that each names an execution.
func (n *node) skippedBy(schedule string, from time.Time) (seconds []int64) {
	n.t.Helper()
	for second, f := range n.decisions(schedule) {
		if f.Skipped != skippedOverlap {
			continue
		}
		if f.BlockedBy == 0 || f.Execution != 0 {
			n.t.Errorf("skipped at %d: %+v", second-from.Unix(), f)
		}
		seconds = append(seconds, second-from.Unix())
	}
	slices.Sort(seconds)
	return seconds
}

func overlapping(policy string) func(*bus.Schedule) {
	return func(sc *bus.Schedule) { sc.Overlap = policy }
}

func TestOverlap(t *testing.T) {
	const each10s = "0/10 * * * * ?"
	for _, tt := range []struct {
		policy string
		early  []int64 // fired while the first execution runs
		then   []int64 // and after its end at 45 s
		skip   []int64 // skipped by 46 s
	}{
		{bus.OverlapAllow, []int64{10, 20, 30, 40}, []int64{10, 20, 30, 40}, nil},
		{bus.OverlapSkip, []int64{10}, []int64{10}, []int64{20, 30, 40}},
		{bus.OverlapQueueOne, []int64{10}, []int64{10, 20}, []int64{30, 40}},
		{bus.OverlapQueueAll, []int64{10}, []int64{10, 20}, nil},
		{bus.OverlapCancelRunning, []int64{10}, []int64{10, 20}, []int64{30, 40}},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				n := w.runNode("bus-1")
				n.createSchedule("often", each10s, overlapping(tt.policy))
				n.createSchedule("often/other", "5 * * * * ?") // its executions do not count
				time.Sleep(44 * time.Second)
				synctest.Wait()
				n.checkFired("often", start, tt.early...)
				time.Sleep(time.Second)
				n.endExecution("often", start, 10)
				time.Sleep(time.Second)
				synctest.Wait()
				n.checkFired("often", start, tt.then...)
				if got := n.skippedBy("often", start); !slices.Equal(got, tt.skip) {
					t.Errorf("skipped at %v, want %v", got, tt.skip)
				}
				if stops := len(n.records.stops); (stops == 1) != (tt.policy == bus.OverlapCancelRunning) {
					t.Errorf("%d stops were requested", stops)
				}
			})
		})
	}

	t.Run("a queue is worked through in order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", each10s, overlapping(bus.OverlapQueueAll))
			time.Sleep(35 * time.Second)
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			for i, want := range [][]int64{{10}, {10, 20}, {10, 20, 30}, {10, 20, 30}} {
				n.checkFired("often", start, want...)
				if i < 3 {
					n.endExecution("often", start, want[i])
				}
				time.Sleep(time.Second)
				synctest.Wait()
			}
		})
	})

	t.Run("a failed execution that awaits its retry counts as running", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", each10s, overlapping(bus.OverlapSkip))
			time.Sleep(11 * time.Second)
			id := n.executions("often")[start.Unix()+10][0]
			_, err := n.bus.Executions.Change(t.Context(), bus.ExecutionKey("app", "often", id), func(e *bus.Execution) (*bus.Execution, error) {
				e.BatchStatus, e.EndTime, e.RetryDue = subjects.Failed, subjects.Now(), subjects.TimeOf(time.Now().Add(time.Hour))
				return e, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
			n.checkFired("often", start, 10)
		})
	})

	for _, policy := range []string{bus.OverlapQueueOne, bus.OverlapQueueAll, bus.OverlapCancelRunning} {
		t.Run("the death of a bus loses and doubles no queued fire with "+policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				one := w.runNode("bus-1")
				time.Sleep(time.Second)
				two := w.runNode("bus-2")
				one.createSchedule("nightly", "10,20 0 0 * * ?", overlapping(policy))
				time.Sleep(22 * time.Second)
				one.checkFired("nightly", start, 10)
				one.die()
				time.Sleep(time.Minute)
				two.checkFired("nightly", start, 10)
				two.endExecution("nightly", start, 10)
				time.Sleep(time.Minute)
				two.checkFired("nightly", start, 10, 20)
			})
		})
	}

	t.Run("a bus that dies after the key of a queued fire was created", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			one := w.newNode("bus-1", alwaysLeads)
			one.createSchedule("nightly", "10,20 0 0 * * ?", overlapping(bus.OverlapQueueOne))
			time.Sleep(11 * time.Second)
			one.walkNow("nightly") // creates the key; the walk that it wakes would submit
			one.die()
			two := w.runNode("bus-2")
			time.Sleep(20 * time.Second)
			two.checkFired("nightly", start, 10)
			two.endExecution("nightly", start, 10)
			time.Sleep(20 * time.Second)
			two.checkFired("nightly", start, 10, 20)
		})
	})

	t.Run("the deletion of a job empties its queue", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", each10s, overlapping(bus.OverlapQueueAll))
			time.Sleep(35 * time.Second)
			if err := n.CloseSchedules(t.Context(), "app", "often"); err != nil {
				t.Fatal(err)
			}
			n.endExecution("often", start, 10)
			time.Sleep(time.Minute)
			n.checkFired("often", start, 10)
			for _, second := range []int64{20, 30} {
				if f := n.decisions("often")[start.Unix()+second]; f.Skipped != skippedDeleted {
					t.Errorf("at %d: %+v", second, f)
				}
			}
		})
	})
}

func TestCatchUp(t *testing.T) {
	day := func(h, m, s int) time.Time { return time.Date(2026, 5, 4, h, m, s, 0, time.UTC) }
	for _, tt := range []struct {
		name string
		sc   bus.Schedule
		want string
	}{
		{"fire_all fires up to its limit", bus.Schedule{Misfire: bus.MisfireFireAll, CatchUpLimit: 2},
			"8:00 catch_up_limit, 9:00 catch_up_limit, 10:00 late, 11:00 late"},
		{"a window skips older misfires", bus.Schedule{Misfire: bus.MisfireFireAll, CatchUpWindow: "2h"},
			"8:00 catch_up_window, 9:00 catch_up_window, 10:00 late, 11:00 late"},
		{"fire_once fires one within its window", bus.Schedule{CatchUpWindow: "2h"}, "8:00 catch_up_window, 9:00 catch_up_window, 10:00 misfire, 11:00 late"},
		{"fire_once fires none before its window", bus.Schedule{CatchUpWindow: "10m"},
			"8:00 catch_up_window, 9:00 catch_up_window, 10:00 catch_up_window, 11:00 catch_up_window"},
		{"a window that holds all", bus.Schedule{Misfire: bus.MisfireFireAll, CatchUpWindow: "100h"}, "8:00 late, 9:00 late, 10:00 late, 11:00 late"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.sc.Cron = "@hourly"
			if wrong := Faults(tt.sc); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			p, err := newPlan(&tt.sc, time.UTC, nil)
			if err != nil {
				t.Fatal(err)
			}
			now, got := day(11, 30, 0), ""
			for s := range p.outcomesUntil(day(7, 0, 0), now, latenessOf(&tt.sc, now, time.Time{}, time.Time{}, atWalk), atWalk) {
				if got != "" {
					got += ", "
				}
				got += s.String()
			}
			if got != tt.want {
				t.Errorf("due: %s, want %s", got, tt.want)
			}
		})
	}
}
