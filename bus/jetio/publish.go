package jetio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AckTimeout is the timeout of a write to JetStream. The broker may still store
// the write after it: [ErrUnknown].
const AckTimeout = 5 * time.Second

// RetryDelay is the delay before a write is repeated that JetStream could not
// decide.
const RetryDelay = 20 * time.Millisecond

// noStreamTimeout is how long a write is repeated that no stream has taken. In a
// cluster a server needs some milliseconds to learn of a new stream, or of a
// stream's new leader.
const noStreamTimeout = 500 * time.Millisecond

// Publisher writes to streams without blocking. One subscription receives all
// acknowledgements, and each calls the write's callback. The client library's
// futures cost a channel and a timer per message, which was measurable at
// thousands of executions a second.
type Publisher struct {
	nc         *nats.Conn
	inbox      string
	sub        *nats.Subscription
	unanswered unanswered
	mu         sync.Mutex
	next       uint64
	open       map[uint64]pending
	stop       chan struct{}
	ended      chan struct{}
}

type pending struct {
	m    *nats.Msg // nil: no retry
	to   string    // subject
	done func(seq uint64, err error)
	sent time.Time
}

// NewPublisher returns a Publisher. The caller must close it.
func NewPublisher(nc *nats.Conn) (*Publisher, error) {
	p := &Publisher{
		nc: nc, inbox: "_INBOX." + nuid.Next() + ".",
		open: map[uint64]pending{}, stop: make(chan struct{}), ended: make(chan struct{}),
	}
	var err error
	if p.sub, err = nc.Subscribe(p.inbox+"*", p.handleAck); err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	// Acknowledgements arrive as fast as the bus writes. No limit may drop one.
	if err := p.sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	go p.runExpiry()
	return p, nil
}

// Unanswered returns an error that names the streams that do not answer writes,
// or nil.
func (p *Publisher) Unanswered() error { return p.unanswered.asError() }

// Close ends p. Writes in flight end with [ErrUnknown].
func (p *Publisher) Close() {
	close(p.stop)
	<-p.ended
	_ = p.sub.Unsubscribe() // the connection may be gone already
	p.failBefore(time.Time{})
}

// Publish sends m and calls done once, from a goroutine that done must not
// block. The write succeeds only if expect is the last sequence of the filter;
// a negative expect means any.
func (p *Publisher) Publish(m *nats.Msg, filter string, expect int64, done func(seq uint64, err error)) {
	setExpected(m, filter, expect)
	p.mu.Lock()
	p.next++
	id := p.next
	w := pending{done: done, sent: time.Now(), to: m.Subject}
	if expect >= 0 {
		w.m = m
	}
	p.open[id] = w
	p.mu.Unlock()
	m.Reply = p.inbox + strconv.FormatUint(id, 36)
	if err := p.nc.PublishMsg(m); err != nil {
		p.complete(id, 0, fmt.Errorf("publish to %s: %w: %w", m.Subject, ErrAway, err))
	}
}

// setExpected sets the headers of an expected last sequence.
func setExpected(m *nats.Msg, filter string, expect int64) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	if expect < 0 {
		return
	}
	m.Header[subjects.ExpectedSequenceHeader] = []string{strconv.FormatInt(expect, 10)}
	if filter != m.Subject {
		m.Header[subjects.ExpectedFilterHeader] = []string{filter}
	}
}

// Do publishes m and blocks until it is acknowledged. ctx bounds only the wait:
// the broker may store the message after it.
func (p *Publisher) Do(ctx context.Context, m *nats.Msg, filter string, expect int64) (uint64, error) {
	seq, err := Await(ctx, func(done func(uint64, error)) { p.Publish(m, filter, expect, done) })
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return seq, err
}

// Await blocks until the callback that it passes to send is called. If
// ctx ends first, the error is [ErrUnknown].
func Await(ctx context.Context, send func(done func(seq uint64, err error))) (uint64, error) {
	type answer struct {
		seq uint64
		err error
	}
	ch := make(chan answer, 1)
	send(func(seq uint64, err error) { ch <- answer{seq, err} })
	select {
	case a := <-ch:
		return a.seq, a.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
	}
}

func (p *Publisher) complete(id uint64, seq uint64, err error) {
	p.mu.Lock()
	w, ok := p.open[id]
	delete(p.open, id)
	p.mu.Unlock()
	if ok {
		if err == nil {
			p.unanswered.recordStored(w.to)
		}
		w.done(seq, err)
	}
}

func (p *Publisher) handleAck(m *nats.Msg) {
	id, err := strconv.ParseUint(m.Subject[len(p.inbox):], 36, 64)
	if err != nil {
		return
	}
	seq, err := parseAck(m)
	if errors.Is(err, ErrUndecided) && p.scheduleRetry(id, AckTimeout) || errors.Is(err, errNoStream) && p.scheduleRetry(id, noStreamTimeout) {
		return
	}
	p.complete(id, seq, err)
}

// scheduleRetry sends a write again after a delay. It returns false if the
// write cannot be repeated or is older than limit.
func (p *Publisher) scheduleRetry(id uint64, limit time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.open[id]
	if !ok || w.m == nil || subjects.WallSince(w.sent) > limit {
		return false
	}
	time.AfterFunc(RetryDelay, func() {
		p.mu.Lock()
		_, ok := p.open[id]
		p.mu.Unlock()
		if ok && subjects.WallSince(w.sent) < AckTimeout {
			_ = p.nc.PublishMsg(w.m) // without a connection there is no answer, and the outcome is unknown
		}
	})
	return true
}

// runExpiry ends writes that were not acknowledged in time.
func (p *Publisher) runExpiry() {
	defer close(p.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.failBefore(now.Add(-AckTimeout))
		case <-p.stop:
			return
		}
	}
}

// failBefore ends all writes that were sent before a moment with [ErrUnknown];
// all writes if the moment is zero.
func (p *Publisher) failBefore(before time.Time) {
	var late []pending
	p.mu.Lock()
	for id, w := range p.open {
		if before.IsZero() || w.sent.Before(before) {
			late = append(late, w)
			delete(p.open, id)
		}
	}
	p.mu.Unlock()
	for _, w := range late {
		if !before.IsZero() {
			p.unanswered.recordTimeout(w.to)
		}
		w.done(0, fmt.Errorf("no acknowledgement in %v: %w", AckTimeout, ErrUnknown))
	}
}
