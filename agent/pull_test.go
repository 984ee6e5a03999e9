package agent_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// completeSoon is a body that takes 100 ms.
func completeSoon(context.Context, *agent.Work, *agent.Reporter) agent.Outcome {
	time.Sleep(100 * time.Millisecond)
	return completed
}

func TestPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		priority := map[int64]string{}
		for _, p := range []string{subjects.Low, subjects.Normal, subjects.High} {
			for range 40 {
				q := room.Request(`{}`)
				q.Execution.Priority = p
				priority[room.Submit(q)] = p
			}
		}
		b := &testRuntime{run: completeSoon}
		room.Start(agent.Config{Slots: 1, Runtime: b})
		agenttest.Eventually(t, func() bool { return len(b.Begun()) >= 40 }, "fewer than 40 of 120 began")
		got := map[string]int{}
		for _, id := range b.Begun()[:40] {
			got[priority[id]]++
		}
		// Each 8th pull goes to the lowest priority, so that no request waits
		// for ever. One more may come from a pull that was parked before.
		if got[subjects.High] < 32 || got[subjects.Low] < 3 || got[subjects.Low] > 7 {
			t.Errorf("the first 40 were %v, want about 34 of high and 5 of low priority", got)
		}
	})
}

func TestNoMoreThanThereAreSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		var running, most atomic.Int64
		b := &testRuntime{run: func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			return completeSoon(ctx, w, r)
		}}
		room.Start(agent.Config{Name: "one", Slots: 3, Runtime: b})
		room.Start(agent.Config{Name: "two", Slots: 2, Runtime: b})
		var ids []int64
		for i := range 100 {
			q := room.Request(`{}`)
			q.Execution.Priority = subjects.Priorities()[i%3]
			ids = append(ids, room.Submit(q))
			time.Sleep(time.Duration(i%4) * 10 * time.Millisecond)
		}
		for _, id := range ids {
			room.AwaitEnd(id)
		}
		if got := most.Load(); got != 5 {
			t.Errorf("at most %d ran at a time, want 5", got)
		}
		if n := len(b.Begun()); n != 100 {
			t.Errorf("%d ran, want 100", n)
		}
	})
}

// A full agent returns a request at once, so that another agent gets it.
func TestAFullAgentGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		full := &testRuntime{run: untilStopped}
		room.Start(agent.Config{Name: "full", Slots: 1, DrainGrace: time.Second, Runtime: full})
		time.Sleep(time.Second)
		room.Submit(room.Request(`{}`))
		time.Sleep(time.Second)
		free := &testRuntime{run: completeAtOnce}
		room.Start(agent.Config{Name: "free", Slots: 1, Runtime: free})
		time.Sleep(time.Second)
		begin := time.Now()
		for _, p := range subjects.Priorities() {
			q := room.Request(`{}`)
			q.Execution.Priority = p
			room.AwaitEnd(room.Submit(q))
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("it took %v, as long as a request is redelivered after it was not acknowledged", d)
		}
		if len(full.Begun()) != 1 || len(free.Begun()) != 3 {
			t.Errorf("the full one ran %v, the other %v", full.Begun(), free.Begun())
		}
	})
}

func TestThereAreNoConsumersYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		b := &testRuntime{run: completeAtOnce}
		room.Start(agent.Config{Pools: []string{"later"}, Runtime: b})
		time.Sleep(time.Minute)
		room.CreatePool("later")
		q := room.Request(`{}`)
		q.Execution.Pool = "later"
		begin := time.Now()
		room.AwaitEnd(room.Submit(q))
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("it took %v, want about a second", d)
		}
	})
}

// A consumer that is created again has lost the pulls that were parked in it.
func TestTheConsumersAreMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		time.Sleep(5 * time.Second)
		if err := room.JS.DeleteStream(t.Context(), subjects.RequestStream(agenttest.App)); err != nil {
			t.Fatal(err)
		}
		if _, err := room.JS.CreateStream(t.Context(), bus.RequestStreamConfig(agenttest.App, 1)); err != nil {
			t.Fatal(err)
		}
		room.CreatePool(subjects.DefaultPool)
		begin := time.Now()
		room.Run(`{}`)
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestWorkGoesOnAfterAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		cable := room.Cable()
		b := &testRuntime{run: completeAtOnce}
		room.Start(agent.Config{Slots: 2, Options: throughCable(cable), Runtime: b})
		var ids []int64
		for range 5 {
			time.Sleep(4 * time.Second)
			cable.Cut()
			ids = append(ids, room.Submit(room.Request(`{}`)))
			time.Sleep(time.Second)
			cable.Mend()
			ids = append(ids, room.Submit(room.Request(`{}`)))
		}
		begin := time.Now()
		for _, id := range ids {
			room.AwaitEnd(id)
		}
		// A request that the broker sent just before the connection broke is
		// delivered again after AckWait.
		if d := time.Since(begin); d > (subjects.MaxHold+2)*time.Second {
			t.Errorf("it took %v after the last reconnect", d)
		}
		got := b.Begun()
		slices.Sort(got)
		if !slices.Equal(got, ids) {
			t.Errorf("%v ran, want each of %v once", got, ids)
		}
	})
}
