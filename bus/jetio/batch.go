package jetio

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// A server that syncs each message to disk syncs an atomic batch once. A batch
// costs about 3 ms, so it pays only when many writes wait. A [Batcher] sends
// writes singly while few are in flight. The writes that arrive meanwhile form
// one batch, which it sends when those in flight are acknowledged.
const (
	groupFrom = 20  // with this many writes in flight or waiting, they are grouped
	groupMost = 500 // messages in a batch; the server allows 1,000
)

// Batcher batches the writes to one stream.
type Batcher struct {
	p      *Publisher
	mu     sync.Mutex
	flying int
	batch  bool // a batch is in flight
	queue  []Write
}

// NewBatcher returns a Batcher of the writes that p makes to one stream.
func NewBatcher(p *Publisher) *Batcher { return &Batcher{p: p} }

// Write is a message with the condition under which the broker stores it.
type Write struct {
	Msg    *nats.Msg
	Filter string // see [Publisher.Publish]
	Expect int64
	done   func(seq uint64, err error)
}

// Publish is [Publisher.Publish], but may put the write into a batch.
func (b *Batcher) Publish(m *nats.Msg, filter string, expect int64, done func(seq uint64, err error)) {
	w := Write{m, filter, expect, done}
	b.mu.Lock()
	if b.batch || b.flying >= groupFrom {
		b.queue = append(b.queue, w)
		b.mu.Unlock()
		return
	}
	b.flying++
	b.mu.Unlock()
	b.sendSingle(w)
}

func (b *Batcher) sendSingle(w Write) {
	b.p.Publish(w.Msg, w.Filter, w.Expect, func(seq uint64, err error) {
		w.done(seq, err)
		b.mu.Lock()
		b.flying--
		b.sendWaiting()
	})
}

// sendWaiting sends the queued writes if none is in flight. It unlocks b.mu.
func (b *Batcher) sendWaiting() {
	if b.batch || b.flying > 0 || len(b.queue) == 0 {
		b.mu.Unlock()
		return
	}
	n := min(len(b.queue), groupMost)
	some := b.queue[:n:n]
	b.queue = b.queue[n:]
	if n < groupFrom {
		b.flying = n
		b.mu.Unlock()
		for _, w := range some {
			b.sendSingle(w)
		}
		return
	}
	b.batch = true
	b.mu.Unlock()
	b.sendBatch(some)
}

// sendBatch sends a batch. If the broker refuses it, sendBatch sends each write
// singly, so that only those with a wrong expected sequence are refused.
func (b *Batcher) sendBatch(some []Write) {
	b.p.PublishBatch(some, func(first uint64, err error) {
		b.mu.Lock()
		b.batch = false
		if err == nil {
			b.sendWaiting()
			for i, w := range some {
				w.done(first+uint64(i), nil)
			}
			return
		}
		b.flying = len(some)
		b.mu.Unlock()
		for _, w := range some {
			for _, h := range []string{batchID, batchSequence, batchCommit} {
				w.Msg.Header.Del(h)
			}
			w.Msg.Reply = ""
			b.sendSingle(w)
		}
	})
}

const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// PublishBatch stores all writes to a stream in order, or none of them if one
// has a wrong expected sequence. It calls done with the sequence of the first.
func (p *Publisher) PublishBatch(some []Write, done func(first uint64, err error)) {
	id := nuid.Next()
	for i, w := range some {
		setExpected(w.Msg, w.Filter, w.Expect)
		w.Msg.Header[batchID] = []string{id}
		w.Msg.Header[batchSequence] = []string{strconv.Itoa(i + 1)}
		if i == len(some)-1 {
			w.Msg.Header[batchCommit] = []string{"1"}
			p.Publish(w.Msg, "", -1, func(seq uint64, err error) { done(seq-uint64(i), err) })
			return
		}
		if err := p.nc.PublishMsg(w.Msg); err != nil {
			done(0, fmt.Errorf("publish to %s: %w: %w", w.Msg.Subject, ErrAway, err))
			return
		}
	}
}
