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
	// startDelay is the delay of the write of a start, in case the end follows,
	// so that a short execution costs one write of its record.
	startDelay = 100 * time.Millisecond
	// progressEvery is the least time between two writes of a record that show
	// the progress of steps only, such as the commits of a chunk.
	progressEvery = time.Second
	// maxPendingBytes is how much steps may keep in results of one execution
	// that wait for the next write.
	maxPendingBytes = 4 << 20
	// maxFetchedBytes is the size of the results that the bus fetches ahead.
	maxFetchedBytes = 64 << 20
	// maxWrites is the maximum number of records that are written at a time;
	// one write per execution.
	maxWrites = 256
	// ackWait is the time after which the broker delivers results to another
	// bus if this bus received but did not record them.
	ackWait = 10 * time.Second
	// maxTracks is the number of records of live executions that are cached to
	// avoid a read.
	maxTracks = 20_000
	// maxPending is the maximum number of received results without an
	// acknowledgement.
	maxPending = 20_000
	// unreadableEvery is the least time between two lines in the log about
	// unreadable results.
	unreadableEvery = 10 * time.Second
)

// projectorConsumer is the durable consumer that all buses share.
const projectorConsumer = "projector"

// projector folds results into records. Two buses receive results in any order;
// the expected sequences tell which result follows which.
type projector struct {
	b *bus.Bus
	x *index.Index

	freeLimits func(e *bus.Execution) // of an execution that has ended

	mu      sync.Mutex
	tracks  map[trackKey]*track
	writes  int
	ready   []*track // to write when a write in flight has ended
	closing bool

	unreadable       int // results since the last line about them in the log
	unreadableLogged time.Time

	idle *sync.Cond // signalled when a write has ended
}

// trackKey names an execution as its results do. An agent chooses the id in the
// subject of a result, so the id alone may be that of another application.
type trackKey struct {
	app, job string
	id       int64
}

// track is an execution for which this bus holds results or a submission.
type track struct {
	trackKey
	rec      *bus.Execution // the last written version, immutable; nil: not read yet
	rev      uint64
	busy     bool // being created, read or written
	creating bool
	queued   bool // in ready
	timer    *time.Timer
	due      time.Time // when timer fires
	overdue  bool      // it was to be written while it was busy
	pending  []pendingResult
	// How much steps keep in the pending results, in bytes.
	pendingBytes int
	wrote        time.Time // when the record was last written
	thin         thinning
}

// pendingResult is a result that is not folded yet.
type pendingResult struct {
	*bus.StoredResult
	ack func() error // nil if it was read from RESULTS, not delivered
}

func newProjector(b *bus.Bus, x *index.Index) *projector {
	p := &projector{b: b, x: x, tracks: map[trackKey]*track{}}
	p.idle = sync.NewCond(&p.mu)
	return p
}

// consumeResults consumes RESULTS until ctx ends, then finishes the writes in
// flight.
func (p *projector) consumeResults(ctx context.Context) error {
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
	cc, err := cons.Consume(p.receiveResult, jetstream.PullMaxMessagesWithBytesLimit(2000, maxFetchedBytes), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		p.b.Log.Debug("error from the consumer of results", "err", err)
	}))
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	<-ctx.Done()
	cc.Stop()
	<-cc.Closed()
	p.finishWrites()
	return nil
}

// finishWrites writes the delayed starts and waits for the writes in flight.
// The broker delivers results that cannot be written to another bus.
func (p *projector) finishWrites() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for _, t := range p.tracks {
		p.scheduleWrite(t)
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

// receiveResult handles one message of RESULTS.
func (p *projector) receiveResult(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		p.b.Log.Error("result without metadata skipped", "subject", m.Subject(), "err", err)
		return
	}
	r, err := bus.DecodeResult(m.Subject(), meta.Sequence.Stream, m.Headers(), m.Data())
	if err != nil { // no bus can ever decode it
		p.reportUnreadable(err)
		_ = m.Term() // otherwise the broker delivers it again
		return
	}
	p.addResult(pendingResult{r, m.Ack})
}

// reportUnreadable logs the first unreadable result, and later ones together:
// an agent can publish any number.
func (p *projector) reportUnreadable(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unreadable++
	if now := time.Now(); now.Sub(p.unreadableLogged) >= unreadableEvery {
		p.b.Log.Error("unreadable results skipped", "count", p.unreadable, "err", err)
		p.unreadable, p.unreadableLogged = 0, now
	}
}

// addResult adds a result to its track. It folds an end without delay, a change
// of the status after startDelay, and the progress of steps at most every
// progressEvery.
func (p *projector) addResult(r pendingResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trackOf(trackKey{r.App, r.Job, r.ID})
	t.pending = append(t.pending, r)
	t.pendingBytes += keptBytes(r.Steps)
	if r.BatchStatus.Ended() || r.ack == nil || t.pendingBytes > maxPendingBytes {
		p.scheduleWrite(t)
		return
	}
	delay := startDelay
	if t.rec != nil && t.rec.Attempt == r.Attempt && t.rec.BatchStatus == r.BatchStatus {
		delay = max(delay, progressEvery-time.Since(t.wrote))
	}
	if !p.closing {
		p.scheduleLater(t, delay)
	}
}

// scheduleLater writes t after a delay, or earlier if that is due. p.mu is held.
func (p *projector) scheduleLater(t *track, delay time.Duration) {
	due := time.Now().Add(delay)
	if t.timer != nil {
		if due.Before(t.due) {
			t.due = due
			t.timer.Reset(delay)
		}
		return
	}
	t.due = due
	t.timer = time.AfterFunc(delay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		t.timer = nil
		p.scheduleWrite(t)
	})
}

// keptBytes returns how much the steps of a result keep.
func keptBytes(steps []subjects.StepExecution) (n int) {
	for i := range steps {
		n += sizeOf(&steps[i].StepData)
		for j := range steps[i].Partitions {
			n += sizeOf(&steps[i].Partitions[j].StepData)
		}
	}
	return n
}

func (p *projector) trackOf(key trackKey) *track {
	t := p.tracks[key]
	if t == nil {
		t = &track{trackKey: key}
		p.tracks[key] = t
	}
	return t
}

// scheduleWrite writes t, or queues it if too many writes are in flight. p.mu
// is held.
func (p *projector) scheduleWrite(t *track) {
	if t.busy || t.queued || len(t.pending) == 0 {
		t.overdue = t.busy
		return
	}
	if p.writes >= maxWrites {
		t.queued = true
		p.ready = append(p.ready, t)
		return
	}
	p.writeRecord(t)
}

// writeRecord folds the pending results and writes the record. p.mu is held.
func (p *projector) writeRecord(t *track) {
	t.busy, t.overdue, t.wrote = true, false, time.Now()
	p.writes++
	if t.rec == nil {
		go p.loadRecord(t)
		return
	}
	// Stable, since refoldMissing puts what it read before its duplicates.
	slices.SortStableFunc(t.pending, func(a, b pendingResult) int { return cmp.Compare(a.Sequence, b.Sequence) })
	e := *t.rec
	data := stepChanges{}
	folded, missing := p.foldPending(t, &e, data)
	switch {
	case e.LastSequence > t.rec.LastSequence:
	case missing:
		go p.refoldMissing(t, &e)
		return
	default:
		p.finishEmptyWrite(t, nil)
		return
	}
	taken := t.pending[:folded:folded]
	t.pending = t.pending[folded:]
	t.pendingBytes = 0
	write := func() {
		// The callback may run before Write returns.
		p.b.Executions.Write(e.Key(), e, t.rev, func(rev uint64, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.writeDone(t, taken, &e, rev, err)
		})
	}
	if len(data) == 0 {
		write()
		return
	}
	go func() { // first what steps keep: the record must not be ahead of it
		ctx, cancel := context.WithTimeout(context.Background(), 2*bus.AckTimeout)
		defer cancel()
		if err := storeStepData(ctx, p.b, &e, data); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.writeDone(t, taken, nil, 0, err)
			return
		}
		write()
	}()
}

// foldPending folds the pending results into e and data, and returns how many it
// folded.
// missing is true if a result before the next one is missing. p.mu is held.
func (p *projector) foldPending(t *track, e *bus.Execution, data stepChanges) (folded int, missing bool) {
	skippedCount := 0
	for i, r := range t.pending {
		switch foldWithData(e, r.StoredResult, data) {
		case gap:
			folded, missing = i, true
		case skipped:
			skippedCount++
			fallthrough
		case applied, held:
			folded = i + 1
		}
		if missing {
			break
		}
	}
	if skippedCount > 0 {
		p.b.Log.Warn("results skipped: their agent has not claimed the attempt, or it has ended",
			"app", t.app, "job", t.job, "execution", t.id, "count", skippedCount, "last_sequence", e.LastSequence)
	}
	return folded, missing
}

// finishEmptyWrite ends a write that wrote nothing. The pending results are
// done with, or stay pending if err is not nil. p.mu is held.
func (p *projector) finishEmptyWrite(t *track, err error) {
	taken := t.pending
	t.pending = nil
	p.writeDone(t, taken, nil, 0, err)
}

// writeDone ends a write of e, or of nothing if e is nil. p.mu is held.
func (p *projector) writeDone(t *track, taken []pendingResult, e *bus.Execution, rev uint64, err error) {
	t.busy = false
	p.writes--
	p.idle.Broadcast()
	if err != nil {
		t.pending = append(taken, t.pending...)
		t.rec = nil // another bus wrote it, or the outcome is unknown: read it again
		if !errors.Is(err, bus.ErrChanged) {
			p.b.Log.Warn("record not written, retrying", "execution", t.id, "err", err)
			time.AfterFunc(time.Second, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.scheduleWrite(t)
			})
			return
		}
		p.scheduleWrite(t)
		p.writeReady()
		return
	}
	if e != nil {
		t.rec, t.rev = e, rev
		p.x.PutExecution(e, rev)
		p.thinResults(t, e, taken)
		if !mayRestart(e.BatchStatus) && e.KeepsStepData() {
			go p.purgeStepData(e)
		}
		if e.BatchStatus.Ended() && e.Exclusive {
			go p.releaseLock(e.App, e.Job, e.ID)
		}
		if e.BatchStatus.Ended() && e.Limits != "" {
			p.freeLimits(e)
		}
	}
	for _, r := range taken {
		if r.ack != nil {
			_ = r.ack() // if this fails, it is delivered again, and skipped as held
		}
	}
	switch {
	case len(t.pending) == 0:
		p.releaseTrack(t)
	case t.overdue || t.timer == nil:
		p.scheduleWrite(t)
	}
	p.writeReady()
}

// releaseTrack drops an idle track once its execution has ended, or earlier if
// the cache is full. p.mu is held.
func (p *projector) releaseTrack(t *track) {
	if !t.busy && len(t.pending) == 0 && (t.rec == nil || t.rec.BatchStatus.Ended() || len(p.tracks) > maxTracks) {
		delete(p.tracks, t.trackKey)
	}
}

// writeReady writes queued tracks while fewer than maxWrites writes are in
// flight. p.mu is held.
func (p *projector) writeReady() {
	for len(p.ready) > 0 && p.writes < maxWrites {
		t := p.ready[0]
		p.ready = p.ready[1:]
		t.queued = false
		if !t.busy && len(t.pending) > 0 {
			p.writeRecord(t)
		}
	}
}
