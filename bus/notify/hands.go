package notify

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// remembered is how many of the results that are done with are known, in case
// their acknowledgement was lost.
const remembered = 10_000

// hands hold the results that somebody is to be notified of, by their sequence,
// until they are done with.
type hands struct {
	mu    sync.Mutex
	open  map[uint64]jetstream.Msg // the newest delivery of each
	done  map[uint64]bool
	order []uint64 // of done, a ring
	next  int
}

func newHands() *hands {
	return &hands{open: map[uint64]jetstream.Msg{}, done: map[uint64]bool{}, order: make([]uint64, remembered)}
}

// take takes a delivery. It returns false if there is nothing to do: the result
// is in hand, or was and is done with.
func (h *hands) take(seq uint64, m jetstream.Msg) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done[seq] {
		_ = m.Ack() // it comes again
		return false
	}
	_, there := h.open[seq]
	h.open[seq] = m
	return !there
}

// keep tells the broker that what is open is not lost.
func (h *hands) keep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.open {
		_ = m.InProgress() // the next time, or it comes again
	}
}

// settle is done with a result.
func (h *hands) settle(ctx context.Context, seq uint64) {
	h.mu.Lock()
	m := h.open[seq]
	delete(h.open, seq)
	delete(h.done, h.order[h.next])
	h.order[h.next], h.done[seq] = seq, true
	h.next = (h.next + 1) % remembered
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.AckTimeout)
	defer cancel()
	_ = m.DoubleAck(ctx) // awaited, as another bus would send it again; if it is lost, it comes again
}

// back gives a result back, to come again after a time.
func (h *hands) back(seq uint64, after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.open[seq].NakWithDelay(after) // it comes again later
	delete(h.open, seq)
}
