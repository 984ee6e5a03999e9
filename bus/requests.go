package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Request publishes a request for an attempt. [ErrChanged] means that the queue
// already has a request of the execution. That may be an old one, which an
// agent will drop.
func (b *Bus) Request(r *subjects.Request, done func(err error)) {
	data, err := encodeJSON(r)
	if err != nil {
		done(fmt.Errorf("encode request of %d: %w", r.Execution.ID, err))
		return
	}
	e := &r.Execution
	subject := subjects.RequestSubject(e.App, e.Pool, e.Priority, e.ID)
	b.queuePublisher(e.App).Publish(&nats.Msg{Subject: subject, Data: data}, subject, 0, func(_ uint64, err error) {
		if err != nil {
			err = fmt.Errorf("request attempt %d of %d: %w", r.Attempt, e.ID, err)
		}
		done(err)
	})
}

// queuePublisher returns the publisher for an application's work queue.
func (b *Bus) queuePublisher(app string) publisher {
	if !b.cfg.Group {
		return b.Pub
	}
	l, ok := b.batchers.Load(app)
	if !ok {
		l, _ = b.batchers.LoadOrStore(app, jetio.NewBatcher(b.Pub))
	}
	return l.(*jetio.Batcher)
}

// PurgeRequest removes the request of an execution from its queue, if there is
// one.
func (b *Bus) PurgeRequest(ctx context.Context, e *subjects.Execution) error {
	s, err := b.JS.Stream(ctx, subjects.RequestStream(e.App))
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subjects.RequestSubject(e.App, e.Pool, e.Priority, e.ID)))
	}
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("purge request of %d: %w", e.ID, err)
	}
	return nil
}

// QueuedRequests returns the ids of all executions with a request in the
// application's queue, delivered or not.
func (b *Bus) QueuedRequests(ctx context.Context, app string) (map[int64]bool, error) {
	queued := map[int64]bool{}
	s, err := b.JS.Stream(ctx, subjects.RequestStream(app))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return queued, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the queue of %s: %w", app, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the server sends many subjects in pages
	defer cancel()
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjects.AllRequests(app)))
	if err != nil {
		return nil, fmt.Errorf("read the queue of %s: %w", app, err)
	}
	for subject := range info.State.Subjects {
		if id, err := strconv.ParseInt(subject[strings.LastIndexByte(subject, '.')+1:], 10, 64); err == nil {
			queued[id] = true
		}
	}
	return queued, nil
}
