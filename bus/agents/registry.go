package agents

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Config configures a [Registry].
type Config struct {
	Heartbeat time.Duration // assumed interval of agents that tell none; default 2 s
}

// Registry follows the heartbeats of agents: which agents are alive, and which
// executions they name.
type Registry struct {
	b     *bus.Bus
	x     *index.Index
	cfg   Config
	beats chan subjects.Heartbeat

	mu     sync.Mutex
	agents map[string]*member
	named  map[namingKey]naming
	since  time.Time // this bus has been connected without a break since then

	pools map[string]map[string]bool // by application: pools that heartbeats have named; used by Run only
}

type member struct {
	bus.Agent
	rev   uint64 // revision in the bucket; 0: not registered yet
	seen  time.Time
	alive bool

	commanding atomic.Bool // commands to the agent are being repeated
}

// namingKey is an execution that an agent names.
type namingKey struct {
	agent string
	id    int64
}

// naming is the time of the newest heartbeat that named an execution.
type naming struct {
	attempt int
	at      time.Time
}

// maxPools is the number of pools of an application for which heartbeats create
// queues at most. The pools that jobs name do not count.
const maxPools = 64

// forgetAfter is the time for which a silent agent stays in the list.
const forgetAfter = 24 * time.Hour

// New returns a Registry. It knows no agents until [Registry.Run] is running.
func New(b *bus.Bus, x *index.Index, cfg Config) *Registry {
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, 2*time.Second)
	return &Registry{
		b: b, x: x, cfg: cfg, beats: make(chan subjects.Heartbeat, 1024),
		agents: map[string]*member{}, named: map[namingKey]naming{}, pools: map[string]map[string]bool{},
	}
}

// Run handles heartbeats until ctx ends. The index must run as long.
func (r *Registry) Run(ctx context.Context) error {
	kept, err := r.b.Agents.List(ctx, ">")
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.since = time.Now()
	for _, e := range kept {
		r.agents[e.Value.Heartbeat.Agent] = &member{Agent: e.Value, rev: e.Revision, seen: e.Value.LastSeen.Std()}
	}
	r.mu.Unlock()
	sub, err := r.b.NC.Subscribe(subjects.AllHeartbeats, r.receiveHeartbeat)
	if err != nil {
		return fmt.Errorf("subscribe to heartbeats: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // it fails only if the connection is gone
	var commands sync.WaitGroup
	defer commands.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case h := <-r.beats:
			m := r.updateAgent(ctx, h)
			// An agent that answers no command must not delay the others.
			if m.commanding.CompareAndSwap(false, true) {
				blocked := r.isBlocked(m)
				commands.Go(func() {
					defer m.commanding.Store(false)
					r.repeatCommands(ctx, h, blocked)
				})
			}
		case <-tick.C:
			r.sweepAgents()
		case <-ctx.Done():
			return nil
		}
	}
}

// CanAnswer reports whether the bus may answer a message of an agent. The bus
// answers with its own rights, so only to an inbox of that agent, or to the
// reply that the broker makes for a request from another account. Any other
// subject would be a command that the agent may not give itself.
func CanAnswer(reply, agent string) bool {
	return strings.HasPrefix(reply, subjects.InboxPrefix(agent)+".") || strings.HasPrefix(reply, "_R_.")
}

// receiveHeartbeat records which executions a heartbeat names, and passes it on
// to Run. It believes an agent about executions that wait or that this agent
// has claimed, not about those of other agents.
func (r *Registry) receiveHeartbeat(m *nats.Msg) {
	var h subjects.Heartbeat
	if err := json.Unmarshal(m.Data, &h); err != nil || subjects.HeartbeatSubject(h.Agent) != m.Subject || !subjects.ValidName(h.Agent) || h.Agent == subjects.Bus {
		r.b.Log.Warn("unreadable heartbeat skipped", "subject", m.Subject, "err", err)
		return
	}
	if CanAnswer(m.Reply, h.Agent) {
		_ = m.Respond([]byte("{}")) // without an answer the agent sends it again
	}
	now := time.Now()
	r.mu.Lock()
	for _, a := range h.Executions {
		if sum, ok := r.x.Find(a.ID); ok && (sum.BatchStatus.Waiting() || sum.Agent == h.Agent) {
			r.named[namingKey{h.Agent, a.ID}] = naming{a.Attempt, now}
		}
	}
	r.mu.Unlock()
	select {
	case r.beats <- h:
	default: // the next heartbeat follows soon
	}
}

// isBlocked reports whether an agent is to take no new work.
func (r *Registry) isBlocked(m *member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.Blocked
}

// updateAgent stores what is new about an agent.
func (r *Registry) updateAgent(ctx context.Context, h subjects.Heartbeat) *member {
	r.mu.Lock()
	m := r.agents[h.Agent]
	if m == nil {
		m = &member{}
		r.agents[h.Agent] = m
	}
	news := m.Life != h.Life || m.Status != h.Status || m.rev == 0 || time.Since(m.LastSeen.Std()) > time.Hour
	joined := h.Status != subjects.AgentGone && (!m.alive || m.Life != h.Life)
	left := h.Status == subjects.AgentGone && m.alive
	m.Heartbeat, m.InstanceID = h, InstanceID(h.Agent)
	m.seen, m.alive = time.Now(), h.Status != subjects.AgentGone
	agent, rev := m.Agent, m.rev
	r.mu.Unlock()

	switch {
	case joined:
		r.b.Log.Info("agent joined", "agent", h.Agent, "apps", h.Apps, "pools", h.Pools, "slots", h.Slots)
		r.b.Event("agent", "joined", []string{h.Agent}, nil)
	case left:
		r.b.Log.Info("agent left", "agent", h.Agent)
		r.b.Event("agent", "left", []string{h.Agent}, nil)
	}
	r.ensurePools(ctx, h)
	if news {
		agent.LastSeen = subjects.Now()
		r.registerAgent(ctx, agent, rev)
	}
	return m
}

// ensurePools creates the queues of an agent's pools, in applications that
// exist.
func (r *Registry) ensurePools(ctx context.Context, h subjects.Heartbeat) {
	for _, app := range h.Apps {
		if _, _, ok := r.x.App(app); !ok {
			continue
		}
		known := r.pools[app]
		if known == nil {
			known = map[string]bool{}
			r.pools[app] = known
		}
		for _, pool := range h.Pools {
			if !known[pool] && (len(known) >= maxPools || !subjects.ValidName(pool)) {
				continue
			}
			known[pool] = true
			if err := r.b.EnsurePool(ctx, app, pool); err != nil && ctx.Err() == nil {
				r.b.Log.Warn("queue for an agent not created, retrying at its next heartbeat", "agent", h.Agent, "app", app, "pool", pool, "err", err)
			}
		}
	}
}

// registerAgent writes an agent's registration. If another bus was faster, it
// has written the same.
func (r *Registry) registerAgent(ctx context.Context, a bus.Agent, rev uint64) {
	e, err := r.b.Agents.Get(ctx, a.Heartbeat.Agent)
	switch {
	case err == nil:
		a.Blocked, a.Block = e.Value.Blocked, e.Value.Block
		rev, err = r.b.Agents.Update(ctx, e.Key, a, e.Revision)
	case errors.Is(err, bus.ErrNotFound):
		rev, err = r.b.Agents.Create(ctx, a.Heartbeat.Agent, a)
	}
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) {
			r.b.Log.Warn("agent not registered", "agent", a.Heartbeat.Agent, "err", err)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.agents[a.Heartbeat.Agent]; m != nil {
		m.rev, m.Blocked, m.Block, m.LastSeen = rev, a.Blocked, a.Block, a.LastSeen
	}
}

// repeatCommands sends the commands again that the agent has not carried out.
func (r *Registry) repeatCommands(ctx context.Context, h subjects.Heartbeat, blocked bool) {
	switch {
	case blocked && h.Status == subjects.AgentReady:
		r.Send(ctx, h.Agent, subjects.DrainCommand, subjects.Command{})
	case !blocked && h.Status == subjects.AgentBlocked:
		r.Send(ctx, h.Agent, subjects.ResumeCommand, subjects.Command{})
	}
	for _, a := range h.Executions {
		sum, ok := r.x.Find(a.ID)
		c := subjects.Command{ID: a.ID, Attempt: a.Attempt}
		switch {
		case !ok:
		case sum.Attempt > a.Attempt, sum.Attempt == a.Attempt && isFenced(&sum):
			r.Send(ctx, h.Agent, subjects.DropCommand, c)
		case sum.StopRequest == bus.StopRequested && sum.BatchStatus.Running():
			r.Send(ctx, h.Agent, subjects.StopCommand, c)
		}
	}
}

// isFenced reports whether an attempt that an agent still names has ended. It
// ignores ends of the last moment, since a heartbeat may have been on its way.
func isFenced(s *index.Summary) bool {
	return s.BatchStatus == subjects.Unknown || s.BatchStatus.Ended() && time.Since(s.EndTime.Std()) > 2*time.Second
}

// sweepAgents marks silent agents as lost, and forgets old entries.
func (r *Registry) sweepAgents() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.b.NC.IsConnected() {
		r.since = now // heartbeats were missed meanwhile
	}
	for name, m := range r.agents {
		if m.alive && now.Sub(m.seen) > subjects.LostAfter*intervalOf(m.IntervalMS, 100*time.Millisecond) {
			m.alive = false
			r.b.Log.Warn("agent lost, its heartbeats have stopped", "agent", name, "last_seen", m.seen)
			r.b.Event("agent", "lost", []string{name}, nil)
		}
		if !m.alive && now.Sub(m.seen) > forgetAfter {
			delete(r.agents, name)
		}
	}
	for k, n := range r.named {
		if now.Sub(n.at) > 10*time.Minute {
			delete(r.named, k)
		}
	}
}

// intervalOf returns the interval that a heartbeat tells, within bounds.
func intervalOf(ms int64, least time.Duration) time.Duration {
	return time.Duration(min(max(ms, least.Milliseconds()), time.Minute.Milliseconds())) * time.Millisecond
}

// IsLost reports whether no heartbeat of the agent that has claimed an attempt
// has named it for three intervals of that agent, as far as this bus can tell.
// For an attempt that was never named, the intervals begin with the first call:
// its claim may be younger than the agent's last heartbeat.
func (r *Registry) IsLost(agent string, id int64, attempt int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	interval := r.cfg.Heartbeat
	if m := r.agents[agent]; m != nil {
		interval = intervalOf(m.IntervalMS, interval)
	}
	limit := subjects.LostAfter * interval
	now := time.Now()
	key := namingKey{agent, id}
	n, ok := r.named[key]
	if !ok || n.attempt < attempt {
		n = naming{attempt, now}
		r.named[key] = n
	}
	return now.Sub(n.at) > limit && now.Sub(r.since) > limit && r.b.NC.IsConnected()
}
