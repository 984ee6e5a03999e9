package execution

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Waiting tells why an execution waits, and its position in the queue.
type Waiting struct {
	For      string // one sentence; empty if it does not wait
	Position int    // in the queue of its pool, from 1; agents take older ones of a lower priority in between
}

// WaitingFor returns why an execution waits. It is a hint: it leaves out what
// it cannot find out.
func (s *Service) WaitingFor(ctx context.Context, e *bus.Execution) Waiting {
	if !e.BatchStatus.Waiting() {
		return Waiting{}
	}
	if needs := s.x.AwaitedLimits(e.ID); needs != "" {
		return Waiting{For: s.limitHint(e.ID, needs)}
	}
	why := poolHint(e.App, e.Pool, s.agents.List())
	if e.Exclusive {
		l, err := s.b.Locks.Get(ctx, bus.JobKey(e.App, e.Job))
		if err == nil && l.Value != e.ID {
			why = fmt.Sprintf("exclusive: execution %d of job %s is running", l.Value, s.x.JobName(e.App, e.Job))
		}
	}
	return Waiting{withLostAttempt(e.BatchStatus, e.Agent, why), s.x.Positions([]int64{e.ID})[e.ID].Number}
}

// WaitingOf returns why the executions of a list wait. It sends no request to
// the broker.
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
	positions, agents := s.x.Positions(ids), s.agents.List()
	why := map[[2]string]string{} // by application and pool
	waiting := map[int64]Waiting{}
	for i := range all {
		e := &all[i]
		if needs := s.x.AwaitedLimits(e.ID); needs != "" {
			waiting[e.ID] = Waiting{For: s.limitHint(e.ID, needs)}
			continue
		}
		p, ok := positions[e.ID]
		if !ok {
			continue
		}
		k := [2]string{e.App, p.Pool}
		if _, known := why[k]; !known {
			why[k] = poolHint(e.App, p.Pool, agents)
		}
		waiting[e.ID] = Waiting{withLostAttempt(e.BatchStatus, e.Agent, why[k]), p.Number}
	}
	return waiting
}

// withLostAttempt prefixes why with the loss of the last attempt, if there was
// one.
func withLostAttempt(status subjects.BatchStatus, agent, why string) string {
	if status != subjects.Unknown {
		return why
	}
	who := "its agent"
	if agent != "" {
		who = "agent " + agent
	}
	return fmt.Sprintf("next attempt after %s was lost; %s", who, why)
}

// limitHint describes for which limits an execution waits, and how many it is
// behind.
func (s *Service) limitHint(id int64, needs bus.Needs) string {
	l, _ := s.x.Ledger()
	used := l.Used()
	var all []string
	for _, n := range needs.All() {
		limit, ok := l.Limits[n.Limit]
		place := s.x.LimitPlace(n.Limit, id)
		free := used[n.Limit]+n.Units <= limit.Capacity
		switch {
		case !ok:
			all = append(all, fmt.Sprintf("limit %s does not exist", n.Limit))
		case n.Units > limit.Capacity:
			all = append(all, fmt.Sprintf("limit %s has a capacity of %d, and the execution needs %d", n.Limit, limit.Capacity, n.Units))
		case free && place == 1:
		default:
			all = append(all, fmt.Sprintf("limit %s: %d of %d held, place %d", n.Limit, used[n.Limit], limit.Capacity, place))
		}
	}
	if len(all) == 0 {
		return "it is about to get its limits"
	}
	return strings.Join(all, "; ")
}

// poolHint describes why the next execution of a pool waits.
func poolHint(app, pool string, all []agents.Info) string {
	var ready, idle, away []agents.Info
	slots, running := 0, 0
	for _, a := range all {
		if !slices.Contains(a.Apps, app) || !slices.Contains(a.Pools, pool) {
			continue
		}
		switch a.State() {
		case subjects.AgentReady:
			ready = append(ready, a)
			slots, running = slots+a.Slots, running+min(a.Running, a.Slots)
		case subjects.AgentGone, agents.Lost:
			away = append(away, a)
		default:
			idle = append(idle, a)
		}
	}
	switch {
	case len(ready) == 0 && len(idle) == 0 && len(away) == 0:
		return fmt.Sprintf("no agent serves pool %s of application %s", pool, app)
	case len(ready) == 0 && len(idle) == 0:
		return fmt.Sprintf("no agent serves pool %s of application %s: %s", pool, app, describeStates(away))
	case len(ready) == 0 && len(idle) == 1:
		return fmt.Sprintf("agent %s, the only one of pool %s, is %s", idle[0].Heartbeat.Agent, pool, idle[0].Describe())
	case len(ready) == 0:
		return fmt.Sprintf("no agent of pool %s takes work: %s", pool, describeStates(idle))
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
		why += "; " + describeStates(idle)
	}
	return why
}

// describeStates lists agents with their states, but not more than a few.
func describeStates(all []agents.Info) string {
	const most = 5
	var words []string
	for _, a := range all[:min(len(all), most)] {
		words = append(words, a.Heartbeat.Agent+" is "+a.Describe())
	}
	if n := len(all) - most; n > 0 {
		words = append(words, fmt.Sprintf("%d more", n))
	}
	return strings.Join(words, ", ")
}
