package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// roster follows the heartbeats of agents: who lives, and which executions they name.
type roster struct {
	s     *Service
	beats chan subjects.Heartbeat

	mu       sync.Mutex
	agents   map[string]*member
	named    map[int64]naming
	since    time.Time     // this bus has listened without a break since then
	interval time.Duration // the longest of any living agent
}

type member struct {
	bus.Agent
	rev   uint64 // of what is kept in the bucket; 0: nothing yet
	seen  time.Time
	alive bool
}

// naming is the newest heartbeat that named an execution.
type naming struct {
	attempt int
	at      time.Time
}

// forgetAfter is how long a silent agent stays in the list.
const forgetAfter = 24 * time.Hour

func newRoster(s *Service) *roster {
	return &roster{
		s: s, beats: make(chan subjects.Heartbeat, 1024),
		agents: map[string]*member{}, named: map[int64]naming{}, interval: s.cfg.Heartbeat,
	}
}

// run listens until ctx ends.
func (r *roster) run(ctx context.Context) error {
	kept, err := r.s.b.Agents.List(ctx, ">")
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
	sub, err := r.s.b.NC.Subscribe(subjects.AllHeartbeats, r.take)
	if err != nil {
		return fmt.Errorf("listen to heartbeats: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case h := <-r.beats:
			r.follow(ctx, h)
		case <-tick.C:
			r.sweep()
		case <-ctx.Done():
			return nil
		}
	}
}

// take notes a heartbeat at once; what it asks for is done by run.
func (r *roster) take(m *nats.Msg) {
	var h subjects.Heartbeat
	if err := json.Unmarshal(m.Data, &h); err != nil || subjects.HeartbeatSubject(h.Agent) != m.Subject {
		r.s.b.Log.Warn("a heartbeat that cannot be read is passed over", "subject", m.Subject, "err", err)
		return
	}
	if m.Reply != "" {
		_ = m.Respond([]byte("{}")) // the agent asks again
	}
	now := time.Now()
	r.mu.Lock()
	for _, a := range h.Executions {
		r.named[a.ID] = naming{a.Attempt, now}
	}
	if d := time.Duration(h.IntervalMS) * time.Millisecond; d > r.interval && d <= time.Minute {
		r.interval = d
	}
	r.mu.Unlock()
	select {
	case r.beats <- h:
	default: // the next one comes soon
	}
}

// follow keeps what is new about an agent, and repeats what is wished of it.
func (r *roster) follow(ctx context.Context, h subjects.Heartbeat) {
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
		r.s.b.Log.Info("agent joined", "agent", h.Agent, "apps", h.Apps, "pools", h.Pools, "slots", h.Slots)
		r.s.b.Event("agent", "joined", []string{h.Agent}, nil)
	case left:
		r.s.b.Log.Info("agent left", "agent", h.Agent)
		r.s.b.Event("agent", "left", []string{h.Agent}, nil)
	}
	for _, app := range h.Apps {
		if _, _, ok := r.s.x.App(app); !ok {
			continue
		}
		for _, pool := range h.Pools {
			if err := r.s.b.EnsurePool(ctx, app, pool); err != nil && ctx.Err() == nil {
				r.s.b.Log.Warn("queue of an agent not made yet", "agent", h.Agent, "app", app, "pool", pool, "err", err)
			}
		}
	}
	if news {
		agent.LastSeen = subjects.Now()
		r.keep(ctx, agent, rev)
	}
	r.wishes(ctx, h, agent.Blocked)
}

// keep writes an agent's registration. A bus that was faster has written the same.
func (r *roster) keep(ctx context.Context, a bus.Agent, rev uint64) {
	e, err := r.s.b.Agents.Get(ctx, a.Heartbeat.Agent)
	switch {
	case err == nil:
		a.Blocked = e.Value.Blocked
		rev, err = r.s.b.Agents.Update(ctx, e.Key, a, e.Revision)
	case errors.Is(err, bus.ErrNotFound):
		rev, err = r.s.b.Agents.Create(ctx, a.Heartbeat.Agent, a)
	}
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) {
			r.s.b.Log.Warn("agent not registered yet", "agent", a.Heartbeat.Agent, "err", err)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.agents[a.Heartbeat.Agent]; m != nil {
		m.rev, m.Blocked, m.LastSeen = rev, a.Blocked, a.LastSeen
	}
}

// wishes tells the agent again what it has not done yet.
func (r *roster) wishes(ctx context.Context, h subjects.Heartbeat, blocked bool) {
	switch {
	case blocked && h.Status == subjects.AgentReady:
		_ = r.s.command(ctx, h.Agent, subjects.DrainCommand, subjects.Command{})
	case !blocked && h.Status == subjects.AgentBlocked:
		_ = r.s.command(ctx, h.Agent, subjects.ResumeCommand, subjects.Command{})
	}
	for _, a := range h.Executions {
		sum, ok := r.s.x.Find(a.ID)
		c := subjects.Command{ID: a.ID, Attempt: a.Attempt}
		switch {
		case !ok:
		case sum.Attempt > a.Attempt, sum.Attempt == a.Attempt && fenced(&sum):
			_ = r.s.command(ctx, h.Agent, subjects.DropCommand, c)
		case sum.Wish == bus.WishStop && sum.BatchStatus.Running():
			_ = r.s.command(ctx, h.Agent, subjects.StopCommand, c)
		}
	}
}

// fenced says whether an attempt that an agent still names is over. A moment is left for a heartbeat that was on its way.
func fenced(s *index.Summary) bool {
	return s.BatchStatus == subjects.Unknown || s.BatchStatus.Ended() && time.Since(s.EndTime.Std()) > 2*time.Second
}

// sweep notices who fell silent, and forgets what is old.
func (r *roster) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.s.b.NC.IsConnected() {
		r.since = now // what was said meanwhile was not heard
	}
	longest := r.s.cfg.Heartbeat
	for name, m := range r.agents {
		d := time.Duration(m.IntervalMS) * time.Millisecond
		if m.alive && now.Sub(m.seen) > subjects.LostAfter*max(d, 100*time.Millisecond) {
			m.alive = false
			r.s.b.Log.Warn("agent is silent", "agent", name, "last_seen", m.seen)
			r.s.b.Event("agent", "lost", []string{name}, nil)
		}
		if m.alive {
			longest = max(longest, min(d, time.Minute))
		}
		if !m.alive && now.Sub(m.seen) > forgetAfter {
			delete(r.agents, name)
		}
	}
	r.interval = longest
	for id, n := range r.named {
		if now.Sub(n.at) > 10*time.Minute {
			delete(r.named, id)
		}
	}
}

// lost says whether nobody has named an attempt for three intervals, as far as this bus can tell. Of an attempt that was never named
// the intervals begin when it is asked for first: its claim may be younger than the agent's last heartbeat.
func (r *roster) lost(id int64, attempt int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := subjects.LostAfter * r.interval
	now := time.Now()
	n, ok := r.named[id]
	if !ok || n.attempt < attempt {
		n = naming{attempt, now}
		r.named[id] = n
	}
	return now.Sub(n.at) > limit && now.Sub(r.since) > limit && r.s.b.NC.IsConnected()
}
