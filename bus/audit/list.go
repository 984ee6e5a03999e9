package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	chunk    = 500    // rows that are read at once when a query has filters
	maxRead  = 20_000 // rows that one query reads
	readWait = 10 * time.Second
	// timeSlack bounds by how much the time of a row differs from the time when
	// the broker stored it: rows wait for a broker that is away, and the clocks
	// of buses differ.
	timeSlack = time.Hour
)

// Query selects rows.
type Query struct {
	From, To  time.Time // from From, before To; zero: no limit
	User, App string    // empty: any
	Action    string
	Kind      string // of the object
	Name      string // of the object, or of the job of an execution
	Oldest    bool   // first; else the newest is
	After     uint64 // number of the row that the page follows; 0: none
	Limit     int
}

// matches reports whether a query selects a row.
func (q *Query) matches(r *Row) bool {
	at := r.Time.Std()
	return (q.From.IsZero() || !at.Before(q.From)) && (q.To.IsZero() || at.Before(q.To)) &&
		(q.User == "" || q.User == r.User) && (q.App == "" || q.App == r.App) && (q.Action == "" || q.Action == r.Action) &&
		(q.Kind == "" || q.Kind == r.Kind) && (q.Name == "" || q.Name == r.Name || q.Name == r.Job)
}

// Stored is a row as it is stored.
type Stored struct {
	Row
	Sequence uint64
	Data     []byte
}

// Page is a part of the rows that a query selects.
type Page struct {
	Rows []Stored
	// Next is the number of the last row that was read, for After of the next
	// page; 0 if there are no more rows. A page may be short, or empty, and have
	// a next one: a query reads 20,000 rows at most.
	Next uint64
	Head Mark   // the last row
	Last uint64 // sequence of the last row that was ever stored
}

// List reads a page of rows.
func (l *Log) List(ctx context.Context, q Query) (p Page, err error) {
	s, err := l.b.JS.Stream(ctx, subjects.AuditStream)
	if err != nil {
		return p, fmt.Errorf("read the audit: %w: %w", bus.ErrAway, err)
	}
	state := s.CachedInfo().State
	p.Last = state.LastSeq
	if p.Head, err = l.headOf(ctx, state); err != nil || state.Msgs == 0 {
		return p, err
	}
	low, high, err := l.rangeOf(ctx, state, &q)
	if err != nil {
		return p, err
	}
	size := uint64(chunk)
	if q.User+q.App+q.Action+q.Kind+q.Name == "" {
		size = uint64(q.Limit)
	}
	for read := uint64(0); low <= high && len(p.Rows) < q.Limit; read += size {
		if read >= maxRead {
			return p, nil
		}
		from, to := low, min(high, low+size-1)
		if !q.Oldest {
			from, to = max(low, high-min(high, size-1)), high
		}
		rows, err := l.readRange(ctx, from, to)
		if err != nil {
			return p, err
		}
		if q.Oldest {
			low, p.Next = to+1, to
		} else {
			high, p.Next = from-1, from
			slices.Reverse(rows)
		}
		for i := range rows {
			if q.matches(&rows[i].Row) {
				p.Rows = append(p.Rows, rows[i])
			}
		}
	}
	switch {
	case len(p.Rows) > q.Limit:
		p.Rows = p.Rows[:q.Limit]
		p.Next = p.Rows[q.Limit-1].Sequence
	case low > high:
		p.Next = 0
	}
	return p, nil
}

// headOf returns the last row of a stream in a known state: rows that were
// appended since then are not in the page.
func (l *Log) headOf(ctx context.Context, state jetstream.StreamState) (Mark, error) {
	m, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, max(state.LastSeq, 1))
	switch {
	case errors.Is(err, bus.ErrNotFound): // somebody removed the last row
		return l.readHead(ctx)
	case err != nil:
		return Mark{}, fmt.Errorf("read the audit: %w", err)
	}
	return Mark{m.Sequence, Hash(m.Data)}, nil
}

// rangeOf returns the sequences that a query has to read.
func (l *Log) rangeOf(ctx context.Context, state jetstream.StreamState, q *Query) (low, high uint64, err error) {
	low, high = state.FirstSeq, state.LastSeq
	if !q.From.IsZero() {
		if low, err = l.sequenceAt(ctx, state, q.From.Add(-timeSlack)); err != nil {
			return 0, 0, err
		}
	}
	if !q.To.IsZero() {
		if high, err = l.sequenceAt(ctx, state, q.To.Add(timeSlack)); err != nil {
			return 0, 0, err
		}
		high = min(high, state.LastSeq)
	}
	switch {
	case q.After != 0 && q.Oldest:
		low = max(low, q.After+1)
	case q.After != 0:
		high = min(high, q.After-1)
	}
	return low, high, nil
}

// sequenceAt returns the first sequence that was stored at or after a moment,
// or the one after the last.
func (l *Log) sequenceAt(ctx context.Context, state jetstream.StreamState, at time.Time) (uint64, error) {
	var failed error
	n := sort.Search(int(state.LastSeq-state.FirstSeq+1), func(i int) bool {
		if failed != nil {
			return true
		}
		m, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, state.FirstSeq+uint64(i))
		if errors.Is(err, bus.ErrNotFound) {
			return true
		}
		failed = err
		return err != nil || !m.Time.Before(at)
	})
	if failed != nil {
		return 0, fmt.Errorf("read the audit: %w", failed)
	}
	return state.FirstSeq + uint64(n), nil
}

// readRange reads the rows from one sequence to another, which need not all
// exist. A row that cannot be decoded has only its data. It asks the leader
// whether there are more rows: the consumer may be on a replica that lags, or may
// have ended.
func (l *Log) readRange(ctx context.Context, from, to uint64) (rows []Stored, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	for {
		some, fetchErr := l.fetchRange(ctx, from, to)
		if rows = append(rows, some...); len(some) > 0 {
			from = some[len(some)-1].Sequence + 1
		}
		if from > to {
			return rows, nil
		}
		m, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, from)
		switch {
		case errors.Is(err, bus.ErrNotFound), err == nil && m.Sequence > to:
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("read the audit: %w", err)
		}
		select {
		case <-time.After(jetio.RetryDelay):
		case <-ctx.Done():
			return nil, fmt.Errorf("read the audit: %w: %w", bus.ErrAway, cmp.Or(fetchErr, ctx.Err()))
		}
	}
}

// fetchRange reads rows by a consumer until there are no more, or until it
// fails. It returns those that it has read.
func (l *Log) fetchRange(ctx context.Context, from, to uint64) (rows []Stored, err error) {
	consumer, err := l.b.JS.OrderedConsumer(ctx, subjects.AuditStream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	if info := consumer.CachedInfo(); info != nil {
		defer func() {
			// Otherwise the broker deletes it after a minute.
			_ = l.b.JS.DeleteConsumer(context.WithoutCancel(ctx), subjects.AuditStream, info.Name)
		}()
		if info.NumPending == 0 {
			return nil, nil
		}
	}
	batch, err := consumer.Fetch(int(to-from+1), jetstream.FetchContext(ctx))
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return rows, err
		}
		n := meta.Sequence.Stream
		if n <= to {
			r, _ := decodeRow(m.Data()) // a verification finds it
			rows = append(rows, Stored{r, n, m.Data()})
		}
		if n >= to || meta.NumPending == 0 {
			return rows, nil
		}
	}
	return rows, batch.Error()
}
