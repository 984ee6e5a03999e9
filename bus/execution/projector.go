package execution

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// startDelay is how long a start waits for its end, so that a short execution costs one write of its record.
	startDelay = 100 * time.Millisecond
	// maxWrites is how many records are written at a time; one of each execution.
	maxWrites = 256
	// ackWait is after how long results that a bus took in hand, and did not record, go to another.
	ackWait = 10 * time.Second
	// maxTracks is how many records of executions that have not ended are kept to be spared a read.
	maxTracks = 20_000
	// maxPending is how many results are in hand without being acknowledged.
	maxPending = 20_000
)

// projectorConsumer is the durable consumer that all buses share.
const projectorConsumer = "projector"

// projector folds results into records. Two buses get results in any order; the chain of expectations tells.
type projector struct {
	b *bus.Bus
	x *index.Index

	mu      sync.Mutex
	tracks  map[int64]*track
	writes  int
	ready   []*track // to be written as soon as there is room
	closing bool
	idle    *sync.Cond // signalled when a write has ended
}

// track is an execution that this bus has results or a submission of in hand.
type track struct {
	app, job string
	id       int64
	rec      *bus.Execution // as it was written last, never changed; nil: read it first
	rev      uint64
	busy     bool // being created, read or written
	creating bool
	queued   bool // in ready
	timer    *time.Timer
	pending  []result
}

// result is a message in hand.
type result struct {
	*bus.StoredResult
	ack func() error // nil for what was read from RESULTS
}

func newProjector(b *bus.Bus, x *index.Index) *projector {
	p := &projector{b: b, x: x, tracks: map[int64]*track{}}
	p.idle = sync.NewCond(&p.mu)
	return p
}

// run consumes RESULTS until ctx ends, then finishes what is being written.
func (p *projector) run(ctx context.Context) error {
	cons, err := p.b.JS.CreateOrUpdateConsumer(ctx, subjects.ResultsStream, jetstream.ConsumerConfig{
		Durable: projectorConsumer, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxAckPending: maxPending,
	})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	cc, err := cons.Consume(p.take, jetstream.PullMaxMessages(2000), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		p.b.Log.Debug("consuming results", "err", err)
	}))
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	<-ctx.Done()
	cc.Stop()
	<-cc.Closed()
	p.finish()
	return nil
}

// finish writes what waits for its end, and waits for what is being written. What cannot be written comes again to another bus.
func (p *projector) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for _, t := range p.tracks {
		p.schedule(t)
	}
	late := false
	deadline := time.AfterFunc(bus.AckTimeout, func() {
		p.mu.Lock()
		late = true
		p.idle.Broadcast()
		p.mu.Unlock()
	})
	defer deadline.Stop()
	for p.writes > 0 && !late {
		p.idle.Wait()
	}
}

// take gets one message of RESULTS.
func (p *projector) take(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		p.b.Log.Error("a result without metadata", "subject", m.Subject(), "err", err)
		return
	}
	r, err := bus.DecodeResult(m.Subject(), meta.Sequence.Stream, m.Headers(), m.Data())
	if err != nil { // nobody will ever be able to read it
		p.b.Log.Error("a result that cannot be read is passed over", "err", err)
		_ = m.Term() // it comes again otherwise
		return
	}
	p.add(result{r, m.Ack})
}

// add puts a result in hand, to be folded at once or, if it is only a start or a step, after a moment.
func (p *projector) add(r result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(r.App, r.Job, r.ID)
	t.pending = append(t.pending, r)
	if r.BatchStatus.Ended() || r.ack == nil {
		p.schedule(t)
		return
	}
	if t.timer == nil && !p.closing {
		t.timer = time.AfterFunc(startDelay, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.timer = nil
			p.schedule(t)
		})
	}
}

func (p *projector) track(app, job string, id int64) *track {
	t := p.tracks[id]
	if t == nil {
		t = &track{app: app, job: job, id: id}
		p.tracks[id] = t
	}
	return t
}

// schedule sees to it that t is written as soon as it can be. p.mu is held.
func (p *projector) schedule(t *track) {
	if t.busy || t.queued || len(t.pending) == 0 {
		return
	}
	if p.writes >= maxWrites {
		t.queued = true
		p.ready = append(p.ready, t)
		return
	}
	p.write(t)
}

// write folds what is in hand and writes the record. p.mu is held.
func (p *projector) write(t *track) {
	t.busy = true
	p.writes++
	if t.rec == nil {
		go p.load(t)
		return
	}
	slices.SortFunc(t.pending, func(a, b result) int { return cmp.Compare(a.Sequence, b.Sequence) })
	e := *t.rec
	changed := false
	for _, r := range t.pending {
		switch fold(&e, r.StoredResult) {
		case applied:
			changed = true
		case gap:
			go p.refold(t, &e)
			return
		case held:
		}
	}
	if !changed {
		p.settle(t, nil)
		return
	}
	taken := t.pending
	t.pending = nil
	// The acknowledgement may come before this returns.
	p.b.Executions.Write(e.Key(), e, t.rev, func(rev uint64, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.written(t, taken, &e, rev, err)
	})
}

// settle ends a write that wrote nothing: what is in hand is done with, or stays there if err is not nil. p.mu is held.
func (p *projector) settle(t *track, err error) {
	taken := t.pending
	t.pending = nil
	p.written(t, taken, nil, 0, err)
}

// written ends a write of e, or of nothing if e is nil. p.mu is held.
func (p *projector) written(t *track, taken []result, e *bus.Execution, rev uint64, err error) {
	t.busy = false
	p.writes--
	p.idle.Broadcast()
	if err != nil {
		t.pending = append(taken, t.pending...)
		t.rec = nil // somebody was faster, or nobody knows: read it
		if !errors.Is(err, bus.ErrChanged) {
			p.b.Log.Warn("record not written, trying again", "execution", t.id, "err", err)
			time.AfterFunc(time.Second, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.schedule(t)
			})
			return
		}
		p.schedule(t)
		p.next()
		return
	}
	if e != nil {
		t.rec, t.rev = e, rev
		p.x.PutExecution(e, rev)
		if e.BatchStatus.Ended() && e.Exclusive {
			go p.unlock(e.App, e.Job, e.ID)
		}
	}
	for _, r := range taken {
		if r.ack != nil {
			_ = r.ack() // it comes again, and is held then
		}
	}
	if len(t.pending) > 0 {
		p.schedule(t)
	} else {
		p.let(t)
	}
	p.next()
}

// let forgets a track that has nothing in hand, if it has ended or there are many. p.mu is held.
func (p *projector) let(t *track) {
	if !t.busy && len(t.pending) == 0 && (t.rec == nil || t.rec.BatchStatus.Ended() || len(p.tracks) > maxTracks) {
		delete(p.tracks, t.id)
	}
}

// next writes what waited for room. p.mu is held.
func (p *projector) next() {
	for len(p.ready) > 0 && p.writes < maxWrites {
		t := p.ready[0]
		p.ready = p.ready[1:]
		t.queued = false
		if !t.busy && len(t.pending) > 0 {
			p.write(t)
		}
	}
}
