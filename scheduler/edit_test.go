package scheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestEdits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := t.Context(), newWorld(t)
		start := time.Now()
		n, other := w.runNode("bus-1"), w.runNode("bus-2")
		if err := other.Pause(ctx, keyOf("often"), bus.Pause{}); codeOf(err) != bus.CodeNoSuchSchedule {
			t.Errorf("Pause without a schedule: %v, want %s", err, bus.CodeNoSuchSchedule)
		}
		if _, err := n.Set(ctx, bus.Schedule{App: "app", Job: "often", Cron: "0 * * * * ?"}); codeOf(err) != bus.CodeNoSuchJob {
			t.Errorf("Set without a job: %v, want %s", err, bus.CodeNoSuchJob)
		}
		n.createSchedule("often", "30 * * * * ?")
		time.Sleep(2 * time.Minute)
		sc := n.readSchedule("often")
		rev, err := other.Set(ctx, bus.Schedule{App: "app", Job: "often", Cron: "30 * * * * ?", Active: true})
		if err != nil || !reflect.DeepEqual(n.readSchedule("often"), sc) {
			t.Errorf("Set of the same schedule: revision %d, %v, schedule %+v, want no change", rev, err, n.readSchedule("often"))
		}
		for range 2 { // the second time it is paused already
			if err := other.Pause(ctx, keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
		}
		if sc := n.readSchedule("often"); sc.Active || sc.Generation != 2 || !sc.Since.Std().Equal(start.Add(2*time.Minute)) {
			t.Errorf("paused: %+v, want generation 2 since 00:02:00", sc)
		}
		time.Sleep(3 * time.Minute)
		if next := n.Next(keyOf("often"), 2); next != nil {
			t.Errorf("Next of a paused schedule = %v, want none", next)
		}
		if err := n.resumeNow(keyOf("often")); err != nil {
			t.Fatal(err)
		}
		want := []time.Time{start.Add(330 * time.Second), start.Add(390 * time.Second)}
		if next := n.Next(keyOf("often"), 2); !slices.EqualFunc(next, want, time.Time.Equal) {
			t.Errorf("Next = %v, want %v", next, want)
		}
		time.Sleep(time.Minute)
		if err := n.Remove(ctx, keyOf("often")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		n.checkFired("often", start, 30, 90, 330)
		if err := n.Remove(ctx, keyOf("often")); codeOf(err) != bus.CodeNoSuchSchedule {
			t.Errorf("Remove again: %v, want %s", err, bus.CodeNoSuchSchedule)
		}
		n.setSchedule(bus.Schedule{App: "app", Job: "often", Cron: "30 * * * * ?", Active: true})
		if sc := n.readSchedule("often"); sc.Generation != 4 {
			t.Errorf("the new schedule has generation %d, want 4, which is unused", sc.Generation)
		}
		time.Sleep(time.Minute)
		n.checkFired("often", start, 30, 90, 330, 570)
	})
}

// The deletion of a job decides the times that are due: they do not fire, and
// the list of fires gives the reason.
func TestDeletionOfAJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.runNode("bus-1")
		n.createSchedule("often", "0/10 * * * * ?")
		time.Sleep(25 * time.Second)
		n.stop()
		endAll(t, n.bus)
		time.Sleep(20 * time.Second)
		n = w.newNode("bus-2") // starts no walk by itself
		start := time.Now()
		jobs := catalog.New(catalog.Config{Bus: n.bus, Index: n.index.Index, History: execution.New(n.bus, n.index.Index, execution.Config{}), Schedules: n})
		if err := jobs.DeleteJob(t.Context(), "app", "often", nil, true); err != nil {
			t.Fatal(err)
		}
		if _, err := n.bus.Schedules.Get(t.Context(), "app.often"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("the schedule: %v, want %v", err, bus.ErrNotFound)
		}
		fires, err := n.Fires(t.Context(), "app", "often", "", FireQuery{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fires { // the newest first
			got = append(got, fmt.Sprint(f.Nominal.Std().Sub(start), " ", f.Skipped))
		}
		want := []string{"-5s deleted", "-15s deleted", "-25s ", "-35s "}
		if !slices.Equal(got, want) {
			t.Errorf("fires %q, want %q", got, want)
		}
		if err := n.CloseSchedules(t.Context(), "app", "often"); err != nil {
			t.Errorf("a job without a schedule: %v", err)
		}
	})
}

// endAll marks all executions as completed.
func endAll(t *testing.T, b *bus.Bus) {
	t.Helper()
	all, err := b.Executions.List(t.Context(), ">")
	for _, e := range all {
		e.Value.BatchStatus = subjects.Completed
		if err == nil {
			_, err = b.Executions.Update(t.Context(), e.Key, e.Value, e.Revision)
		}
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("complete %d executions: %v", len(all), err)
	}
}

func TestSetRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newWorld(t).newNode("bus-1")
		n.createJob("often")
		for _, expr := range []string{"* * * * *", "0 0 0 30 2 ?", "0 0 0 1 1 ? 1999"} {
			var field *bus.FieldError
			if _, err := n.Set(t.Context(), bus.Schedule{App: "app", Job: "often", Cron: expr}); !errors.As(err, &field) {
				t.Errorf("Set of %s: %v, want a FieldError", expr, err)
			}
		}
	})
}

func TestScheduleSetPausedStaysPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newWorld(t).runNode("bus-1")
		n.createSchedule("often", "* * * * * ?", func(sc *bus.Schedule) { sc.Active = false })
		time.Sleep(time.Minute)
		if d := n.decisions("often"); len(d) != 0 {
			t.Errorf("decided %+v, want nothing", d)
		}
	})
}

// Two buses both lead, and both edit. Each time of each generation must be
// decided, and none may have two executions.
func TestEditsRaceWithFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		nodes := []*node{w.runNode("bus-1", alwaysLeads), w.runNode("bus-2", alwaysLeads)}
		nodes[0].createJob("often")
		generations := collectGenerations(t, nodes[0])
		var all sync.WaitGroup
		for _, n := range nodes {
			all.Go(func() {
				for range 150 {
					time.Sleep(time.Duration(rand.Int64N(int64(4 * time.Second))))
					if err := n.editAtRandom(); err != nil && codeOf(err) != bus.CodeNoSuchSchedule {
						t.Errorf("edit: %v", err)
					}
				}
			})
		}
		all.Wait()
		// Ends the last generation.
		nodes[0].setSchedule(bus.Schedule{App: "app", Job: "often", Cron: "0 0 0 * * ?", Active: true})
		time.Sleep(10 * time.Second)
		for _, n := range nodes {
			n.stop()
		}
		checkGenerations(t, w.newNode("bus-3"), generations())
	})
}

// editAtRandom makes a random edit, of those that the REST API offers.
func (n *node) editAtRandom() error {
	ctx := context.Background()
	switch k := rand.IntN(10); {
	case k < 2:
		return n.Pause(ctx, keyOf("often"), bus.Pause{})
	case k < 5:
		return n.resumeNow(keyOf("often"))
	case k < 6:
		return n.Remove(ctx, keyOf("often"))
	default:
		expr := []string{"* * * * * ?", "0/2 * * * * ?", "1/3 * * * * ?", "5,15,30,31,32 * * * * ?"}[rand.IntN(4)]
		_, err := n.Set(ctx, bus.Schedule{App: "app", Job: "often", Cron: expr, Active: true})
		return err
	}
}

// collectGenerations watches the schedule. The returned function stops the
// watch and returns all generations.
func collectGenerations(t *testing.T, n *node) func() []*bus.Schedule {
	w, err := n.bus.Schedules.KV().Watch(context.Background(), "app.often", jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	var all []*bus.Schedule
	var reader sync.WaitGroup
	reader.Go(func() {
		for e := range w.Updates() {
			if e == nil {
				continue
			}
			sc := &bus.Schedule{} // after a deletion: not active, and without a time
			if e.Operation() == jetstream.KeyValuePut {
				if err := json.Unmarshal(e.Value(), sc); err != nil {
					t.Error(err)
				}
			}
			all = append(all, sc)
		}
	})
	return func() []*bus.Schedule {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
		reader.Wait()
		return all
	}
}

func checkGenerations(t *testing.T, n *node, all []*bus.Schedule) {
	t.Helper()
	decided, executions := n.decisions("often"), n.executions("often")
	for second, ids := range executions {
		if len(ids) != 1 {
			t.Errorf("%d executions for %v, want one", len(ids), time.Unix(second, 0).UTC())
		}
	}
	paused := map[int64]bool{} // explained by a key of their own, or of a run
	for second, f := range decided {
		if f.Skipped == skippedPaused && f.Execution == 0 && len(executions[second]) == 0 {
			for at := cmp.Or(f.SkippedFrom, f.Nominal).Std().Unix(); at <= second; at++ {
				paused[at] = true
			}
			continue
		}
		if f.Execution == 0 || len(executions[second]) != 1 || executions[second][0] != f.Execution {
			t.Errorf("decided %+v, but it has the executions %v", f, executions[second])
		}
	}
	asked := 0
	for i, sc := range all[:len(all)-1] {
		next := all[i+1]
		if sc.Since == 0 || next.Since == 0 { // a deletion does not store its time
			continue
		}
		p, err := newPlan(sc, time.UTC, nil)
		if err != nil {
			t.Fatal(err)
		}
		for at := range p.timesBetween(sc.Since.Std(), next.Since.Std()) {
			asked++
			if _, ok := decided[at.Unix()]; !ok && (sc.Active || !paused[at.Unix()]) {
				t.Errorf("generation %d (%s since %v) did not decide %v", sc.Generation, sc.Cron, sc.Since, at)
			}
		}
	}
	if asked < 50 {
		t.Errorf("%d nominal times were asked for, want at least 50", asked)
	}
	t.Logf("%d generations, %d nominal times, %d executions", len(all), asked, len(executions))
}

func codeOf(err error) string {
	var state *bus.StateError
	if errors.As(err, &state) {
		return state.Code
	}
	return ""
}
