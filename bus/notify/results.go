package notify

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Consumer is the durable consumer of RESULTS that the buses with a notificator
// share.
const Consumer = "notifier"

const (
	ackWait   = 30 * time.Second // after which what a silent bus has in hand goes to another
	forgotten = 24 * time.Hour   // after which a consumer that nobody asks is removed by the broker
	maxInHand = 5000             // results, by all buses: the broker hands out no more while a notificator is away
)

// follow consumes RESULTS until ctx ends and nothing is in hand any more. That
// it cannot be done now holds up nothing else.
func (n *Notifier) follow(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	// What is in hand is given back when nothing is taken any more, or it would
	// come back to this bus.
	held, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	take := func(m jetstream.Msg) { n.take(held, m, &all) }
	return bus.RetryWatch(ctx, func() error {
		if err := n.consume(ctx, take); err != nil && ctx.Err() == nil {
			n.b.Log.Warn("results not followed for notifications, trying again", "err", err)
		}
		return nil
	})
}

// consume returns when ctx has ended, or when the consumer is gone: then it has
// to be made again.
func (n *Notifier) consume(ctx context.Context, take jetstream.MessageHandler) error {
	cons, err := n.b.JS.CreateOrUpdateConsumer(ctx, subjects.ResultsStream, jetstream.ConsumerConfig{
		Durable: Consumer, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxAckPending: maxInHand, InactiveThreshold: forgotten,
		Description: "what jobs want to be notified of; shared by the control buses with a notificator",
	})
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	cc, err := cons.Consume(take, jetstream.PullMaxMessages(1000),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { n.b.Log.Debug("consuming results", "err", err) }))
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	n.keep(ctx, cc.Closed())
	cc.Stop()
	<-cc.Closed()
	return nil
}

// keep tells the broker what is in hand until ctx ends or the consuming does.
func (n *Notifier) keep(ctx context.Context, closed <-chan struct{}) {
	tick := time.NewTicker(ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.hands.keep()
		case <-closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// take gets one result. Most are of no interest, so that is found out first.
func (n *Notifier) take(ctx context.Context, m jetstream.Msg, all *sync.WaitGroup) {
	asked := n.asked(m.Subject())
	if len(asked) == 0 {
		_ = m.Ack() // it comes again
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		n.b.Log.Error("a result without metadata", "subject", m.Subject(), "err", err)
		return
	}
	r, err := bus.DecodeResult(m.Subject(), meta.Sequence.Stream, m.Headers(), m.Data())
	if err != nil { // who records it says so
		_ = m.Term() // it comes again
		return
	}
	if asked = perhaps(asked, r); len(asked) == 0 {
		_ = m.Ack() // it comes again
		return
	}
	if n.hands.take(r.Sequence, m) {
		all.Go(func() { n.notify(ctx, r, asked, int(meta.NumDelivered)) })
	}
}

// asked are the notifications of the job that a result is of.
func (n *Notifier) asked(subject string) []bus.StatusNotification {
	app, job, _, _, err := subjects.ParseResultSubject(subject)
	if err != nil {
		return nil
	}
	def, _, ok := n.x.Definition(app, job)
	if !ok {
		return nil
	}
	return def.Settings.Notifications
}

// perhaps are the notifications that a result may be for, as far as it alone
// can tell.
func perhaps(asked []bus.StatusNotification, r *bus.StoredResult) (some []bus.StatusNotification) {
	for _, a := range asked {
		exit := a.ExitStatus != "" && r.BatchStatus.Ended() && (r.ExitStatus == "" || r.ExitStatus == a.ExitStatus)
		if a.BatchStatus == r.BatchStatus || exit {
			some = append(some, a)
		}
	}
	return some
}

// notify sends what is asked for, and is done with the result when all of it is
// settled.
func (n *Notifier) notify(ctx context.Context, r *bus.StoredResult, asked []bus.StatusNotification, delivered int) {
	e, changed, err := n.life.At(ctx, r)
	if err != nil {
		n.later(ctx, r, delivered, err)
		return
	}
	var all sync.WaitGroup
	var open atomic.Bool
	for _, a := range asked {
		status := a.BatchStatus == e.BatchStatus && changed
		exit := a.ExitStatus != "" && a.ExitStatus == e.ExitStatus && e.BatchStatus.Ended()
		if status || exit {
			all.Go(func() {
				if !n.post.send(ctx, n.message(e, a.Type, statusBody(e, n.x.JobName(e.App, e.Job)))) {
					open.Store(true)
				}
			})
		}
	}
	all.Wait()
	if open.Load() { // this bus ends
		n.hands.back(r.Sequence, 0)
		return
	}
	n.hands.settle(ctx, r.Sequence)
}

// later gives back a result whose execution could not be read: its record may
// not be written yet, or be gone.
func (n *Notifier) later(ctx context.Context, r *bus.StoredResult, delivered int, err error) {
	switch {
	case ctx.Err() != nil:
		n.hands.back(r.Sequence, 0)
	case delivered < tries:
		n.hands.back(r.Sequence, pause(delivered))
	default:
		n.b.Log.Warn("notification given up: the execution cannot be read", "app", r.App, "job", r.Job, "execution", r.ID, "err", err)
		n.hands.settle(ctx, r.Sequence)
	}
}
