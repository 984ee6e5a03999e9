package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// withExecutions gives a bus the real life cycle of executions.
func withExecutions(n *node) {
	service := execution.New(n.bus, n.index.Index, execution.Config{})
	n.submit = service
	n.all.Go(func() {
		<-n.index.Ready()
		if err := service.Run(n.ctx); err != nil {
			n.t.Error(err)
		}
	})
}

func TestFiresAreRequested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		one, two := w.runNode("bus-1", withExecutions, alwaysLeads), w.runNode("bus-2", withExecutions, alwaysLeads)
		// One bus after the other: nats-server 2.15.2 creates a consumer
		// without the lock of its stream's configuration, to which the other
		// bus would be writing.
		for _, n := range []*node{one, two} {
			if err := n.bus.EnsurePool(t.Context(), "app", subjects.DefaultPool); err != nil {
				t.Fatal(err)
			}
		}
		one.createSchedule("often", "0/10 * * * * ?")
		time.Sleep(time.Minute + time.Second)
		one.checkExactly("often", "0/10 * * * * ?", start, start.Add(time.Minute))
		queued, err := two.bus.QueuedRequests(t.Context(), "app")
		if err != nil || len(queued) != 6 {
			t.Errorf("%d requests are queued, %v, want 6", len(queued), err)
		}
		for second, f := range two.decisions("often") {
			e, err := two.bus.Executions.Get(t.Context(), bus.ExecutionKey("app", "often", f.Execution))
			if err != nil {
				t.Fatal(err)
			}
			if e.Value.FireKey != keyOf("often").FireKey(second) || e.Value.ScheduledFor != f.Nominal ||
				e.Value.ScheduledDate != f.Nominal.Std().Format(time.DateOnly) || !queued[f.Execution] {
				t.Errorf("execution %+v, want that of %+v", e.Value, f)
			}
		}
	})
}

// The date of a fire is the date in the time zone of its schedule.
func TestDateOfAFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t) // at midnight UTC, in the evening of the day before in New York
		n := w.runNode("bus-1", withExecutions)
		if _, err := n.bus.Jobs.Create(t.Context(), "app.local", bus.Job{App: "app", Name: "local", Definition: []byte(definition)}); err != nil {
			t.Fatal(err)
		}
		n.setSchedule(bus.Schedule{App: "app", Job: "local", Cron: "0/10 * * * * ?", TimeZone: "America/New_York", Active: true})
		time.Sleep(11 * time.Second)
		for _, f := range n.decisions("local") {
			e, err := n.bus.Executions.Get(t.Context(), bus.ExecutionKey("app", "local", f.Execution))
			if err != nil {
				t.Fatal(err)
			}
			if e.Value.ScheduledDate != "1999-12-31" {
				t.Errorf("the fire of %v has the date %q", f.Nominal, e.Value.ScheduledDate)
			}
			return
		}
		t.Error("nothing fired")
	})
}

func TestFireOfAnExclusiveJobThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.runNode("bus-1", withExecutions)
		if _, err := n.bus.Jobs.Create(t.Context(), "app.alone", bus.Job{
			App: "app", Name: "alone", Definition: []byte(`{"exclusive":true,` + definition[1:]),
		}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		n.setSchedule(bus.Schedule{App: "app", Job: "alone", Cron: "0/10 * * * * ?", Active: true})
		time.Sleep(31 * time.Second)
		decided := n.decisions("alone")
		for second, want := range map[int64]subjects.BatchStatus{10: subjects.Undispatched, 20: subjects.Abandoned, 30: subjects.Abandoned} {
			f := decided[start.Unix()+second]
			e, err := n.bus.Executions.Get(context.Background(), bus.ExecutionKey("app", "alone", f.Execution))
			if err != nil || e.Value.BatchStatus != want {
				t.Errorf("after %d s: execution is %s, %v, want %s", second, e.Value.BatchStatus, err, want)
			}
			if f.Skipped != "" || f.Closed {
				t.Errorf("after %d s: decided %+v, want a fire with its execution", second, f)
			}
		}
	})
}
