package scheduler

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestNamedSchedules(t *testing.T) {
	t.Run("two schedules of a job fire at the same second, once each", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			one, two := w.newNode("bus-1", alwaysLeads), w.newNode("bus-2", alwaysLeads)
			one.createSchedule("often", "0/20 * * * * ?")
			one.createSchedule("often/slow", "0/40 * * * * ?")
			time.Sleep(65 * time.Second)
			for _, n := range []*node{one, two, one} {
				for _, key := range []string{"often", "often/slow"} {
					n.walkNow(key)
					synctest.Wait()
				}
			}
			one.checkFired("often", start, 20, 40, 60)
			one.checkFired("often/slow", start, 40, 60)
			e, err := one.bus.Executions.List(t.Context(), "app.often.*")
			if err != nil || len(e) != 5 {
				t.Errorf("%d executions of the job, %v", len(e), err)
			}
			fires, err := two.Fires(t.Context(), "app", "often", "", FireQuery{Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range fires {
				got = append(got, f.Schedule.Name())
			}
			if want := []string{"default", "slow", "default"}; !slices.Equal(got, want) || fires[0].Nominal != fires[1].Nominal {
				t.Errorf("the newest fires are those of %v, want %v", got, want)
			}
			if fires, err := two.Fires(t.Context(), "app", "often", "slow", FireQuery{Limit: 3}); err != nil || len(fires) != 2 {
				t.Errorf("fires of one schedule: %v, %v", fires, err)
			}
		})
	})

	t.Run("a pause stops one schedule and not the others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", "0/20 * * * * ?")
			n.createSchedule("often/slow", "0/40 * * * * ?")
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(85 * time.Second)
			synctest.Wait()
			n.checkFired("often", start)
			n.checkFired("often/slow", start, 40, 60)
			if err := n.Remove(t.Context(), keyOf("often")); err != nil {
				t.Fatal(err)
			}
			if err := n.Remove(t.Context(), keyOf("often")); codeOf(err) != bus.CodeNoSuchSchedule {
				t.Errorf("the second removal: %v", err)
			}
			time.Sleep(40 * time.Second)
			synctest.Wait()
			n.checkFired("often/slow", start, 40, 60, 100, 120)
		})
	})

	t.Run("the deletion of a job closes all its schedules", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.newNode("bus-1", alwaysLeads)
			n.createSchedule("often", "0/20 * * * * ?")
			n.createSchedule("often/slow", "0/40 * * * * ?")
			n.createSchedule("other", "0/40 * * * * ?")
			time.Sleep(45 * time.Second)
			if err := n.CloseSchedules(t.Context(), "app", "often"); err != nil {
				t.Fatal(err)
			}
			left := n.index.Schedules()
			if len(left) != 1 || left[0].Key != "app.other" {
				t.Errorf("schedules after the deletion of their job: %v", left)
			}
			for _, key := range []string{"often", "often/slow"} {
				for second, f := range n.decisions(key) {
					if f.Skipped != skippedDeleted {
						t.Errorf("%s at %d: %+v", key, second, f)
					}
				}
				if len(n.decisions(key)) == 0 {
					t.Errorf("%s has due times without a decision", key)
				}
			}
		})
	})

	t.Run("a schedule that is created again counts its generations on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.newNode("bus-1", alwaysLeads)
			n.createSchedule("often", "0/20 * * * * ?")
			for range 2 {
				n.createSchedule("often/slow", "0/40 * * * * ?")
				if err := n.Remove(t.Context(), keyOf("often/slow")); err != nil {
					t.Fatal(err)
				}
			}
			n.createSchedule("often/slow", "0/40 * * * * ?")
			if g := n.readSchedule("often/slow").Generation; g != 3 {
				t.Errorf("generation %d, want 3", g)
			}
			if g := n.readSchedule("often").Generation; g != 1 {
				t.Errorf("generation %d of the default schedule, want 1", g)
			}
		})
	})
}
