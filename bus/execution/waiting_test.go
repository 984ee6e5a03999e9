package execution

import (
	"fmt"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestPoolHolds(t *testing.T) {
	agent := func(name, status string, running, slots int) agents.Info {
		a := agents.Info{Agent: bus.Agent{Heartbeat: subjects.Heartbeat{
			Agent: name, Status: status, Running: running, Slots: slots, Apps: []string{"shop"}, Pools: []string{"linux"},
		}}, Alive: status != "lost"}
		if status == "lost" {
			a.Status = subjects.AgentReady
		}
		return a
	}
	blocked := agent("a2", "blocked", 0, 4)
	blocked.Block = &bus.AgentBlock{Since: 1_793_566_800_000, By: "admin"} // 2026-11-01T21:00:00Z
	busy, other := agent("a1", "ready", 4, 4), agent("a2", "ready", 1, 1)
	for want, agents := range map[string][]agents.Info{
		"no agent serves pool linux of application shop":                                                         {},
		"no agent serves pool linux of application shop: a1 is lost, a2 is gone":                                 {agent("a1", "lost", 0, 4), agent("a2", "gone", 0, 4)},
		"agent a1, the only one of pool linux, is blocked":                                                       {agent("a1", "blocked", 0, 4), agent("a2", "lost", 0, 4)},
		"no agent of pool linux takes work: a1 is blocked, a2 is leaving":                                        {agent("a1", "blocked", 0, 4), agent("a2", "leaving", 0, 4)},
		"no agent of pool linux takes work: a2 is blocked since 2026-11-01 21:00:00 UTC by admin, a3 is leaving": {blocked, agent("a3", "leaving", 0, 4)},
		"all 5 slots of 2 agents of pool linux are busy":                                                         {busy, other},
		"all 4 slots of agent a1, the only one of pool linux, are busy":                                          {busy},
		"the one slot of agent a2, the only one of pool linux, is busy":                                          {other},
		"all 4 slots of agent a1 of pool linux are busy; a3 is blocked":                                          {busy, agent("a3", "blocked", 0, 4)},
		"an agent is about to take it: 2 of 5 slots of pool linux are free":                                      {other, agent("a1", "ready", 2, 4)},
	} {
		if got := poolHint("shop", "linux", agents); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	if got := withLostAttempt(subjects.Unknown, "a1", "x"); got != "next attempt after agent a1 was lost; x" {
		t.Error(got)
	}
}

// An execution that waits behind another one of an exclusive job says which: a
// bus that died between record and lock leaves such a one to the recoverer.
func TestWaitsForExclusive(t *testing.T) {
	w := newWorld(t)
	w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
	runs := w.submit("X")
	late := *runs
	late.ID++
	if got, want := w.bus.WaitingFor(t.Context(), &late).For, fmt.Sprintf("exclusive: execution %d of job X is running", runs.ID); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := w.bus.WaitingFor(t.Context(), runs); got.For != "no agent serves pool default of application default" || got.Position != 1 {
		t.Errorf("the holder of the lock waits for %+v", got)
	}
}
