package bus

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// A server that syncs each message to disk syncs an atomic batch once. A batch
// costs about 3 ms, so it pays only when many writes wait. A grouper sends
// writes singly while few are in flight. The writes that arrive meanwhile form
// one batch, which it sends when those in flight are acknowledged.
const (
	groupFrom = 20  // with this many writes in flight or waiting, they are grouped
	groupMost = 500 // messages in a batch; the server allows 1,000
)

// grouper groups the writes to one stream.
type grouper struct {
	p      *Publisher
	mu     sync.Mutex
	flying int
	batch  bool // a batch is in flight
	queue  []write
}

type write struct {
	m      *nats.Msg
	filter string
	expect int64
	done   func(seq uint64, err error)
}

// Publish is [Publisher.Publish], but may put the write into a batch.
func (g *grouper) Publish(m *nats.Msg, filter string, expect int64, done func(seq uint64, err error)) {
	w := write{m, filter, expect, done}
	g.mu.Lock()
	if g.batch || g.flying >= groupFrom {
		g.queue = append(g.queue, w)
		g.mu.Unlock()
		return
	}
	g.flying++
	g.mu.Unlock()
	g.sendSingle(w)
}

func (g *grouper) sendSingle(w write) {
	g.p.Publish(w.m, w.filter, w.expect, func(seq uint64, err error) {
		w.done(seq, err)
		g.mu.Lock()
		g.flying--
		g.sendWaiting()
	})
}

// sendWaiting sends the queued writes if none is in flight. It unlocks g.mu.
func (g *grouper) sendWaiting() {
	if g.batch || g.flying > 0 || len(g.queue) == 0 {
		g.mu.Unlock()
		return
	}
	n := min(len(g.queue), groupMost)
	some := g.queue[:n:n]
	g.queue = g.queue[n:]
	if n < groupFrom {
		g.flying = n
		g.mu.Unlock()
		for _, w := range some {
			g.sendSingle(w)
		}
		return
	}
	g.batch = true
	g.mu.Unlock()
	g.sendBatch(some)
}

// sendBatch sends a batch. If the broker refuses it, sendBatch sends each write
// singly, so that only those with a wrong expected sequence are refused.
func (g *grouper) sendBatch(some []write) {
	g.p.publishBatch(some, func(first uint64, err error) {
		g.mu.Lock()
		g.batch = false
		if err == nil {
			g.sendWaiting()
			for i, w := range some {
				w.done(first+uint64(i), nil)
			}
			return
		}
		g.flying = len(some)
		g.mu.Unlock()
		for _, w := range some {
			for _, h := range []string{batchID, batchSequence, batchCommit} {
				w.m.Header.Del(h)
			}
			w.m.Reply = ""
			g.sendSingle(w)
		}
	})
}

const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// publishBatch stores all writes to a stream in order, or none of them if one
// has a wrong expected sequence. It calls done, not the done of the writes,
// with the sequence of the first.
func (p *Publisher) publishBatch(some []write, done func(first uint64, err error)) {
	id := nuid.Next()
	for i, w := range some {
		setExpected(w.m, w.filter, w.expect)
		w.m.Header[batchID] = []string{id}
		w.m.Header[batchSequence] = []string{strconv.Itoa(i + 1)}
		if i == len(some)-1 {
			w.m.Header[batchCommit] = []string{"1"}
			p.Publish(w.m, "", -1, func(seq uint64, err error) { done(seq-uint64(i), err) })
			return
		}
		if err := p.nc.PublishMsg(w.m); err != nil {
			done(0, fmt.Errorf("publish to %s: %w: %w", w.m.Subject, ErrAway, err))
			return
		}
	}
}
