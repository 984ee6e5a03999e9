package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// slowBody returns a body with one step that takes long and can be stopped.
func slowBody(long time.Duration) func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome {
	return func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
		s := newStep(1, "one", subjects.Started)
		if err := r.StepStarted(s); err != nil {
			return agent.Failure(err)
		}
		outcome := completed
		select {
		case <-time.After(long):
		case <-ctx.Done():
			outcome = agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
		}
		s.BatchStatus = outcome.BatchStatus
		time.Sleep(time.Millisecond)
		r.StepEnded(s)
		return outcome
	}
}

// startSlowStep starts a step and waits until its start is being published.
func startSlowStep(r *agent.Reporter) {
	_ = r.StepStarted(subjects.StepExecution{ID: 1, Step: "step", BatchStatus: subjects.Started, StartTime: subjects.Now()})
	time.Sleep(time.Second)
}

func setExclusive(e *subjects.Execution) { e.Exclusive = true }

func setRequeue(e *subjects.Execution) { e.OnAgentLost = subjects.LostRequeue }

func TestLostContact(t *testing.T) {
	for _, test := range []struct {
		name    string
		long    time.Duration // duration of the body, from the cut on
		away    time.Duration
		change  func(*subjects.Execution)
		results string
	}{
		{"for a moment", 20 * time.Second, 4 * time.Second, setExclusive, "started completed"},
		{"and a body that was done before it was noticed", 3 * time.Second, 20 * time.Second, setExclusive, "started completed"},
		{"for long, and nobody else may begin", 20 * time.Second, 10 * time.Second, func(*subjects.Execution) {}, "started completed"},
		{"for too long for an exclusive job", 20 * time.Second, 10 * time.Second, setExclusive, "started failed"},
		{"for too long, with a next attempt to come", 20 * time.Second, 10 * time.Second, setRequeue, "started"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				cable := room.Cable()
				heard := room.Heartbeats("a1")
				room.Start(agent.Config{Options: throughCable(cable), Runtime: &testRuntime{run: slowBody(test.long)}})
				q := room.Request(`{}`)
				test.change(&q.Execution)
				id := room.Submit(q)
				room.AwaitResult(id, func(r subjects.Result) bool { return r.BatchStatus == subjects.Started })
				time.Sleep(5 * time.Millisecond) // the agent learns that its claim is stored
				cable.Cut()
				time.Sleep(test.away)
				before := len(heard())
				cable.Mend()
				time.Sleep(3 * time.Second)
				if first := heard()[before]; test.results != "started" && len(first.Executions) != 1 {
					t.Errorf("the first heartbeat after the cut names %v", first.Executions)
				}
				time.Sleep(20 * time.Second)
				// A start that was being sent when the cable was cut may be
				// stored as well.
				if got := strings.Replace(statusesOf(room.Results(id)), "started started", "started", 1); got != test.results {
					t.Errorf("results are %q, want %q", got, test.results)
				}
				if last := heard()[len(heard())-1]; len(last.Executions) != 0 {
					t.Errorf("the last heartbeat names %v", last.Executions)
				}
				if end := room.Run(`{}`); end.BatchStatus != subjects.Completed {
					t.Errorf("the agent does not work any more: %+v", end)
				}
			})
		})
	}
}

// A result that cannot be stored is kept over a restart and named in
// heartbeats. The next process has it stored or refused.
func TestResultsAreKeptOverARestart(t *testing.T) {
	for _, test := range []struct {
		name    string
		body    func(*agent.Reporter) // after the cut
		meant   func(*agenttest.Room) // while the agent is down
		results string
	}{
		{"stored", func(*agent.Reporter) {}, func(*agenttest.Room) {}, "started completed"},
		{"refused", func(*agent.Reporter) {}, func(r *agenttest.Room) { r.PublishAsBus(1, 1, subjects.Failed) }, "started failed"},
		{"while a step is being reported", startSlowStep, func(*agenttest.Room) {}, "started completed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				cable, dir := room.Cable(), t.TempDir()
				run := room.Start(agent.Config{Options: throughCable(cable), DataDir: dir, Runtime: &testRuntime{run: func(_ context.Context, _ *agent.Work, r *agent.Reporter) agent.Outcome {
					cable.Cut()
					test.body(r)
					return completed
				}}})
				id := room.Submit(room.Request(`{}`))
				time.Sleep(10 * time.Second)
				if files, _ := filepath.Glob(filepath.Join(dir, "results", "*.json")); len(files) != 1 {
					t.Fatalf("%d results are kept, want 1", len(files))
				}
				if err := run.Stop(); err != nil {
					t.Error(err)
				}
				test.meant(room)
				cable.Mend()
				heard := room.Heartbeats("a1")
				room.Start(agent.Config{Options: throughCable(cable), DataDir: dir, Runtime: &testRuntime{run: completeAtOnce}})
				time.Sleep(5 * time.Second)
				if first := heard()[0]; len(first.Executions) != 1 || first.Executions[0].ID != id || first.Running != 0 {
					t.Errorf("the first heartbeat names %v", first.Executions)
				}
				if got := statusesOf(room.Results(id)); got != test.results {
					t.Errorf("results are %q, want %q", got, test.results)
				}
				if files, _ := os.ReadDir(filepath.Join(dir, "results")); len(files) != 0 {
					t.Errorf("%v are still kept", files)
				}
				if last := heard()[len(heard())-1]; len(last.Executions) != 0 {
					t.Errorf("the last heartbeat names %v", last.Executions)
				}
			})
		})
	}
}

func TestAKeptResultIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		run := room.Start(agent.Config{Runtime: &testRuntime{run: func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome {
			if err := room.JS.DeleteStream(context.Background(), subjects.ResultsStream); err != nil {
				t.Error(err)
			}
			return completed
		}}})
		id := room.Submit(room.Request(`{}`))
		time.Sleep(5 * time.Second)
		if r := room.Command(run.Name, subjects.DropCommand, subjects.Command{ID: id, Attempt: 1}); !r.OK {
			t.Errorf("drop was answered by %+v", r)
		}
		if r := room.Command(run.Name, subjects.DropCommand, subjects.Command{ID: id, Attempt: 1}); r.OK {
			t.Error("a result that was dropped is still kept")
		}
	})
}

func TestTwoAgentsCannotShareAFolder(t *testing.T) {
	room := agenttest.New(t)
	dir := t.TempDir()
	room.Start(agent.Config{DataDir: dir, Runtime: &testRuntime{run: completeAtOnce}})
	agenttest.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "results")); return err == nil }, "no data in %s", dir)
	other := room.Start(agent.Config{Name: "a2", DataDir: dir, Runtime: &testRuntime{run: completeAtOnce}})
	if err := other.Wait(); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second ended with %v, want an error that names the folder", err)
	}
}

func TestWithoutABroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		cable := room.Cable()
		cable.Cut()
		run := room.Start(agent.Config{Options: throughCable(cable), Runtime: &testRuntime{run: completeAtOnce}})
		time.Sleep(time.Minute)
		cable.Mend()
		if end := room.Run(`{}`); end.BatchStatus != subjects.Completed {
			t.Errorf("ended as %+v", end)
		}
		if err := run.Stop(); err != nil {
			t.Error(err)
		}
		cable.Cut()
		never := room.Start(agent.Config{Options: throughCable(cable), Runtime: &testRuntime{run: completeAtOnce}})
		time.Sleep(time.Second)
		if err := never.Stop(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}
