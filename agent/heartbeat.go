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

// heartbeater sends the heartbeats of an agent and detects a lost connection.
type heartbeater struct {
	agent *runningAgent
	stats *statsSampler
	wake  chan struct{}
	// lastContactAt is when the last heartbeat that is known to have reached
	// the broker was sent: wall clock, in Unix nanoseconds.
	lastContactAt atomic.Int64

	mu           sync.Mutex
	status       string             // empty until the agent owns its name
	hasSuccessor bool               // an agent that started later has taken the name over
	noContact    bool               // the loss of contact was logged
	fixed        subjects.Heartbeat // the fields that never change
}

func newHeartbeater(ra *runningAgent) *heartbeater {
	h := &heartbeater{agent: ra, wake: make(chan struct{}, 1), stats: newStatsSampler()}
	h.fixed = h.stats.host
	h.fixed.Agent, h.fixed.Life, h.fixed.Version = ra.cfg.Name, ra.id, ra.cfg.Version
	h.fixed.Apps, h.fixed.Pools, h.fixed.Slots = ra.cfg.Apps, ra.cfg.Pools, ra.cfg.Slots
	h.fixed.IntervalMS, h.fixed.StartTime = ra.cfg.Interval.Milliseconds(), subjects.TimeOf(ra.started)
	return h
}

// markNameTaken makes the agent ready: it owns its name from now on.
func (h *heartbeater) markNameTaken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = subjects.AgentReady
}

func (h *heartbeater) ownsName() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status != ""
}

// setStatus changes the status and sends a heartbeat. It returns false, and
// changes nothing, if the agent is already leaving.
func (h *heartbeater) setStatus(status string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status == subjects.AgentLeaving {
		return status == subjects.AgentLeaving
	}
	if h.status != status {
		h.status = status
		h.beatSoon()
	}
	return true
}

// beatSoon wakes keepBeating, which sends a heartbeat.
func (h *heartbeater) beatSoon() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *heartbeater) markReplaced() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hasSuccessor = true
}

func (h *heartbeater) isReplaced() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hasSuccessor
}

// lastContact returns when the broker was last known to be reachable. A message
// that arrives now cannot have left the broker before that.
func (h *heartbeater) lastContact() time.Time { return time.Unix(0, h.lastContactAt.Load()) }

// sendFirst retries the first heartbeat until it reaches the broker.
func (h *heartbeater) sendFirst(ctx context.Context) error {
	for {
		err := h.sendAndConfirm(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h.agent.log.Warn("first heartbeat not sent, retrying", "err", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(h.agent.cfg.Interval):
		}
	}
}

// keepBeating sends a heartbeat every interval, and when beatSoon was called,
// until ctx ends.
func (h *heartbeater) keepBeating(ctx context.Context) {
	tick := time.NewTicker(h.agent.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.wake:
		}
		h.checkContact(h.sendAndConfirm(ctx))
	}
}

// checkContact interrupts the executions whose work may begin elsewhere, if the
// last heartbeat failed with err and none has reached the broker for LostAfter
// intervals. It compares wall clock times, because a machine that slept sent no
// heartbeats either.
func (h *heartbeater) checkContact(err error) {
	h.mu.Lock()
	silent := err != nil && subjects.WallClock().Sub(h.lastContact()) >= subjects.LostAfter*h.agent.cfg.Interval
	justLost := silent && !h.noContact
	h.noContact = silent
	h.mu.Unlock()
	if justLost {
		h.agent.log.Error("no contact with the broker, stopping executions that may begin on another agent", "since", h.lastContact(), "err", err)
	}
	if silent {
		h.agent.interruptTransferable(fmt.Errorf("%w since %s", ErrContact, h.lastContact().UTC().Format(time.RFC3339)))
	}
}

// sendAndConfirm sends one heartbeat and waits until the broker has received
// it. Without the wait, a connection whose other end has vanished accepts
// messages for minutes.
func (h *heartbeater) sendAndConfirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.agent.cfg.Interval)
	defer cancel()
	h.mu.Lock()
	status := h.status
	h.mu.Unlock()
	begin := subjects.WallClock()
	if err := h.publishHeartbeat(status); err != nil {
		return err
	}
	if err := h.agent.nc.FlushWithContext(ctx); err != nil {
		return err
	}
	h.lastContactAt.Store(begin.UnixNano())
	return nil
}

func (h *heartbeater) publishHeartbeat(status string) error {
	beat := h.fixed
	beat.Status, beat.Time = status, subjects.Now()
	beat.Stats = h.stats.takeSample(h.agent.cfg.Interval)
	beat.Executions = h.agent.attemptNames()
	beat.Running = len(beat.Executions)
	for _, a := range h.agent.outbox.attemptNames() {
		if !slices.Contains(beat.Executions, a) {
			beat.Executions = append(beat.Executions, a)
		}
	}
	data, err := json.Marshal(&beat)
	if err != nil {
		return err
	}
	return h.agent.nc.Publish(subjects.HeartbeatSubject(h.agent.cfg.Name), data)
}

// sendLast sends the last heartbeat, with the status gone.
func (h *heartbeater) sendLast() {
	ctx, cancel := context.WithTimeout(context.Background(), ackTimeout)
	defer cancel()
	if h.publishHeartbeat(subjects.AgentGone) == nil {
		_ = h.agent.nc.FlushWithContext(ctx)
	}
}
