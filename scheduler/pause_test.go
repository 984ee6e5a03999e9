package scheduler

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestPause(t *testing.T) {
	for _, tt := range []struct {
		name    string
		misfire string
		catchUp bool
		want    []int64 // fired, in seconds
		skipped int     // as paused
	}{
		{"the times of a pause are skipped", bus.MisfireFireAll, false, []int64{600, 3600}, 4},
		{"all of them fire afterwards", bus.MisfireFireAll, true, []int64{600, 1200, 1800, 2400, 3000, 3600}, 0},
		{"one of them fires afterwards", bus.MisfireFireOnce, true, []int64{600, 3000, 3600}, 0},
		{"none of them fires afterwards", bus.MisfireSkip, true, []int64{600, 3600}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				n := w.runNode("bus-1")
				n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = tt.misfire })
				time.Sleep(15 * time.Minute)
				by := bus.Pause{By: "ann", Reason: "maintenance"}
				if err := n.Pause(t.Context(), keyOf("often"), by); err != nil {
					t.Fatal(err)
				}
				by.By = "bob" // it is paused already
				if err := n.Pause(t.Context(), keyOf("often"), by); err != nil {
					t.Fatal(err)
				}
				p := n.readSchedule("often").Paused
				if p == nil || p.By != "ann" || p.Reason != "maintenance" || p.At.Std().Sub(start) != 15*time.Minute {
					t.Errorf("paused by %+v", p)
				}
				time.Sleep(38 * time.Minute) // four times pass
				n.checkFired("often", start, 600)
				done, err := n.Resume(t.Context(), keyOf("often"), tt.catchUp)
				if err != nil || done.Count != 4 || done.To.Std().Sub(done.From.Std()) != 38*time.Minute {
					t.Errorf("resumed: %+v, %v", done, err)
				}
				if again, err := n.Resume(t.Context(), keyOf("often"), true); err != nil || again.Count != 0 || again.From != 0 {
					t.Errorf("resumed again: %+v, %v", again, err)
				}
				time.Sleep(8 * time.Minute)
				n.checkFired("often", start, tt.want...)
				if sc := n.readSchedule("often"); sc.Paused != nil || !sc.Active {
					t.Errorf("after the pause: %+v", sc)
				}
				skipped := 0
				for _, f := range n.decisions("often") {
					if f.Skipped == skippedPaused {
						skipped++
					}
				}
				if skipped != tt.skipped || len(n.decisions("often")) != 6 {
					t.Errorf("%d times are skipped as paused, want %d; decided: %+v", skipped, tt.skipped, n.decisions("often"))
				}
			})
		})
	}

	t.Run("a long pause is one key, and a change during it is explained too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			n.createSchedule("often", "* * * * * ?")
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{By: "ann"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			n.setSchedule(bus.Schedule{App: "app", Job: "often", Cron: "0 * * * * ?"}) // it stays paused
			if p := n.readSchedule("often").Paused; p == nil || p.By != "ann" {
				t.Errorf("after a change: paused by %+v", p)
			}
			time.Sleep(time.Hour)
			if err := n.Remove(t.Context(), keyOf("often")); err != nil {
				t.Fatal(err)
			}
			count := 0
			for _, f := range n.decisions("often") {
				if f.Skipped == skippedPaused {
					count += max(1, f.SkippedCount)
				}
			}
			if count != 3600+60 || len(n.decisions("often")) > 3 {
				t.Errorf("%d times are explained by %d keys, want 3660", count, len(n.decisions("often")))
			}
		})
	})
}
