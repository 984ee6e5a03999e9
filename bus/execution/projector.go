package execution

import (
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
	deadline := time.AfterFunc(bus.AckTimeout, func() {
		p.mu.Lock()
		p.writes = 0
		p.idle.Broadcast()
		p.mu.Unlock()
	})
	defer deadline.Stop()
	for p.writes > 0 {
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
	slices.SortFunc(t.pending, func(a, b result) int { return int(int64(a.Sequence) - int64(b.Sequence)) })
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
	taken := t.pending
	t.pending = nil
	if !changed {
		p.written(t, taken, nil, 0, nil)
		return
	}
	// The acknowledgement may come before this returns.
	p.b.Executions.Write(e.Key(), e, t.rev, func(rev uint64, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.written(t, taken, &e, rev, err)
	})
}

// written ends a write of e, or of nothing if e is nil. p.mu is held.
func (p *projector) written(t *track, taken []result, e *bus.Execution, rev uint64, err error) {
	t.busy = false
	if p.writes > 0 {
		p.writes--
	}
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

// load reads the record of t from the leader; without one it is made from the claim.
func (p *projector) load(t *track) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout) // the owner of the write is finish
	defer cancel()
	e, err := p.b.Executions.Get(ctx, bus.ExecutionKey(t.app, t.job, t.id))
	if errors.Is(err, bus.ErrNotFound) {
		var rec *bus.Execution
		if rec, err = p.rebuild(ctx, t); rec != nil {
			e = bus.Entry[bus.Execution]{Value: *rec}
		} else if err == nil { // the record is gone and so are the results: nothing to do
			p.mu.Lock()
			defer p.mu.Unlock()
			taken := t.pending
			t.pending = nil
			t.rec = &bus.Execution{}
			p.written(t, taken, nil, 0, nil)
			delete(p.tracks, t.id)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		taken := t.pending
		t.pending = nil
		p.written(t, taken, nil, 0, err)
		return
	}
	if e.Revision > 0 {
		p.x.PutExecution(&e.Value, e.Revision)
	}
	t.rec, t.rev = &e.Value, e.Revision
	p.writes--
	p.write(t)
}

// rebuild makes the record that a bus did not get to write, from the claim in RESULTS. It returns nil if there are no
// results any more: the execution was purged while this bus had one in hand.
func (p *projector) rebuild(ctx context.Context, t *track) (*bus.Execution, error) {
	first, err := p.b.ResultAt(ctx, t.app, t.job, t.id, 1)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if first.Expected != 0 { // purged down to its end, and the record went in between
		return nil, nil
	}
	rec := &bus.Execution{Rebuilt: true}
	if first.Execution != nil {
		rec.Execution = *first.Execution
	}
	// What permissions do not confine is not taken from the payload.
	rec.App, rec.Job, rec.ID = t.app, t.job, t.id
	rec.BatchStatus = subjects.Undispatched
	if rec.InstanceID == 0 {
		rec.InstanceID = t.id
	}
	if rec.CreateTime == 0 {
		rec.CreateTime = first.Time
	}
	return rec, nil
}

// refold reads from RESULTS what is missing between the record and what is in hand. e is the fold so far.
func (p *projector) refold(t *track, e *bus.Execution) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*bus.AckTimeout)
	defer cancel()
	var missing []result
	last, err := p.b.LastResult(ctx, t.app, t.job, t.id)
	for seq := e.LastSequence + 1; err == nil; {
		var r *bus.StoredResult
		if r, err = p.b.ResultAt(ctx, t.app, t.job, t.id, seq); err != nil {
			break
		}
		missing = append(missing, result{r, nil})
		if r.Sequence >= last.Sequence {
			break
		}
		seq = r.Sequence + 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := t.pending
	t.pending = nil
	switch {
	case errors.Is(err, bus.ErrNotFound):
		// Purged meanwhile: what is in hand is of the past.
		t.rec = &bus.Execution{}
		p.written(t, taken, nil, 0, nil)
		delete(p.tracks, t.id)
	case err != nil:
		p.written(t, taken, nil, 0, err)
	default:
		if len(missing) > 0 && missing[0].Expected != e.LastSequence { // the record is of another past: its results were purged
			missing[0].Expected = e.LastSequence
		}
		t.pending = append(missing, taken...)
		p.writes--
		p.write(t)
	}
}

// unlock lets the next execution of an exclusive job start, now that RESULTS shows the end of this one.
func (p *projector) unlock(app, job string, id int64) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout)
	defer cancel()
	if err := freeLock(ctx, p.b, app, job, id); err != nil {
		p.b.Log.Warn("lock not freed; the recoverer will", "app", app, "job", job, "execution", id, "err", err)
	}
}

// freeLock deletes the lock if id holds it, at the revision that says so.
func freeLock(ctx context.Context, b *bus.Bus, app, job string, id int64) error {
	l, err := b.Locks.Get(ctx, bus.JobKey(app, job))
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil
	case err != nil || l.Value != id:
		return err
	}
	if err := b.Locks.Purge(ctx, l.Key, l.Revision, time.Minute); err != nil && !errors.Is(err, bus.ErrChanged) {
		return err
	}
	return nil
}
