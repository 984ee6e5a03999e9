package scheduler

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestLease(t *testing.T) {
	t.Run("one bus fires", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			one := w.runNode("bus-1")
			time.Sleep(time.Second / 2)
			two := w.runNode("bus-2")
			two.createSchedule("often", "* * * * * ?")
			time.Sleep(time.Minute)
			if one.records.count() != 60 || two.records.count() != 0 {
				t.Errorf("%d and %d submitted, want all by the bus that leads", one.records.count(), two.records.count())
			}
		})
	})
	t.Run("a bus that is told to end gives the lease up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			one := w.runNode("bus-1")
			time.Sleep(time.Second)
			two := w.runNode("bus-2")
			time.Sleep(time.Second)
			one.stop()
			time.Sleep(5 * time.Second)
			if !two.leadership.isLeading() {
				t.Error("bus-2 does not lead 5 s after bus-1 ended")
			}
		})
	})
}

func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.newNode("bus-1", alwaysLeads)
		ctx, second := context.Background(), int64(946684800)
		keys := map[string]bus.Fire{
			keyOf("a").FireKey(second + 1): {Generation: 1, Skipped: "misfire", Time: 1},
			keyOf("a").FireKey(second + 2): {Generation: 1, Execution: 1, Time: 1},
			keyOf("a").FireKey(second + 3): {Generation: 1, Execution: 2, Closed: true, Time: 1},
			keyOf("a").FireKey(second + 4): {Generation: 1, Skipped: "misfire", Time: subjects.Now()},
			keyOf("a").FireKey(second + 5): {Generation: 1, Skipped: "misfire", Time: 1},
			keyOf("b").FireKey(second + 1): {Generation: 1, Skipped: "misfire", Time: 1},
		}
		// Broken: neither read nor purged.
		if _, err := n.bus.Fires.KV().PutString(ctx, keyOf("a").FireKey(second), "{"); err != nil {
			t.Fatal(err)
		}
		for key, f := range keys {
			if _, err := n.fires.Create(ctx, key, f); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if purged, err := n.purgeBefore(ctx, subjects.Now()); purged != 2 || err != nil {
			t.Errorf("purged %d, %v, want the skipped one and the closed one", purged, err)
		}
		if err := n.bus.Fires.KV().Purge(ctx, keyOf("a").FireKey(second)); err != nil {
			t.Fatal(err)
		}
		if d := n.decisions("a"); len(d) != 3 || d[second+5].Skipped == "" {
			t.Errorf("left: %+v, want what has an execution, what is new, and the newest", d)
		}
		if d := n.decisions("b"); len(d) != 1 {
			t.Errorf("left: %+v, want the newest", d)
		}
	})
	t.Run("by the bus that leads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.retention.Fires = time.Hour
			n := w.runNode("bus-1")
			n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireSkip })
			n.stop()
			time.Sleep(35 * time.Minute)
			n = w.runNode("bus-2")
			time.Sleep(time.Minute)
			if d := n.decisions("often"); len(d) != 3 {
				t.Fatalf("decided %+v, want three that are skipped", d)
			}
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
			if d := n.decisions("often"); len(d) != 1 {
				t.Errorf("left: %+v, want the newest", d)
			}
		})
	})
}

func TestFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.runNode("bus-1")
		start := time.Now()
		n.createSchedule("often", "0 * * * * ?")
		time.Sleep(10*time.Minute + time.Second)
		fires, err := n.Fires(t.Context(), "app", "often", "", FireQuery{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(fires) != 3 || !fires[0].Nominal.Std().Equal(start.Add(10*time.Minute)) || !fires[2].Nominal.Std().Equal(start.Add(8*time.Minute)) {
			t.Errorf("Fires = %+v, want the newest three", fires)
		}
		fires, err = n.Fires(t.Context(), "app", "often", "", FireQuery{From: start.Add(2 * time.Minute), To: start.Add(5 * time.Minute), Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(fires) != 3 || !fires[0].Nominal.Std().Equal(start.Add(4*time.Minute)) || !fires[2].Nominal.Std().Equal(start.Add(2*time.Minute)) {
			t.Errorf("Fires = %+v, want those of minutes 4, 3 and 2", fires)
		}
		if fires, err := n.Fires(t.Context(), "app", "none", "", FireQuery{Limit: 3}); len(fires) != 0 || err != nil {
			t.Errorf("Fires of a job without = %+v, %v, want none", fires, err)
		}
	})
}

func TestQueue(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	q := newWalkQueue()
	q.addSchedule(keyOf("a"))
	q.addSchedule(keyOf("a"))
	q.addSchedule(keyOf("b"))
	first, _ := q.nextSchedule(ctx)
	q.addSchedule(keyOf("a")) // during its walk
	second, _ := q.nextSchedule(ctx)
	q.endWalk(keyOf("a"))
	third, _ := q.nextSchedule(ctx)
	if got := fmt.Sprint(first, second, third); got != "app.a app.b app.a" {
		t.Errorf("schedules %s, want app.a app.b app.a", got)
	}
	cancel()
	if key, ok := q.nextSchedule(ctx); ok {
		t.Errorf("schedule %s after the end, want none", key)
	}
}
