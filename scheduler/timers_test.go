package scheduler

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestTimers(t *testing.T) {
	t.Run("a schedule stops after its last year", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2000, 12, 31, 23, 45, 0, 0, time.UTC)))
			w := newWorld(t)
			n := w.runNode("bus-1")
			start := time.Now()
			n.createSchedule("ends", "0 0/10 * * * ? 2000")
			time.Sleep(40 * time.Minute)
			n.checkFired("ends", start, 300)
		})
	})

	t.Run("each schedule fires at its second, also one that is due before all others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			time.Sleep(10 * time.Minute) // the bus leads, and its clock is set far ahead
			n.createSchedule("daily", "0 0 3 * * ?")
			n.createSchedule("hourly", "0 30 * * * ?")
			n.createSchedule("often", "0/7 * * * * ?")
			n.createSchedule("gone", "0/7 * * * * ?")
			if err := n.Remove(t.Context(), keyOf("gone")); err != nil {
				t.Fatal(err)
			}
			if err := n.Pause(t.Context(), keyOf("hourly"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			if err := n.resumeNow(keyOf("hourly")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30*time.Minute + 3*time.Second)
			for job, want := range map[string]int{"daily": 0, "hourly": 1, "often": 30 * 9, "gone": 0} {
				all := n.decisions(job)
				for second, f := range all {
					if late := f.Time.Std().Sub(time.Unix(second, 0)); late > 100*time.Millisecond {
						t.Errorf("%s of %v was decided %v late", job, time.Unix(second, 0), late)
					}
				}
				if len(all) != want {
					t.Errorf("%s has %d decisions, want %d", job, len(all), want)
				}
			}
			synctest.Wait()
			if timers, locks := len(n.timers.all), len(n.locks.locks); timers != 3 || locks != 0 {
				t.Errorf("%d timers and %d locks are left, want those of 3 schedules and none", timers, locks)
			}
		})
	})

	t.Run("the next wake-up is never past and never zero", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newWorld(t).newNode("bus-1")
			sc := bus.Schedule{App: "app", Job: "j", Cron: "* * * * * ? 2000", Active: true, Since: subjects.Now()}
			n.timers.setTimer(&sc, 1)
			start, next := time.Now(), ringPlan{n.timers}.Next
			if got, want := next(start), start.Add(time.Second); !got.Equal(want) {
				t.Errorf("Next(%v) = %v, want %v", start, got, want)
			}
			// The clock rings before the wall clock shows the time.
			if got := next(start.Add(time.Second)); !got.After(start.Add(time.Second)) || got.After(start.Add(2*time.Second)) {
				t.Errorf("Next after an early ring = %v, want a moment after %v", got, start.Add(time.Second))
			}
			time.Sleep(time.Minute)
			if got := next(start); !got.After(time.Now()) {
				t.Errorf("Next(%v) = %v, want later than %v", start, got, time.Now())
			}
			if key, ok := n.wakes.popSchedule(); !ok || key != sc.Key() {
				t.Error("the schedule was not woken")
			}
		})
	})

	t.Run("what another bus decides is not overdue", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			leader := w.runNode("bus-1")
			time.Sleep(time.Minute)
			n := w.runNode("bus-2")
			leader.createSchedule("j", "0 * * * * ?")
			time.Sleep(10*time.Minute + 30*time.Second)
			n.timers.mu.Lock()
			defer n.timers.mu.Unlock()
			k := n.timers.all[keyOf("j")]
			if k == nil || len(n.timers.overdue) != 0 || len(n.timers.byDue) != 1 || k.due <= time.Now().Unix() {
				t.Errorf("timer %+v, %d overdue", k, len(n.timers.overdue))
			}
		})
	})
}

func TestPlansAreShared(t *testing.T) {
	n := newWorld(t).newNode("bus-1")
	planFor := func(sc bus.Schedule) *plan {
		t.Helper()
		p, err := n.plans.planFor(&sc)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	daily := bus.Schedule{App: "app", Job: "j", Cron: "@daily", TimeZone: "Europe/Berlin"}
	same := daily
	same.Job, same.Parameters = "k", map[string]string{"a": "b"}
	if planFor(daily) != planFor(same) {
		t.Error("two schedules with the same times have two plans")
	}
	all := map[*plan]string{planFor(daily): "the schedule itself"}
	for name, change := range map[string]func(*bus.Schedule){
		"cron":       func(sc *bus.Schedule) { sc.Cron = "@hourly" },
		"every":      func(sc *bus.Schedule) { sc.Cron = "@every 90s" },
		"at":         func(sc *bus.Schedule) { sc.Cron, sc.At = "", "2030-01-01T00:00" },
		"zone":       func(sc *bus.Schedule) { sc.TimeZone = "Asia/Tokyo" },
		"start":      func(sc *bus.Schedule) { sc.Start = "2030-01-01" },
		"end":        func(sc *bus.Schedule) { sc.End = "2030-01-01" },
		"dst":        func(sc *bus.Schedule) { sc.DST = bus.DSTBoth },
		"jitter":     func(sc *bus.Schedule) { sc.Jitter = "1h" },
		"its key":    func(sc *bus.Schedule) { sc.Jitter, sc.Job = "1h", "k" },
		"days":       func(sc *bus.Schedule) { sc.Cron, sc.BusinessDays, sc.At = "", []int{1, 2}, "06:00" },
		"other days": func(sc *bus.Schedule) { sc.Cron, sc.BusinessDays, sc.At = "", []int{12}, "06:00" },
		"months":     func(sc *bus.Schedule) { sc.Cron, sc.BusinessDays, sc.Months, sc.At = "", []int{1}, []int{2}, "06:00" },
		"of":         func(sc *bus.Schedule) { sc.Cron, sc.BusinessDays, sc.Of, sc.At = "", []int{1, 2}, "15", "06:00" },
	} {
		sc := daily
		change(&sc)
		if other, shared := all[planFor(sc)]; shared {
			t.Errorf("a schedule with another %s has the plan of %s", name, other)
		}
		all[planFor(sc)] = name
	}
	n.plans.dropOthers(map[*plan]bool{planFor(daily): true})
	if len(n.plans.plans) != 1 {
		t.Errorf("%d plans are left, want the one that is used", len(n.plans.plans))
	}
}

func TestMarks(t *testing.T) {
	var m marks
	for _, step := range []struct {
		generation uint64
		second     int64
		want       string
	}{
		{3, 100, "0 0 100 0 0"},
		{3, 90, "0 0 100 0 0"},
		{4, 110, "0 0 100 110 0"},
		{2, 120, "0 0 100 110 0"}, // of a late bus
		{3, 130, "0 0 130 110 0"},
		{5, 140, "0 0 0 110 140"},
	} {
		m.addDecided(step.generation, step.second)
		got := fmt.Sprint(m.newestOf(1), m.newestOf(2), m.newestOf(3), m.newestOf(4), m.newestOf(5))
		if got != step.want {
			t.Fatalf("after %d of generation %d: %s, want %s", step.second, step.generation, got, step.want)
		}
	}
}
