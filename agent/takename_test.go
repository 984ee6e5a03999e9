package agent_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func throughCable(c *agenttest.Cable) []nats.Option { return []nats.Option{c.Option()} }

func TestTheSecondOfANameGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		time.Sleep(time.Second)
		second := room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		if err := second.Wait(); !errors.Is(err, agent.ErrName) || !strings.Contains(err.Error(), "--name") {
			t.Errorf("the second ended with %v, want ErrName", err)
		}
		if end := room.Run(`{}`); end.BatchStatus != subjects.Completed {
			t.Errorf("the first does not work any more: %+v", end)
		}
	})
}

func TestOfTwoThatStartAtOnceOneStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		one := room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		two := room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		time.Sleep(5 * time.Second)
		if end := room.Run(`{}`); end.BatchStatus != subjects.Completed {
			t.Errorf("none works: %+v", end)
		}
		errs := 0
		for _, r := range []*agenttest.Running{one, two} {
			if err := r.Stop(); errors.Is(err, agent.ErrName) {
				errs++
			}
		}
		if errs != 1 {
			t.Errorf("%d of 2 gave up, want 1", errs)
		}
	})
}

func TestASecondLifeUnderTheName(t *testing.T) {
	for _, test := range []struct {
		name    string
		started time.Duration // after the agent
		status  string
		leaves  bool
	}{
		{"a younger one takes over", time.Hour, subjects.AgentReady, true},
		{"an older one is to leave itself", -time.Hour, subjects.AgentReady, false},
		{"one that is gone is no trouble", time.Hour, subjects.AgentGone, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				run := room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
				time.Sleep(time.Second)
				heard := room.Heartbeats(run.Name)
				data, _ := json.Marshal(subjects.Heartbeat{
					Agent: run.Name, Life: "other", Status: test.status, StartTime: subjects.TimeOf(time.Now().Add(test.started)),
				})
				if err := room.Conn.Publish(subjects.HeartbeatSubject(run.Name), data); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				err := run.Stop()
				if test.leaves != errors.Is(err, agent.ErrName) {
					t.Errorf("it ended with %v", err)
				}
				time.Sleep(time.Second)
				last := heard()[len(heard())-1]
				if gone := last.Life != "other" && last.Status == subjects.AgentGone; gone == test.leaves {
					t.Errorf("its last word was %q; a name that somebody else has is not gone", last.Status)
				}
			})
		})
	}
}

func TestDrainAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		heard := room.Heartbeats("a1")
		b := &testRuntime{run: completeAtOnce}
		run := room.Start(agent.Config{Runtime: b})
		time.Sleep(time.Second)
		life := heard()[0].Life
		if r := room.Command(run.Name, subjects.PingCommand, subjects.Command{}); !r.OK || r.Life != life {
			t.Errorf("ping was answered by %+v, want the life %s", r, life)
		}
		if r := room.Command(run.Name, "dance", subjects.Command{}); r.OK || r.Error == "" {
			t.Errorf("an unknown command was answered by %+v", r)
		}
		room.Command(run.Name, subjects.DrainCommand, subjects.Command{})
		id := room.Submit(room.Request(`{}`))
		time.Sleep(100 * time.Millisecond)
		if got := heard(); got[len(got)-1].Status != subjects.AgentBlocked {
			t.Errorf("the last heartbeat says %q, want blocked at once", got[len(got)-1].Status)
		}
		time.Sleep(time.Minute)
		if got := b.Begun(); len(got) > 0 {
			t.Errorf("%v ran on a blocked agent", got)
		}
		room.Command(run.Name, subjects.ResumeCommand, subjects.Command{})
		if end := room.AwaitEnd(id); end.BatchStatus != subjects.Completed {
			t.Errorf("ended as %+v", end)
		}
	})
}
