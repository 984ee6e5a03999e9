package agents

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Info is an agent as this bus knows it.
type Info struct {
	bus.Agent
	Alive bool
}

// Lost is the state of an agent whose heartbeats have stopped.
const Lost = "lost"

// State returns the status that the agent reported last, unless the bus knows
// better.
func (a *Info) State() string {
	switch {
	case a.Status == subjects.AgentGone:
		return subjects.AgentGone
	case !a.Alive:
		return Lost
	case a.Blocked && a.Status == subjects.AgentReady: // the command has not arrived yet
		return subjects.AgentBlocked
	}
	return a.Status
}

// Describe returns the state of the agent in words: if it is blocked, since when
// and by whom.
func (a *Info) Describe() string {
	is := a.State()
	if is != subjects.AgentBlocked || a.Block == nil {
		return is
	}
	is += " since " + a.Block.Since.Std().UTC().Format("2006-01-02 15:04:05 MST")
	if a.Block.By != "" {
		is += " by " + a.Block.By
	}
	return is
}

// List returns the agents that are alive, or were within the last day, by
// name.
func (r *Registry) List() []Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Info, 0, len(r.agents))
	for _, m := range r.agents {
		all = append(all, m.info())
	}
	slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.Heartbeat.Agent, b.Heartbeat.Agent) })
	return all
}

func (m *member) info() Info {
	i := Info{Agent: m.Agent, Alive: m.alive}
	i.LastSeen = subjects.TimeOf(m.seen)
	return i
}

// Find finds an agent by name or instance id.
func (r *Registry) Find(nameOrID string) (Info, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, m := range r.agents {
		if name == nameOrID || m.InstanceID == nameOrID {
			return m.info(), true
		}
	}
	return Info{}, false
}

// Block stops an agent from taking new work, or lets it take work again. The
// bus sends the command now, and again while heartbeats show that the agent has
// not carried it out. An agent that is blocked already stays so since the same
// moment. by is the id of the user, or empty. The error is a StateError
// no_such_agent.
func (r *Registry) Block(ctx context.Context, agent string, blocked bool, by string) error {
	e, err := r.b.Agents.Change(ctx, agent, func(a *bus.Agent) (*bus.Agent, error) {
		// It sent its first heartbeat and is not registered yet.
		if info, ok := r.Find(agent); a == nil && ok {
			a = &info.Agent
		}
		if a == nil {
			return nil, bus.State(bus.CodeNoSuchAgent, "there is no agent %s", agent)
		}
		switch {
		case !blocked:
			a.Block = nil
		case !a.Blocked:
			a.Block = &bus.AgentBlock{Since: subjects.Now(), By: by}
		}
		a.Blocked = blocked
		return a, nil
	})
	if err != nil {
		return err
	}
	alive := r.setBlocked(e)
	verb, what := subjects.ResumeCommand, "unblocked"
	if blocked {
		verb, what = subjects.DrainCommand, "blocked"
	}
	r.b.Event("agent", what, []string{agent}, nil)
	if alive {
		r.Send(ctx, agent, verb, subjects.Command{})
		r.applyBlocked(agent, blocked)
	}
	return nil
}

// setBlocked records a stored registration, and reports whether the agent is
// alive.
func (r *Registry) setBlocked(e bus.Entry[bus.Agent]) (alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.agents[e.Key]
	if m == nil {
		m = &member{Agent: e.Value}
		r.agents[e.Key] = m
	}
	m.Blocked, m.Block, m.rev = e.Value.Blocked, e.Value.Block, e.Revision
	return m.alive
}

// Send sends a command to an agent. A missing answer is no error: each
// heartbeat of the agent makes the bus send the command again.
func (r *Registry) Send(ctx context.Context, agent, verb string, c subjects.Command) {
	data, err := json.Marshal(c)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err = r.request(ctx, agent, verb, data)
	}
	if err != nil {
		r.b.Log.Debug("command not answered", "agent", agent, "verb", verb, "execution", c.ID, "err", err)
	}
}

// request publishes a command and blocks until the agent answers. An agent in
// an account of its own can answer only on its own subjects.
func (r *Registry) request(ctx context.Context, agent, verb string, data []byte) error {
	reply := subjects.AnswerSubject(agent, nuid.Next())
	answers, err := r.b.NC.SubscribeSync(reply)
	if err != nil {
		return fmt.Errorf("subscribe to the answer: %w", err)
	}
	defer answers.Unsubscribe() //nolint:errcheck // it fails only without a connection
	if err := r.b.NC.PublishRequest(subjects.CommandSubject(agent, verb), reply, data); err != nil {
		return err
	}
	m, err := answers.NextMsgWithContext(ctx)
	if err == nil && len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return nats.ErrNoResponders
	}
	return err
}

// applyBlocked shows the status that the agent's next heartbeat will report.
func (r *Registry) applyBlocked(agent string, blocked bool) {
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

// namespace is that of agents' UUIDs.
var namespace = uuid.MustParse("9d2c417e-530a-4f1b-8e66-2b90c714d835")

// InstanceID returns the UUID of an agent's name (RFC 9562 section 5.5). It
// survives restarts of the agent.
func InstanceID(name string) string { return uuid.NewSHA1(namespace, []byte(name)).String() }
