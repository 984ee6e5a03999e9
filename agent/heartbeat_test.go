package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.CreatePool("gpu")
		heard := room.Heartbeats("a1")
		run := room.Start(agent.Config{Slots: 3, Pools: []string{"gpu", "default"}, Version: "1.2", Runtime: &testRuntime{run: untilStopped},
			DrainGrace: 3 * time.Second})
		time.Sleep(time.Second)
		id := room.Submit(room.Request(`{}`))
		time.Sleep(6 * time.Second)
		if n := len(heard()); n < 3 || n > 5 {
			t.Errorf("%d heartbeats in 6 s, want one every 2 s", n)
		}
		run.Leave()
		if err := run.Wait(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		all := heard()
		h := all[2]
		if h.Agent != "a1" || h.Status != subjects.AgentReady || h.Version != "1.2" || h.Slots != 3 || h.IntervalMS != 2000 || h.Host == "" ||
			len(h.Pools) != 2 || h.Cores == 0 || h.Arch == "" || h.OS == "" || h.Life == "" || h.StartTime == 0 {
			t.Errorf("heartbeat %+v", h)
		}
		if want := (subjects.Attempt{ID: id, Attempt: 1, App: "app", Job: "job"}); h.Running != 1 || len(h.Executions) != 1 || h.Executions[0] != want {
			t.Errorf("the heartbeat names %+v, want %+v", h.Executions, want)
		}
		if h.Stats.Memory.Physical.Total == 0 || h.Stats.Memory.Physical.Free == 0 || h.Stats.CPU.Process.Time == 0 {
			t.Errorf("figures are missing: %+v", h.Stats)
		}
		var statuses []string
		for _, h := range all {
			if n := len(statuses); n == 0 || statuses[n-1] != h.Status {
				statuses = append(statuses, h.Status)
			}
		}
		if len(statuses) != 3 || statuses[1] != subjects.AgentLeaving || statuses[2] != subjects.AgentGone {
			t.Errorf("the statuses were %v, want ready, leaving, gone", statuses)
		}
		if last := all[len(all)-1]; len(last.Executions) != 0 {
			t.Errorf("the last heartbeat names %v", last.Executions)
		}
	})
}

// A leaving agent lets bodies go on for DrainGrace. Then it stops them, or
// leaves them to the next attempt.
func TestLeaving(t *testing.T) {
	for _, test := range []struct {
		name    string
		long    time.Duration // duration of the body
		change  func(*subjects.Request)
		results string
	}{
		{"a body that is done in time", 5 * time.Second, func(*subjects.Request) {}, "started started completed"},
		{"a body that is not", time.Hour, func(*subjects.Request) {}, "started started stopped"},
		{"a body that somebody else may run again", time.Hour, func(q *subjects.Request) {
			q.Execution.OnAgentLost = subjects.LostRequeue
		}, "started started started"},
		{"the last attempt of such a body", time.Hour, func(q *subjects.Request) {
			q.Execution.OnAgentLost, q.Execution.MaxAttempts = subjects.LostRequeue, 1
		}, "started started stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				run := room.Start(agent.Config{DrainGrace: 10 * time.Second, Runtime: &testRuntime{run: slowBody(test.long)}})
				q := room.Request(`{}`)
				test.change(q)
				id := room.Submit(q)
				time.Sleep(2 * time.Second) // the claim and the start of the step are stored
				run.Leave()
				time.Sleep(time.Second)
				later := room.Submit(room.Request(`{}`))
				if err := run.Wait(); err != nil {
					t.Error(err)
				}
				got := room.Results(id)
				if statusesOf(got) != test.results {
					t.Errorf("results are %q, want %q", statusesOf(got), test.results)
				}
				if test.long == time.Hour {
					if last := got[len(got)-1].Steps; len(last) != 1 || last[0].BatchStatus != subjects.Stopped {
						t.Errorf("the step's end is not stored: %+v", last)
					}
				}
				if got := room.Results(later); len(got) != 0 {
					t.Errorf("an agent that was leaving took %+v", got)
				}
			})
		})
	}
}

// An agent leaves even if a body does not end, and returns ErrStuck.
func TestABodyThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		release := make(chan struct{})
		run := room.Start(agent.Config{Runtime: &testRuntime{run: func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome {
			<-release
			return completed
		}}})
		id := room.Submit(room.Request(`{}`))
		time.Sleep(time.Second)
		if err := run.Stop(); !errors.Is(err, agent.ErrStuck) {
			t.Errorf("Run returned %v, want ErrStuck", err)
		}
		close(release)
		time.Sleep(time.Minute)
		if got := statusesOf(room.Results(id)); got != "started stopping" {
			t.Errorf("results are %q, want no end", got)
		}
	})
}
