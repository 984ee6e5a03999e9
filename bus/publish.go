package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AckTimeout is how long a write waits for JetStream. What is older than it may still be stored: [ErrUnknown].
const AckTimeout = 5 * time.Second

// sendAgain is after how long a write is sent again that JetStream could not judge.
const sendAgain = 20 * time.Millisecond

// Publisher writes to streams without waiting: one subscription takes all acknowledgements, and each
// calls back. The client library's futures cost a channel and a timer a message, which showed at
// thousands of executions a second.
type Publisher struct {
	nc      *nats.Conn
	inbox   string
	sub     *nats.Subscription
	trouble trouble
	mu      sync.Mutex
	next    uint64
	open    map[uint64]pending
	stop    chan struct{}
	ended   chan struct{}
}

type pending struct {
	m    *nats.Msg // nil: not to be sent again
	to   string    // subject
	done func(seq uint64, err error)
	sent time.Time
}

// NewPublisher returns a Publisher; Close ends it.
func NewPublisher(nc *nats.Conn) (*Publisher, error) {
	p := &Publisher{
		nc: nc, inbox: "_INBOX." + nuid.Next() + ".",
		open: map[uint64]pending{}, stop: make(chan struct{}), ended: make(chan struct{}),
	}
	var err error
	if p.sub, err = nc.Subscribe(p.inbox+"*", p.acked); err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	// Acknowledgements come as fast as writes: no limit may drop one.
	if err := p.sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	go p.expire()
	return p, nil
}

// Close ends p. What is open ends as [ErrUnknown].
func (p *Publisher) Close() {
	close(p.stop)
	<-p.ended
	_ = p.sub.Unsubscribe() // the connection may be gone already
	p.fail(time.Time{})
}

// Publish sends m and calls done once, from a goroutine that must not be held up. A negative expect is
// no expectation; the filter is what it is compared on.
func (p *Publisher) Publish(m *nats.Msg, filter string, expect int64, done func(seq uint64, err error)) {
	expected(m, filter, expect)
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
		p.take(id, 0, fmt.Errorf("publish to %s: %w: %w", m.Subject, ErrAway, err))
	}
}

// expected sets the headers of an expectation.
func expected(m *nats.Msg, filter string, expect int64) {
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

// Do is Publish that waits. ctx bounds only the waiting: the message may be stored after it.
func (p *Publisher) Do(ctx context.Context, m *nats.Msg, filter string, expect int64) (uint64, error) {
	seq, err := await(ctx, func(done func(uint64, error)) { p.Publish(m, filter, expect, done) })
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return seq, err
}

// await waits for what send calls. The error is [ErrUnknown] if ctx ends before.
func await(ctx context.Context, send func(done func(seq uint64, err error))) (uint64, error) {
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

func (p *Publisher) take(id uint64, seq uint64, err error) {
	p.mu.Lock()
	w, ok := p.open[id]
	delete(p.open, id)
	p.mu.Unlock()
	if ok {
		if err == nil {
			p.trouble.over(w.to)
		}
		w.done(seq, err)
	}
}

func (p *Publisher) acked(m *nats.Msg) {
	id, err := strconv.ParseUint(m.Subject[len(p.inbox):], 36, 64)
	if err != nil {
		return
	}
	seq, err := parseAck(m)
	if errors.Is(err, errUndecided) && p.again(id) {
		return
	}
	p.take(id, seq, err)
}

// again sends a write once more after a moment, while it is young by the wall clock (the monotonic one stops in suspend).
func (p *Publisher) again(id uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.open[id]
	if !ok || w.m == nil {
		return false
	}
	time.AfterFunc(sendAgain, func() {
		p.mu.Lock()
		_, ok := p.open[id]
		p.mu.Unlock()
		if ok && time.Now().Round(0).Sub(w.sent.Round(0)) < AckTimeout {
			_ = p.nc.PublishMsg(w.m) // without a connection there is no answer, and it ends as unknown
		}
	})
	return true
}

// expire fails what got no answer in time.
func (p *Publisher) expire() {
	defer close(p.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.fail(now.Add(-AckTimeout))
		case <-p.stop:
			return
		}
	}
}

// fail ends as unknown what was sent before; all of it if before is zero.
func (p *Publisher) fail(before time.Time) {
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
			p.trouble.note(w.to)
		}
		w.done(0, fmt.Errorf("no acknowledgement in %v: %w", AckTimeout, ErrUnknown))
	}
}

// errUndecided is an answer that decides nothing: another message of the filter is being stored in the cluster, and may yet be dropped.
var errUndecided = fmt.Errorf("%w: another is being stored", ErrUnknown)

// parseAck reads {"stream":"S","seq":12} or {"error":{...},"stream":"S"}.
func parseAck(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, fmt.Errorf("%w: no stream takes this subject", ErrAway)
	}
	var a struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Code        int    `json:"code"`
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if s := string(m.Data); !strings.Contains(s, `"error"`) { // the usual one, without reflection
		if i := strings.Index(s, `"seq":`); i >= 0 {
			rest := strings.TrimLeft(s[i+6:], " ")
			n := 0
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			if seq, err := strconv.ParseUint(rest[:n], 10, 64); err == nil {
				return seq, nil
			}
		}
	}
	if err := json.Unmarshal(m.Data, &a); err != nil || a.Error == nil {
		return 0, fmt.Errorf("acknowledgement %.100q: %w", m.Data, ErrUnknown)
	}
	switch a.Error.ErrCode {
	case subjects.WrongLastSequence:
		return 0, fmt.Errorf("%w: %s", ErrChanged, a.Error.Description)
	case subjects.AnotherInFlight:
		return 0, errUndecided
	}
	err := errors.New(a.Error.Description)
	if noRoom(a.Error.ErrCode, a.Error.Description) {
		return 0, fmt.Errorf("%w: %w", ErrFull, err)
	}
	if a.Error.Code == 503 {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return 0, err
}
