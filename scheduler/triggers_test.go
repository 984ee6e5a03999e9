package scheduler

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// completed is a trigger by the completion of a job of application app.
func completed(job string) bus.Trigger {
	return bus.Trigger{App: "app", Job: job, On: bus.OnCompleted}
}

// createTriggered creates a job with triggers that begin now.
func (n *node) createTriggered(job string, t bus.Triggers) {
	n.t.Helper()
	t.Since = subjects.Now()
	j := bus.Job{App: "app", Name: job, Definition: []byte(definition), Settings: bus.Settings{Triggers: &t}}
	if _, err := n.bus.Jobs.Create(context.Background(), "app."+job, j); err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
}

// execute stores an execution of a job for a date, and later its end.
func (n *node) execute(job, date string, restartOf *bus.Execution) *bus.Execution {
	n.t.Helper()
	id, err := n.bus.NextID(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	e := &bus.Execution{Execution: subjects.Execution{
		ID: id, InstanceID: id, App: "app", Job: job, BatchStatus: subjects.Started,
		CreateTime: subjects.Now(), StartTime: subjects.Now(), ScheduledDate: date,
	}}
	if restartOf != nil {
		e.InstanceID, e.RestartOf = restartOf.InstanceID, restartOf.ID
	}
	if _, err := n.bus.Executions.Create(context.Background(), e.Key(), *e); err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
	return e
}

func (n *node) end(e *bus.Execution, status subjects.BatchStatus, exit string) {
	n.t.Helper()
	is := *e
	is.BatchStatus, is.ExitStatus, is.EndTime = status, exit, subjects.Now()
	n.write(&is)
}

func (n *node) write(e *bus.Execution) {
	n.t.Helper()
	was, err := n.bus.Executions.Get(context.Background(), e.Key())
	if err == nil {
		_, err = n.bus.Executions.Update(context.Background(), e.Key(), *e, was.Revision)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
}

// started returns the executions of a job that triggers started, oldest first.
func (n *node) started(job string) (all []bus.Execution) {
	n.t.Helper()
	list, err := n.bus.Executions.List(context.Background(), bus.JobKey("app", job)+".*")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, e.Value)
	}
	slices.SortFunc(all, func(a, b bus.Execution) int { // each bus has ids of its own
		return cmp.Or(cmp.Compare(a.CreateTime, b.CreateTime), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// checkStarted compares the dates for which a job was started with want, which
// are separated by spaces.
func (n *node) checkStarted(what, job, want string) {
	n.t.Helper()
	var dates []string
	for _, e := range n.started(job) {
		dates = append(dates, e.ScheduledDate)
	}
	if got := strings.Join(dates, " "); got != want {
		n.t.Errorf("%s: %s was started for %q, want %q", what, job, got, want)
	}
}

func TestTriggersStartJobs(t *testing.T) {
	t.Run("an end that matches starts the job once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			w.runNode("bus-2", alwaysLeads)
			early := n.execute("load", "2000-01-01", nil)
			n.end(early, subjects.Completed, "COMPLETED")
			time.Sleep(time.Second)
			n.createTriggered("report", bus.Triggers{Jobs: []bus.Trigger{{App: "app", Job: "load", On: bus.OnCompleted, Parameters: map[string]string{"k": "v"}}}})
			n.createTriggered("alarm", bus.Triggers{Jobs: []bus.Trigger{{App: "app", Job: "load", On: bus.OnFailed}}})
			n.createTriggered("warn", bus.Triggers{Jobs: []bus.Trigger{{App: "app", Job: "load", On: "WARN*"}}})
			time.Sleep(2 * sweepTriggersEvery)
			n.checkStarted("ended before", "report", "")
			e := n.execute("load", "2000-01-03", nil)
			n.end(e, subjects.Completed, "WARN 3")
			time.Sleep(2 * sweepTriggersEvery)
			n.checkStarted("completed", "report", "2000-01-03")
			n.checkStarted("completed", "alarm", "")
			n.checkStarted("an exit status", "warn", "2000-01-03")
			got := n.started("report")[0]
			want := []bus.Cause{{App: "app", Job: "load", Execution: e.ID}}
			if !slices.Equal(got.Causes, want) || !maps.Equal(got.Parameters, map[string]string{"k": "v"}) || got.ScheduledFor != 0 || got.FiredBy() != "" {
				t.Errorf("started as %+v", got)
			}
			fires, err := n.Fires(t.Context(), "app", "report", "", FireQuery{Limit: 10})
			if err != nil || len(fires) != 1 || fires[0].Execution != got.ID || !slices.Equal(fires[0].Causes, want) {
				t.Errorf("fires %+v, %v", fires, err)
			}
			if fires, err := n.Fires(t.Context(), "app", "report", "", FireQuery{Limit: 10, To: fires[0].Nominal.Std()}); err != nil || len(fires) != 0 {
				t.Errorf("fires before: %+v, %v", fires, err)
			}
		})
	})

	t.Run("a restart that completes starts the job, and only once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			time.Sleep(time.Second)
			n.createTriggered("report", bus.Triggers{Jobs: []bus.Trigger{completed("load")}})
			n.createTriggered("always", bus.Triggers{Jobs: []bus.Trigger{{App: "app", Job: "load", On: bus.OnEnded}}})
			e := n.execute("load", "2000-01-03", nil)
			n.end(e, subjects.Failed, "FAILED")
			n.checkStarted("failed", "report", "")
			again := n.execute("load", "2000-01-03", e)
			n.end(again, subjects.Completed, "COMPLETED")
			n.checkStarted("restarted", "report", "2000-01-03")
			n.checkStarted("restarted", "always", "2000-01-03")
			aborted := n.execute("load", "2000-01-04", nil)
			n.end(aborted, subjects.Abandoned, "ABANDONED")
			time.Sleep(2 * sweepTriggersEvery)
			n.checkStarted("abandoned", "always", "2000-01-03")
		})
	})

	t.Run("a failure that is going to be retried has not ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			time.Sleep(time.Second)
			n.createTriggered("alarm", bus.Triggers{Jobs: []bus.Trigger{{App: "app", Job: "load", On: bus.OnFailed}}})
			e := n.execute("load", "2000-01-03", nil)
			e.RetryDue = subjects.TimeOf(time.Now().Add(time.Hour))
			n.end(e, subjects.Failed, "FAILED")
			time.Sleep(2 * sweepTriggersEvery)
			n.checkStarted("a retry is due", "alarm", "")
			e.RetryDue, e.BatchStatus, e.EndTime = 0, subjects.Failed, subjects.Now()
			n.write(e)
			time.Sleep(2 * sweepTriggersEvery)
			n.checkStarted("nobody retries it any more", "alarm", "2000-01-03")
		})
	})

	t.Run("all triggers are joined by the business date", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			w.runNode("bus-2", alwaysLeads)
			time.Sleep(time.Second)
			n.createTriggered("report", bus.Triggers{All: true, Jobs: []bus.Trigger{completed("load"), completed("rates")}})
			end := func(job, date string) {
				n.end(n.execute(job, date, nil), subjects.Completed, "COMPLETED")
				time.Sleep(time.Minute)
			}
			end("load", "1999-12-30")
			end("rates", "1999-12-31")
			n.checkStarted("different dates", "report", "")
			end("load", "1999-12-31")
			n.checkStarted("one date", "report", "1999-12-31")
			end("rates", "1999-12-30")
			n.checkStarted("both dates", "report", "1999-12-31 1999-12-30")
			end("load", "1999-12-31")
			end("rates", "1999-12-31")
			n.checkStarted("again", "report", "1999-12-31 1999-12-30")
			end("load", "") // by hand
			end("rates", time.Now().UTC().Format(time.DateOnly))
			n.checkStarted("started by hand", "report", "1999-12-31 1999-12-30 2000-01-01")
		})
	})

	t.Run("what ended while no bus ran starts the job", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			time.Sleep(time.Second)
			n.createTriggered("report", bus.Triggers{Jobs: []bus.Trigger{completed("load")}})
			n.createTriggered("second", bus.Triggers{Jobs: []bus.Trigger{completed("report")}})
			e := n.execute("load", "2000-01-03", nil)
			n.die()
			n.all.Wait()
			w.newNode("idle").end(e, subjects.Completed, "COMPLETED")
			time.Sleep(time.Hour)
			next := w.runNode("bus-2")
			time.Sleep(2 * bus.LeaseTTL)
			next.checkStarted("an hour later", "report", "2000-01-03")
			third := w.runNode("bus-3", alwaysLeads)
			time.Sleep(2 * bus.LeaseTTL)
			third.checkStarted("another leader", "report", "2000-01-03")
			started := next.started("report")[0]
			next.end(&started, subjects.Completed, "COMPLETED")
			time.Sleep(time.Second)
			next.checkStarted("a chain", "second", "2000-01-03")
		})
	})

	t.Run("a cycle starts nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			time.Sleep(time.Second)
			n.createTriggered("a", bus.Triggers{Jobs: []bus.Trigger{completed("b")}})
			n.createTriggered("b", bus.Triggers{Jobs: []bus.Trigger{completed("a")}})
			n.end(n.execute("a", "2000-01-03", nil), subjects.Completed, "COMPLETED")
			time.Sleep(2 * sweepTriggersEvery)
			n.checkStarted("a cycle", "b", "")
		})
	})
}
