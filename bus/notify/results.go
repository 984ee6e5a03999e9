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
	ackWait        = 30 * time.Second // after which the results of a silent bus go to another bus
	consumerExpiry = 24 * time.Hour   // after which the broker removes an unused consumer
	// Results in flight at all buses; the broker delivers no more until some
	// are acknowledged.
	maxUnacked = 5000
)

// followResults consumes RESULTS until ctx ends and no result is in flight any
// more. It logs a failure and retries; other tasks of the bus go on.
func (n *Notifier) followResults(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	// The results in flight are returned after the consumer has ended. Before
	// that the broker could deliver them to this bus again.
	held, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	receive := func(m jetstream.Msg) { n.receiveResult(held, m, &all) }
	return bus.RetryWatch(ctx, func() error {
		if err := n.consumeResults(ctx, receive); err != nil && ctx.Err() == nil {
			n.b.Log.Warn("cannot consume results for notifications, retrying", "err", err)
		}
		return nil
	})
}

// consumeResults consumes until ctx ends, or until the consumer is gone and
// must be created again.
func (n *Notifier) consumeResults(ctx context.Context, receive jetstream.MessageHandler) error {
	cons, err := n.b.JS.CreateOrUpdateConsumer(ctx, subjects.ResultsStream, jetstream.ConsumerConfig{
		Durable: Consumer, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxAckPending: maxUnacked, InactiveThreshold: consumerExpiry,
		Description: "results to notify of; shared by the control buses with a notificator",
	})
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	cc, err := cons.Consume(receive, jetstream.PullMaxMessages(1000),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			n.b.Log.Debug("error from the consumer of results", "err", err)
		}))
	if err != nil {
		return fmt.Errorf("consume results: %w", err)
	}
	n.extendInFlight(ctx, cc.Closed())
	cc.Stop()
	<-cc.Closed()
	return nil
}

// extendInFlight extends the acknowledgement wait of all results in flight,
// until ctx ends or closed is closed.
func (n *Notifier) extendInFlight(ctx context.Context, closed <-chan struct{}) {
	tick := time.NewTicker(ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.inFlight.extendAckWait()
		case <-closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// receiveResult handles one delivery. Most results have no notification, so
// that is checked first.
func (n *Notifier) receiveResult(ctx context.Context, m jetstream.Msg, all *sync.WaitGroup) {
	wanted := n.notificationsOf(m.Subject())
	if len(wanted) == 0 {
		_ = m.Ack() // if it fails, the broker delivers it again
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		n.b.Log.Error("result without metadata skipped", "subject", m.Subject(), "err", err)
		return
	}
	r, err := bus.DecodeResult(m.Subject(), meta.Sequence.Stream, m.Headers(), m.Data())
	if err != nil { // the recorder of results logs it
		_ = m.Term() // if it fails, the broker delivers it again
		return
	}
	if wanted = possibleMatches(wanted, r); len(wanted) == 0 {
		_ = m.Ack() // if it fails, the broker delivers it again
		return
	}
	if n.inFlight.addDelivery(r.Sequence, m) {
		all.Go(func() { n.sendNotifications(ctx, r, wanted, int(meta.NumDelivered)) })
	}
}

// notificationsOf returns the notifications of the job of a result's subject.
func (n *Notifier) notificationsOf(subject string) []bus.StatusNotification {
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

// possibleMatches returns the notifications that a result may match, judged by
// the result alone.
func possibleMatches(wanted []bus.StatusNotification, r *bus.StoredResult) (some []bus.StatusNotification) {
	for _, a := range wanted {
		exit := a.ExitStatus != "" && r.BatchStatus.Ended() && (r.ExitStatus == "" || r.ExitStatus == a.ExitStatus)
		// The end of a stop counts as failed if the execution had timed out.
		late := r.BatchStatus == subjects.Stopped && (a.BatchStatus == subjects.Failed || a.ExitStatus == bus.TimeoutExit)
		if a.BatchStatus == r.BatchStatus || exit || late {
			some = append(some, a)
		}
	}
	return some
}

// sendNotifications sends the notifications that match, and acknowledges the
// result after the last one.
func (n *Notifier) sendNotifications(ctx context.Context, r *bus.StoredResult, wanted []bus.StatusNotification, delivered int) {
	e, changed, err := n.executions.At(ctx, r)
	if err != nil {
		n.retryLater(ctx, r, delivered, err)
		return
	}
	if e == nil {
		n.inFlight.ackResult(ctx, r.Sequence)
		return
	}
	var all sync.WaitGroup
	var open atomic.Bool
	for _, a := range wanted {
		status := a.BatchStatus == e.BatchStatus && changed
		exit := a.ExitStatus != "" && a.ExitStatus == e.ExitStatus && e.BatchStatus.Ended()
		if status || exit {
			all.Go(func() {
				if !n.poster.postWithRetry(ctx, n.newMessage(e, a.Type, statusBody(e, n.x.JobName(e.App, e.Job)))) {
					open.Store(true)
				}
			})
		}
	}
	all.Wait()
	if open.Load() { // this bus shuts down
		n.inFlight.returnResult(r.Sequence, 0)
		return
	}
	n.inFlight.ackResult(ctx, r.Sequence)
}

// retryLater returns a result whose execution could not be read: its record may
// not be written yet, or be deleted.
func (n *Notifier) retryLater(ctx context.Context, r *bus.StoredResult, delivered int, err error) {
	switch {
	case ctx.Err() != nil:
		n.inFlight.returnResult(r.Sequence, 0)
	case delivered < maxAttempts:
		n.inFlight.returnResult(r.Sequence, retryDelay(delivered))
	default:
		n.b.Log.Warn("notification not sent, gave up: its execution cannot be read", "app", r.App, "job", r.Job, "execution", r.ID, "err", err)
		n.inFlight.ackResult(ctx, r.Sequence)
	}
}
