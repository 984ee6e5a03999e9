package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	queueSize   = 4096            // rows that wait while the stream cannot be written
	maxInFlight = 256             // rows that are published at once
	appendWait  = 2 * time.Second // how long a request waits for its row
	retryAfter  = time.Second     // pause after a failure
	stopTimeout = 2 * time.Second // for the rows that wait when the bus stops
)

// ErrWaiting means that a row is not stored yet. The log tries again.
var ErrWaiting = errors.New("the audit row is not stored yet")

// ErrLost means that too many rows wait: the row is only in the log.
var ErrLost = errors.New("too many audit rows wait to be stored: this one is lost")

// Log appends rows to the audit and reads them. Append works while Run runs.
type Log struct {
	b       *bus.Bus
	queue   chan *entry
	failure atomic.Pointer[error] // why rows wait; nil: none does for long
	head    Mark                  // the last known row, only for Run
}

// entry is a row that waits to be stored.
type entry struct {
	row    Row
	data   []byte
	stored chan struct{} // closed when it is
}

// New returns the audit of a bus.
func New(b *bus.Bus) *Log { return &Log{b: b, queue: make(chan *entry, queueSize)} }

// Append appends a row and blocks until it is stored, for 2 s at most. It sets
// number, previous, time and bus. A row that cannot be stored waits and is tried
// again; the error is then [ErrWaiting], or [ErrLost] if too many wait. The end
// of ctx does not withdraw the row.
func (l *Log) Append(ctx context.Context, r Row) error {
	r.Bus, r.Time = l.b.Name(), subjects.Now()
	e := &entry{row: r, stored: make(chan struct{})}
	select {
	case l.queue <- e:
	default:
		l.logRow("audit row lost", &r, ErrLost)
		return ErrLost
	}
	if err := l.Healthy(); err != nil {
		return fmt.Errorf("%w: %w", ErrWaiting, err)
	}
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

// Healthy returns an error while rows wait because the stream cannot be
// written.
func (l *Log) Healthy() error {
	if err := l.failure.Load(); err != nil {
		return fmt.Errorf("the audit cannot be written: %d changes wait for their rows: %w", len(l.queue)+1, *err)
	}
	return nil
}

// Run stores the rows until ctx ends, and purges old ones.
func (l *Log) Run(ctx context.Context) error {
	purged := make(chan error, 1)
	go func() { purged <- l.runPurge(ctx) }()
	var waiting []*entry
	for ctx.Err() == nil {
		if waiting = l.takeWaiting(ctx, waiting); len(waiting) == 0 {
			break
		}
		waiting = l.tryStore(ctx, waiting)
	}
	err := <-purged
	l.storeLast(context.WithoutCancel(ctx), waiting)
	return err
}

// takeWaiting adds rows of the queue to those that wait. It blocks until there
// is one, or until ctx ends.
func (l *Log) takeWaiting(ctx context.Context, waiting []*entry) []*entry {
	if len(waiting) == 0 {
		select {
		case e := <-l.queue:
			waiting = append(waiting, e)
		case <-ctx.Done():
			return nil
		}
	}
	for len(waiting) < maxInFlight {
		select {
		case e := <-l.queue:
			waiting = append(waiting, e)
		default:
			return waiting
		}
	}
	return waiting
}

// tryStore stores rows and returns those that are not stored. After a failure it
// pauses.
func (l *Log) tryStore(ctx context.Context, rows []*entry) []*entry {
	rest, err := l.store(ctx, rows)
	switch {
	case len(rest) == 0:
		if l.failure.Swap(nil) != nil {
			l.b.Log.Info("the audit can be written again")
		}
	case err != nil && !errors.Is(err, bus.ErrChanged) && ctx.Err() == nil:
		if l.failure.Swap(&err) == nil {
			l.logRow("audit row not stored, retrying", &rest[0].row, err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
	return rest
}

// storeLast stores the rows that wait when the bus stops. What cannot be stored
// is only in the log.
func (l *Log) storeLast(ctx context.Context, waiting []*entry) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for {
		select {
		case e := <-l.queue:
			waiting = append(waiting, e)
			continue
		default:
		}
		break
	}
	var err error
	for len(waiting) > 0 && (err == nil || errors.Is(err, bus.ErrChanged)) && ctx.Err() == nil {
		var rest []*entry
		n := min(len(waiting), maxInFlight)
		rest, err = l.store(ctx, waiting[:n])
		waiting = append(rest, waiting[n:]...)
	}
	for _, e := range waiting {
		l.logRow("audit row lost", &e.row, err)
	}
}

// store chains rows to the head and publishes them, all or none. It returns the
// rows that are not stored, with the reason.
func (l *Log) store(ctx context.Context, rows []*entry) ([]*entry, error) {
	if l.head.Hash == "" {
		head, err := l.readHead(ctx)
		if err != nil {
			return rows, err
		}
		l.head = head
	}
	head := l.head
	writes := make([]jetio.Write, len(rows))
	for i, e := range rows {
		e.row.Number, e.row.Previous = head.Number+1, head.Hash
		data, err := encodeRow(&e.row)
		if err != nil { // no row has a value without JSON
			return rows, err
		}
		e.data = data
		writes[i] = jetio.Write{Msg: &nats.Msg{Subject: subjects.AuditSubject(e.row.App), Data: data}, Filter: subjects.AllAudit, Expect: -1}
		head = Mark{e.row.Number, Hash(data)}
	}
	writes[0].Expect = int64(l.head.Number)
	// Without a deadline: the publisher has one.
	_, err := jetio.Await(context.WithoutCancel(ctx), func(done func(uint64, error)) {
		if len(writes) > 1 {
			l.b.Pub.PublishBatch(writes, done)
		} else {
			l.b.Pub.Publish(writes[0].Msg, writes[0].Filter, writes[0].Expect, done)
		}
	})
	if err != nil {
		return l.resolveFailed(ctx, rows, err)
	}
	l.head = head
	for _, e := range rows {
		close(e.stored)
	}
	return nil, nil
}

// resolveFailed finds out which rows are stored although their outcome is
// unknown, or was another one. It forgets the head, since another bus may have
// appended rows.
func (l *Log) resolveFailed(ctx context.Context, rows []*entry, reason error) ([]*entry, error) {
	l.head = Mark{}
	for len(rows) > 0 {
		m, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, rows[0].row.Number)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			return rows, reason
		case err != nil:
			return rows, fmt.Errorf("read the audit: %w", err)
		case !bytes.Equal(m.Data, rows[0].data):
			return rows, fmt.Errorf("append to the audit: %w", bus.ErrChanged)
		}
		close(rows[0].stored)
		rows = rows[1:]
	}
	return nil, nil
}

// readHead reads the last row from the leader.
func (l *Log) readHead(ctx context.Context) (Mark, error) {
	m, err := jetio.ReadLast(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return origin, nil
	case err != nil:
		return Mark{}, fmt.Errorf("read the audit: %w", err)
	}
	return Mark{m.Sequence, Hash(m.Data)}, nil
}

// logRow writes a row that is not in the stream to the log of the process.
func (l *Log) logRow(message string, r *Row, err error) {
	data, _ := encodeRow(r) // without its data the log still has the error
	l.b.Log.Error(message, "row", string(data), "err", err)
}
