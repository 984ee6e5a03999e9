package execution

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // for UUIDs of version 5 (RFC 9562 section 5.5), not for security
	"errors"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AgentInfo is an agent as this bus knows it.
type AgentInfo struct {
	bus.Agent
	Alive bool
}

// AgentLost is the state of an agent whose heartbeats have stopped.
const AgentLost = "lost"

// State returns the status that the agent reported last, unless the bus knows
// better.
func (a *AgentInfo) State() string {
	switch {
	case a.Status == subjects.AgentGone:
		return subjects.AgentGone
	case !a.Alive:
		return AgentLost
	case a.Blocked && a.Status == subjects.AgentReady: // the command has not arrived yet
		return subjects.AgentBlocked
	}
	return a.Status
}

// Agents returns the agents that are alive, or were within the last day, by
// name.
func (s *Service) Agents() []AgentInfo {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	all := make([]AgentInfo, 0, len(s.roster.agents))
	for _, m := range s.roster.agents {
		all = append(all, m.agentInfo())
	}
	slices.SortFunc(all, func(a, b AgentInfo) int { return cmp.Compare(a.Heartbeat.Agent, b.Heartbeat.Agent) })
	return all
}

func (m *member) agentInfo() AgentInfo {
	i := AgentInfo{Agent: m.Agent, Alive: m.alive}
	i.LastSeen = subjects.TimeOf(m.seen)
	return i
}

// Agent finds an agent by name or instance id.
func (s *Service) Agent(nameOrID string) (AgentInfo, bool) {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	for name, m := range s.roster.agents {
		if name == nameOrID || m.InstanceID == nameOrID {
			return m.agentInfo(), true
		}
	}
	return AgentInfo{}, false
}

// Block stops an agent from taking new work, or lets it take work again. The
// bus sends the command now, and again while heartbeats show that the agent has
// not carried it out. The error is a StateError no_such_agent.
func (s *Service) Block(ctx context.Context, agent string, blocked bool) error {
	for {
		e, err := s.b.Agents.Get(ctx, agent)
		if errors.Is(err, bus.ErrNotFound) {
			if info, ok := s.Agent(agent); ok { // it sent its first heartbeat and is not registered yet
				s.roster.registerAgent(ctx, info.Agent, 0)
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
		if err := s.sendCommand(ctx, agent, verb, subjects.Command{}); err != nil {
			return err
		}
		s.roster.applyBlocked(agent, blocked)
		return nil
	}
}

// applyBlocked shows the status that the agent's next heartbeat will report.
func (r *roster) applyBlocked(agent string, blocked bool) {
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

// agentNamespace is the namespace of agents' UUIDs.
var agentNamespace = [16]byte{0x9d, 0x2c, 0x41, 0x7e, 0x53, 0x0a, 0x4f, 0x1b, 0x8e, 0x66, 0x2b, 0x90, 0xc7, 0x14, 0xd8, 0x35}

// InstanceID returns the UUID of an agent's name (RFC 9562 section 5.5). It
// survives restarts of the agent.
func InstanceID(name string) string {
	h := sha1.New() //nolint:gosec // as above
	h.Write(agentNamespace[:])
	h.Write([]byte(name))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
