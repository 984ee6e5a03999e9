package bus

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// A server that syncs each message to disk takes an atomic batch with one sync. A batch costs some 3 ms of its own, so it
// pays only when many writes wait: a lane sends singly while few are under way, and what comes meanwhile goes as
// one batch when they are through.
const (
	groupFrom = 20  // writes under way or waiting, from which they are grouped
	groupMost = 500 // messages in a batch; the server allows 1,000
)

// lane groups the writes to one stream.
type lane struct {
	p      *Publisher
	mu     sync.Mutex
	flying int
	batch  bool // a batch is under way
	queue  []write
}

type write struct {
	m      *nats.Msg
	filter string
	expect int64
	done   func(seq uint64, err error)
}

// Publish is [Publisher.Publish] that may group.
func (l *lane) Publish(m *nats.Msg, filter string, expect int64, done func(seq uint64, err error)) {
	w := write{m, filter, expect, done}
	l.mu.Lock()
	if l.batch || l.flying >= groupFrom {
		l.queue = append(l.queue, w)
		l.mu.Unlock()
		return
	}
	l.flying++
	l.mu.Unlock()
	l.single(w)
}

func (l *lane) single(w write) {
	l.p.Publish(w.m, w.filter, w.expect, func(seq uint64, err error) {
		w.done(seq, err)
		l.mu.Lock()
		l.flying--
		l.next()
	})
}

// next sends what waits, if nothing is under way. It unlocks l.mu.
func (l *lane) next() {
	if l.batch || l.flying > 0 || len(l.queue) == 0 {
		l.mu.Unlock()
		return
	}
	n := min(len(l.queue), groupMost)
	some := l.queue[:n:n]
	l.queue = l.queue[n:]
	if n < groupFrom {
		l.flying = n
		l.mu.Unlock()
		for _, w := range some {
			l.single(w)
		}
		return
	}
	l.batch = true
	l.mu.Unlock()
	l.atomic(some)
}

// atomic sends a batch. Refused, each is sent singly, so that only the ones whose expectation does not hold are refused.
func (l *lane) atomic(some []write) {
	l.p.atomic(some, func(first uint64, err error) {
		l.mu.Lock()
		l.batch = false
		if err == nil {
			l.next()
			for i, w := range some {
				w.done(first+uint64(i), nil)
			}
			return
		}
		l.flying = len(some)
		l.mu.Unlock()
		for _, w := range some {
			for _, h := range []string{batchID, batchSequence, batchCommit} {
				w.m.Header.Del(h)
			}
			w.m.Reply = ""
			l.single(w)
		}
	})
}

const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// atomic stores all writes to a stream, one after the other, or none of them if an expectation does not hold. It calls done, not
// theirs, with the sequence of the first.
func (p *Publisher) atomic(some []write, done func(first uint64, err error)) {
	id := nuid.Next()
	for i, w := range some {
		expected(w.m, w.filter, w.expect)
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
