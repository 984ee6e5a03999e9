package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// store chains rows to the head and publishes them, all or none. It returns the
// rows that are not stored, with the reason. After a failure it forgets the head,
// since another bus may have appended rows.
func (l *Log) store(ctx context.Context, rows []*entry) ([]*entry, error) {
	if l.head.Hash == "" {
		head, err := l.readHead(ctx)
		if err != nil {
			return rows, err
		}
		if rows, err = l.settleStored(ctx, rows, head); err != nil || len(rows) == 0 {
			return rows, err
		}
		l.head = head
	}
	writes, head, err := chainRows(rows, l.head)
	if err != nil { // no row has a value without JSON
		return rows, err
	}
	// Without a deadline: the publisher has one.
	_, err = jetio.Await(context.WithoutCancel(ctx), func(done func(uint64, error)) {
		if len(writes) > 1 {
			l.b.Pub.PublishBatch(writes, done)
		} else {
			l.b.Pub.Publish(writes[0].Msg, writes[0].Filter, writes[0].Expect, done)
		}
	})
	if err != nil {
		l.head = Mark{}
		return rows, fmt.Errorf("append to the audit: %w", err)
	}
	l.head, l.undecided = head, time.Time{}
	l.settle(rows)
	return nil, nil
}

// chainRows sets the numbers and hashes of rows that follow a mark. It returns
// their messages, and the mark of the last one.
func chainRows(rows []*entry, head Mark) ([]jetio.Write, Mark, error) {
	writes := make([]jetio.Write, len(rows))
	for i, e := range rows {
		e.row.Number, e.row.Previous = head.Number+1, head.Hash
		data, err := encodeRow(&e.row)
		if err != nil {
			return nil, head, err
		}
		e.data = data
		writes[i] = jetio.Write{Msg: &nats.Msg{Subject: subjects.AuditSubject(e.row.App), Data: data}, Filter: subjects.AllAudit, Expect: -1}
		if i == 0 {
			writes[0].Expect = int64(head.Number)
		}
		head = Mark{e.row.Number, Hash(data)}
	}
	return writes, head, nil
}

// settle tells those who wait that rows are stored.
func (l *Log) settle(rows []*entry) {
	for _, e := range rows {
		close(e.stored)
	}
	l.places.Add(-int64(len(rows)))
}

// settleStored settles the rows that an earlier attempt has stored, although it
// failed, and returns the others. It looks only after the head was read. An
// attempt that arrives later is refused, or stores the very bytes that the next
// attempt sends: as long as the head stays, a row keeps its number and its
// previous hash.
func (l *Log) settleStored(ctx context.Context, rows []*entry, head Mark) ([]*entry, error) {
	for len(rows) > 0 && rows[0].data != nil && rows[0].row.Number <= head.Number {
		m, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, rows[0].row.Number)
		if err != nil && !errors.Is(err, bus.ErrNotFound) { // a purge may have removed it
			return rows, fmt.Errorf("read the audit: %w", err)
		}
		if err != nil || !bytes.Equal(m.Data, rows[0].data) {
			return rows, nil
		}
		l.settle(rows[:1])
		rows = rows[1:]
	}
	return rows, nil
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
