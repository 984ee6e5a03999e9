package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// heart sends the heartbeats of a life, and knows how long the broker has not
// heard one.
type heart struct {
	life    *life
	figures *figures
	changed chan struct{}
	beatAt  atomic.Int64 // when the last heartbeat is known to have reached the broker: Unix nanoseconds, wall clock

	mu        sync.Mutex
	status    string             // empty: the name is not taken yet
	isGone    bool               // somebody else has the name
	noContact bool               // it was noticed that there is none
	fixed     subjects.Heartbeat // what never changes
}

func newHeart(l *life) *heart {
	h := &heart{life: l, changed: make(chan struct{}, 1), figures: newFigures()}
	h.fixed = h.figures.fixed
	h.fixed.Agent, h.fixed.Life, h.fixed.Version = l.cfg.Name, l.id, l.cfg.Version
	h.fixed.Apps, h.fixed.Pools, h.fixed.Slots = l.cfg.Apps, l.cfg.Pools, l.cfg.Slots
	h.fixed.IntervalMS, h.fixed.StartTime = l.cfg.Interval.Milliseconds(), subjects.TimeOf(l.started)
	return h
}

// take says that the name is ours from now on.
func (h *heart) take() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = subjects.AgentReady
}

func (h *heart) taken() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status != ""
}

// setStatus changes the status, which is published at once. Leaving cannot be
// taken back.
func (h *heart) setStatus(status string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status == subjects.AgentLeaving {
		return status == subjects.AgentLeaving
	}
	if h.status != status {
		h.status = status
		h.kick()
	}
	return true
}

// kick sends a heartbeat at once.
func (h *heart) kick() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *heart) replace() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isGone = true
}

func (h *heart) replaced() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isGone
}

// lastBeat is when the broker was last known to hear us. What came since cannot
// have been delivered before.
func (h *heart) lastBeat() time.Time { return time.Unix(0, h.beatAt.Load()) }

// first sends the first heartbeat, until one reaches the broker.
func (h *heart) first(ctx context.Context) error {
	for {
		err := h.beat(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h.life.log.Warn("first heartbeat not sent, trying again", "err", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(h.life.cfg.Interval):
		}
	}
}

// run sends a heartbeat every interval, and when something changes, until ctx
// ends.
func (h *heart) run(ctx context.Context) {
	tick := time.NewTicker(h.life.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.changed:
		}
		h.judge(h.beat(ctx))
	}
}

// judge ends the work that may begin elsewhere without a person, when no
// heartbeat has reached the broker for too long. By the wall clock, since a
// machine that slept was silent as well; but only if it still is.
func (h *heart) judge(err error) {
	h.mu.Lock()
	silent := err != nil && wall().Sub(h.lastBeat()) >= subjects.LostAfter*h.life.cfg.Interval
	news := silent && !h.noContact
	h.noContact = silent
	h.mu.Unlock()
	if news {
		h.life.log.Error("no contact, ending what another agent may begin", "since", h.lastBeat(), "err", err)
	}
	if silent {
		h.life.endTransferable(fmt.Errorf("%w since %s", ErrContact, h.lastBeat().UTC().Format(time.RFC3339)))
	}
}

// beat sends one heartbeat, and waits until the broker has it: a connection
// whose other end has vanished takes messages for minutes.
func (h *heart) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.life.cfg.Interval)
	defer cancel()
	h.mu.Lock()
	status := h.status
	h.mu.Unlock()
	begin := wall()
	if err := h.send(status); err != nil {
		return err
	}
	if err := h.life.nc.FlushWithContext(ctx); err != nil {
		return err
	}
	h.beatAt.Store(begin.UnixNano())
	return nil
}

func (h *heart) send(status string) error {
	beat := h.fixed
	beat.Status, beat.Time = status, subjects.Now()
	beat.Stats = h.figures.sample(h.life.cfg.Interval)
	beat.Executions = h.life.running()
	beat.Running = len(beat.Executions)
	for _, a := range h.life.outbox.attempts() {
		if !slices.Contains(beat.Executions, a) {
			beat.Executions = append(beat.Executions, a)
		}
	}
	data, err := json.Marshal(&beat)
	if err != nil {
		return err
	}
	return h.life.nc.Publish(subjects.HeartbeatSubject(h.life.cfg.Name), data)
}

// gone sends the last heartbeat.
func (h *heart) gone() {
	ctx, cancel := context.WithTimeout(context.Background(), ackTimeout)
	defer cancel()
	if h.send(subjects.AgentGone) == nil {
		_ = h.life.nc.FlushWithContext(ctx)
	}
}
