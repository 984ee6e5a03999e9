package notify

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// remembered is how many handled notifications are remembered, in case their
// acknowledgement was lost.
const remembered = 10_000

// inFlight keeps the notifications that this bus is sending, by their sequence,
// until they are acknowledged.
type inFlight struct {
	mu    sync.Mutex
	open  map[uint64]jetstream.Msg // the newest delivery of each
	done  map[uint64]bool
	order []uint64 // of done, a ring
	next  int
}

func newInFlight() *inFlight {
	return &inFlight{open: map[uint64]jetstream.Msg{}, done: map[uint64]bool{}, order: make([]uint64, remembered)}
}

// addDelivery adds a delivery. It returns false if it is in flight
// already or was handled before, so that there is nothing to do.
func (h *inFlight) addDelivery(seq uint64, m jetstream.Msg) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done[seq] {
		_ = m.Ack() // if it fails, the broker delivers it again
		return false
	}
	_, there := h.open[seq]
	h.open[seq] = m
	return !there
}

// extendAckWait tells the broker that this bus still works on the
// notifications.
func (h *inFlight) extendAckWait() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.open {
		_ = m.InProgress() // if it fails, the next call or a redelivery mends it
	}
}

// ackMessage acknowledges a notification and remembers it as handled.
func (h *inFlight) ackMessage(ctx context.Context, seq uint64) {
	h.mu.Lock()
	m := h.open[seq]
	delete(h.open, seq)
	delete(h.done, h.order[h.next])
	h.order[h.next], h.done[seq] = seq, true
	h.next = (h.next + 1) % remembered
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.AckTimeout)
	defer cancel()
	_ = m.DoubleAck(ctx) // awaited: without it another bus would send the notification again
}

// returnMessage returns a notification to the broker, which delivers it again after a
// delay.
func (h *inFlight) returnMessage(seq uint64, after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.open[seq].NakWithDelay(after) // if it fails, the broker delivers it again after the ack wait
	delete(h.open, seq)
}
