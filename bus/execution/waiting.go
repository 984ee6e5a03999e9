package execution

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Waiting says why an execution waits, and for how long a queue.
type Waiting struct {
	For      string // one sentence; empty if it does not wait
	Position int    // in the queue of its pool, from 1; agents take older ones of a lower priority in between
}

// WaitingFor says why an execution waits. What cannot be found out is left out:
// it is a hint.
func (s *Service) WaitingFor(ctx context.Context, e *bus.Execution) Waiting {
	if !e.BatchStatus.Waiting() {
		return Waiting{}
	}
	why := poolHolds(e.App, e.Pool, s.Agents())
	if e.Exclusive {
		l, err := s.b.Locks.Get(ctx, bus.JobKey(e.App, e.Job))
		if err == nil && l.Value != e.ID {
			why = fmt.Sprintf("exclusive: execution %d of job %s runs", l.Value, s.x.JobName(e.App, e.Job))
		}
	}
	return Waiting{waitsFor(e.BatchStatus, e.Agent, why), s.x.Positions([]int64{e.ID})[e.ID].Number}
}

// WaitingOf says why executions of a list wait. It asks the broker for nothing.
func (s *Service) WaitingOf(all []index.Summary) map[int64]Waiting {
	var ids []int64
	for i := range all {
		if all[i].BatchStatus.Waiting() {
			ids = append(ids, all[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	positions, agents := s.x.Positions(ids), s.Agents()
	why := map[[2]string]string{} // by application and pool
	waiting := map[int64]Waiting{}
	for i := range all {
		e := &all[i]
		p, ok := positions[e.ID]
		if !ok {
			continue
		}
		k := [2]string{e.App, p.Pool}
		if _, known := why[k]; !known {
			why[k] = poolHolds(e.App, p.Pool, agents)
		}
		waiting[e.ID] = Waiting{waitsFor(e.BatchStatus, e.Agent, why[k]), p.Number}
	}
	return waiting
}

// waitsFor adds that an attempt was lost to what holds up the next one.
func waitsFor(status subjects.BatchStatus, agent, why string) string {
	if status != subjects.Unknown {
		return why
	}
	who := "its agent"
	if agent != "" {
		who = "agent " + agent
	}
	return fmt.Sprintf("next attempt after %s was lost; %s", who, why)
}

// poolHolds says what holds up the next execution of a pool.
func poolHolds(app, pool string, all []AgentInfo) string {
	var ready, idle, away []AgentInfo
	slots, running := 0, 0
	for _, a := range all {
		if !slices.Contains(a.Apps, app) || !slices.Contains(a.Pools, pool) {
			continue
		}
		switch a.State() {
		case subjects.AgentReady:
			ready = append(ready, a)
			slots, running = slots+a.Slots, running+min(a.Running, a.Slots)
		case subjects.AgentGone, AgentLost:
			away = append(away, a)
		default:
			idle = append(idle, a)
		}
	}
	switch {
	case len(ready) == 0 && len(idle) == 0 && len(away) == 0:
		return fmt.Sprintf("no agent serves pool %s of application %s", pool, app)
	case len(ready) == 0 && len(idle) == 0:
		return fmt.Sprintf("no agent serves pool %s of application %s: %s", pool, app, statesOf(away))
	case len(ready) == 0 && len(idle) == 1:
		return fmt.Sprintf("agent %s, the only one of pool %s, is %s", idle[0].Heartbeat.Agent, pool, idle[0].State())
	case len(ready) == 0:
		return fmt.Sprintf("no agent of pool %s takes work: %s", pool, statesOf(idle))
	case running < slots:
		return fmt.Sprintf("an agent is about to take it: %d of %d slots of pool %s are free", slots-running, slots, pool)
	}
	who := fmt.Sprintf("%d agents of pool %s", len(ready), pool)
	switch {
	case len(ready) == 1 && len(idle) == 0:
		who = fmt.Sprintf("agent %s, the only one of pool %s,", ready[0].Heartbeat.Agent, pool)
	case len(ready) == 1:
		who = fmt.Sprintf("agent %s of pool %s", ready[0].Heartbeat.Agent, pool)
	}
	why := fmt.Sprintf("all %d slots of %s are busy", slots, who)
	if slots == 1 {
		why = fmt.Sprintf("the one slot of %s is busy", who)
	}
	if len(idle) > 0 {
		why += "; " + statesOf(idle)
	}
	return why
}

// statesOf names agents with their states, if there are not too many.
func statesOf(all []AgentInfo) string {
	const most = 5
	var words []string
	for _, a := range all[:min(len(all), most)] {
		words = append(words, a.Heartbeat.Agent+" is "+a.State())
	}
	if n := len(all) - most; n > 0 {
		words = append(words, fmt.Sprintf("%d more", n))
	}
	return strings.Join(words, ", ")
}
