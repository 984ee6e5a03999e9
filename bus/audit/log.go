package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	maxWaiting  = 4096                  // rows that have a place
	maxBatch    = 500                   // rows that are published at once; the broker allows 1,000
	flushDelay  = 50 * time.Millisecond // how long rows wait for others when nobody waits for them
	appendWait  = jetio.AckTimeout      // how long a request waits for its row
	retryAfter  = time.Second           // pause after a failure
	stopTimeout = 2 * time.Second       // for the rows that wait when the bus stops
)

// ErrUnavailable means that the audit cannot be written, so that nothing may be
// changed.
var ErrUnavailable = errors.New("the audit cannot be written")

var errTooMany = fmt.Errorf("%w: %d rows wait", ErrUnavailable, maxWaiting)

// ErrWaiting means that a row is not stored yet. The log tries again.
var ErrWaiting = errors.New("the row of the audit is not stored yet")

// Log appends rows to the audit and reads them. Rows are stored while Run runs.
type Log struct {
	b         *bus.Bus
	queue     chan *entry // never full: each row in it has a place
	places    atomic.Int64
	failure   atomic.Pointer[error] // why rows wait; nil: none does for long
	refused   refusals
	undecided time.Time // when a write was first undecided that still is; only for Run
	head      Mark      // the last known row; only for Run
}

// entry is a row that waits to be stored.
type entry struct {
	row    Row
	data   []byte
	urgent bool          // somebody waits for it
	stored chan struct{} // closed when it is
}

// New returns the audit of a bus.
func New(b *bus.Bus) *Log { return &Log{b: b, queue: make(chan *entry, maxWaiting)} }

// Reserve takes a place for one row, or returns an error that is
// [ErrUnavailable]: too many rows wait, or, if now is true, any row waits because
// it could not be stored. The caller then calls Append, AppendLater or Release,
// once.
func (l *Log) Reserve(ctx context.Context, now bool) error {
	if now {
		if err := l.Healthy(ctx); err != nil {
			return err
		}
	}
	if !l.takePlace() {
		return cmp.Or(l.Healthy(ctx), errTooMany)
	}
	return nil
}

// takePlace takes a place for one row, or returns false: too many rows wait.
func (l *Log) takePlace() bool {
	if l.places.Add(1) > maxWaiting {
		l.places.Add(-1)
		return false
	}
	return true
}

// Append appends a row, for which a place was reserved, and blocks until it is
// stored, for 5 s at most. It sets number, previous, time and bus. If the row is
// not stored then, it waits and is tried again; the error is [ErrWaiting]. The
// end of ctx does not withdraw the row.
func (l *Log) Append(ctx context.Context, r Row) error {
	e := l.enqueue(r, true)
	late := time.NewTimer(appendWait)
	defer late.Stop()
	select {
	case <-e.stored:
		return nil
	case <-late.C:
	case <-ctx.Done():
	}
	return ErrWaiting
}

// AppendLater appends a row, for which a place was reserved, and does not wait
// for it.
func (l *Log) AppendLater(r Row) { l.enqueue(r, false) }

// Release gives a reserved place back.
func (l *Log) Release() { l.places.Add(-1) }

func (l *Log) enqueue(r Row, urgent bool) *entry {
	r.Bus, r.Time = l.b.Name(), subjects.Now()
	e := &entry{row: r, urgent: urgent, stored: make(chan struct{})}
	l.queue <- e
	return e
}

// Record appends a row of the control bus itself, and does not wait for it. The
// row is only in the log of the process if too many rows wait.
func (l *Log) Record(r Row) {
	r.User = Bus
	if !l.takePlace() {
		l.logLost(&r, errTooMany)
		return
	}
	l.AppendLater(r)
}

// Healthy returns an error that is [ErrUnavailable] while rows wait because
// they could not be stored. If JetStream has no room left, it is [bus.ErrFull]
// too, even if the write itself only got no answer.
func (l *Log) Healthy(ctx context.Context) error {
	failure := l.failure.Load()
	if failure == nil {
		return nil
	}
	return fmt.Errorf("%w: %d rows wait: %w", ErrUnavailable, l.places.Load(), cmp.Or(l.b.Room(ctx), *failure))
}

// Run stores the rows until ctx ends, and purges old ones.
func (l *Log) Run(ctx context.Context) error {
	purged, counted := make(chan error, 1), make(chan struct{})
	go func() { purged <- l.runPurge(ctx) }()
	go func() { defer close(counted); l.runRefused(ctx) }()
	var waiting []*entry
	for ctx.Err() == nil {
		waiting = l.tryStore(ctx, l.takeWaiting(ctx, waiting))
	}
	err := <-purged
	<-counted
	l.storeLast(context.WithoutCancel(ctx), waiting)
	return err
}

// takeWaiting adds rows of the queue to those that wait. It blocks until there
// is a row for which somebody waits, until the oldest has waited for flushDelay,
// until there are enough rows for a batch, or until ctx ends.
func (l *Log) takeWaiting(ctx context.Context, waiting []*entry) []*entry {
	var flush <-chan time.Time
	urgent := false
	for _, e := range waiting {
		urgent = urgent || e.urgent
	}
	for len(waiting) < maxBatch {
		select {
		case e := <-l.queue:
			waiting, urgent = append(waiting, e), urgent || e.urgent
			continue
		default:
		}
		if urgent {
			return waiting
		}
		if flush == nil && len(waiting) > 0 {
			flush = time.After(flushDelay)
		}
		select {
		case e := <-l.queue:
			waiting, urgent = append(waiting, e), e.urgent
		case <-flush:
			return waiting
		case <-ctx.Done():
			return waiting
		}
	}
	return waiting
}

// tryStore stores rows and returns those that are not stored. After a failure it
// pauses.
func (l *Log) tryStore(ctx context.Context, rows []*entry) []*entry {
	if len(rows) == 0 {
		return nil
	}
	rest, err := l.store(ctx, rows)
	pause := retryAfter
	switch {
	case err == nil:
		if l.failure.Swap(nil) != nil {
			l.b.Log.Info("the audit can be written again")
		}
		return rest
	case errors.Is(err, bus.ErrChanged) || ctx.Err() != nil:
		return rest
	case l.isShort(err):
		pause = jetio.RetryDelay + rand.N(jetio.RetryDelay) // the other buses do not wait equally long
	case l.failure.Swap(&err) == nil:
		l.b.Log.Error("audit rows not stored, retrying", "rows", len(rest), "err", err)
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
	return rest
}

// isShort reports whether a failure means only that the cluster is storing rows
// of another bus, and has not meant that for long.
func (l *Log) isShort(err error) bool {
	if !errors.Is(err, jetio.ErrUndecided) {
		l.undecided = time.Time{}
		return false
	}
	if l.undecided.IsZero() {
		l.undecided = time.Now()
	}
	return time.Since(l.undecided) < jetio.AckTimeout
}

// storeLast stores the rows that wait when the bus stops. What cannot be stored
// is only in the log.
func (l *Log) storeLast(ctx context.Context, waiting []*entry) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for more := true; more; {
		select {
		case e := <-l.queue:
			waiting = append(waiting, e)
		default:
			more = false
		}
	}
	var err error
	for len(waiting) > 0 && ctx.Err() == nil {
		var rest []*entry
		n := min(len(waiting), maxBatch)
		rest, err = l.store(ctx, waiting[:n])
		waiting = append(rest, waiting[n:]...)
		switch {
		case errors.Is(err, jetio.ErrUndecided):
			time.Sleep(jetio.RetryDelay)
		case err != nil && !errors.Is(err, bus.ErrChanged):
			cancel()
		}
	}
	for _, e := range waiting {
		l.logLost(&e.row, cmp.Or(err, ctx.Err()))
	}
}

// logLost writes a row that will not be in the stream to the log of the process.
func (l *Log) logLost(r *Row, err error) {
	data, _ := encodeRow(r) // without its data the log still has the error
	l.b.Log.Error("audit row lost", "row", string(data), "err", err)
}
