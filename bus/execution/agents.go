package execution

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 9562 section 5.5 has UUIDs of version 5 made with it; nothing is secured by it
	"errors"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AgentInfo is an agent as this bus sees it.
type AgentInfo struct {
	bus.Agent
	Alive bool
}

// AgentLost is the state of an agent that said nothing for too long.
const AgentLost = "lost"

// State is what an agent said last, unless that is not so any more.
func (a *AgentInfo) State() string {
	switch {
	case a.Status == subjects.AgentGone:
		return subjects.AgentGone
	case !a.Alive:
		return AgentLost
	case a.Blocked && a.Status == subjects.AgentReady: // it has not heard of it yet
		return subjects.AgentBlocked
	}
	return a.Status
}

// Agents that are alive, or were within the last day, by name.
func (s *Service) Agents() []AgentInfo {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	all := make([]AgentInfo, 0, len(s.roster.agents))
	for _, m := range s.roster.agents {
		all = append(all, m.info())
	}
	slices.SortFunc(all, func(a, b AgentInfo) int { return cmp.Compare(a.Heartbeat.Agent, b.Heartbeat.Agent) })
	return all
}

func (m *member) info() AgentInfo {
	i := AgentInfo{Agent: m.Agent, Alive: m.alive}
	i.LastSeen = subjects.TimeOf(m.seen)
	return i
}

// Agent by name or instance id.
func (s *Service) Agent(nameOrID string) (AgentInfo, bool) {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	for name, m := range s.roster.agents {
		if name == nameOrID || m.InstanceID == nameOrID {
			return m.info(), true
		}
	}
	return AgentInfo{}, false
}

// Block keeps an agent from taking work, or lets it again. The agent is told now, and at each heartbeat that shows that
// it was not. The error is a StateError no_such_agent.
func (s *Service) Block(ctx context.Context, agent string, blocked bool) error {
	for {
		e, err := s.b.Agents.Get(ctx, agent)
		if errors.Is(err, bus.ErrNotFound) {
			if info, ok := s.Agent(agent); ok { // its first heartbeat was heard, and is not written yet
				s.roster.keep(ctx, info.Agent, 0)
				if _, err := s.b.Agents.Get(ctx, agent); err == nil {
					continue
				}
			}
			return bus.State(bus.CodeNoSuchAgent, "there is no agent %s", agent)
		}
		if err != nil {
			return err
		}
		a := e.Value
		a.Blocked = blocked
		rev, err := s.b.Agents.Update(ctx, e.Key, a, e.Revision)
		if errors.Is(err, bus.ErrChanged) {
			continue
		}
		if err != nil {
			return err
		}
		s.roster.mu.Lock()
		m := s.roster.agents[agent]
		if m == nil {
			m = &member{Agent: a}
			s.roster.agents[agent] = m
		}
		m.Blocked, m.rev = blocked, rev
		alive := m.alive
		s.roster.mu.Unlock()
		verb, what := subjects.ResumeCommand, "unblocked"
		if blocked {
			verb, what = subjects.DrainCommand, "blocked"
		}
		s.b.Event("agent", what, []string{agent}, nil)
		if !alive {
			return nil
		}
		if err := s.command(ctx, agent, verb, subjects.Command{}); err != nil {
			return err
		}
		s.roster.heard(agent, blocked)
		return nil
	}
}

// heard shows at once what the agent's next heartbeat will say.
func (r *roster) heard(agent string, blocked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch m := r.agents[agent]; {
	case m == nil:
	case blocked && m.Status == subjects.AgentReady:
		m.Status = subjects.AgentBlocked
	case !blocked && m.Status == subjects.AgentBlocked:
		m.Status = subjects.AgentReady
	}
}

// agentNamespace is ours: UUIDs of agents are made from it and their names.
var agentNamespace = [16]byte{0x9d, 0x2c, 0x41, 0x7e, 0x53, 0x0a, 0x4f, 0x1b, 0x8e, 0x66, 0x2b, 0x90, 0xc7, 0x14, 0xd8, 0x35}

// InstanceID is the UUID of an agent's name (RFC 9562 section 5.5), so it survives restarts.
func InstanceID(name string) string {
	h := sha1.New() //nolint:gosec // as above
	h.Write(agentNamespace[:])
	h.Write([]byte(name))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
