package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Consumer is the durable consumer of RESULTS that the buses which can send
// share.
const Consumer = "notifier"

const (
	ackWait        = 30 * time.Second // after which the messages of a silent bus go to another bus
	consumerExpiry = 24 * time.Hour   // after which the broker removes an unused consumer of results
	// Messages in flight at all buses; the broker delivers no more until some
	// are acknowledged.
	maxUnacked = 5000
	maxReads   = 5 // of an execution whose record cannot be read
)

// followResults queues notifications of results until ctx ends.
func (n *Notifier) followResults(ctx context.Context) error {
	return n.consumeUntilEnd(ctx, subjects.ResultsStream, jetstream.ConsumerConfig{
		Durable: Consumer, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxAckPending: maxUnacked, InactiveThreshold: consumerExpiry,
		Description: "results to notify of; shared by the control buses that can send",
	}, n.receiveResult)
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
	all.Go(func() { n.queueNotifications(ctx, m, r, wanted, int(meta.NumDelivered)) })
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

// queueNotifications queues the notifications that match, and acknowledges the
// result after the last one. If a result is delivered again, the broker
// recognizes its notifications by their ids.
func (n *Notifier) queueNotifications(ctx context.Context, m jetstream.Msg, r *bus.StoredResult, wanted []bus.StatusNotification, delivered int) {
	e, changed, err := n.executions.At(ctx, r)
	if err != nil {
		n.retryResult(ctx, m, r, wanted, delivered, err)
		return
	}
	if e == nil {
		_ = m.Ack() // if it fails, the broker delivers it again
		return
	}
	for _, a := range wanted {
		status := a.BatchStatus == e.BatchStatus && changed
		exit := a.ExitStatus != "" && a.ExitStatus == e.ExitStatus && e.BatchStatus.Ended()
		if !status && !exit {
			continue
		}
		if err := n.queueMessage(ctx, n.statusMessage(e, a.Type, resultID(r, &a))); err != nil {
			n.b.Log.Warn("notification not queued, retrying", "app", r.App, "job", r.Job, "execution", r.ID, "type", a.Type, "err", err)
			retryDelivery(m, delivered)
			return
		}
	}
	_ = m.Ack() // if it fails, the broker delivers it again
}

// retryDelivery returns a result to the broker, which delivers it again after a
// delay.
func retryDelivery(m jetstream.Msg, delivered int) {
	_ = m.NakWithDelay(retryDelay(delivered, time.Minute)) // if it fails, the ack wait ends
}

// resultID returns the id of a notification of a result.
func resultID(r *bus.StoredResult, a *bus.StatusNotification) string {
	return fmt.Sprintf("status-%d-%d", r.Sequence, a.ID)
}

// retryResult returns a result whose execution could not be read: its record may
// not be written yet, or be deleted. In the end its notifications become dead
// letters.
func (n *Notifier) retryResult(ctx context.Context, m jetstream.Msg, r *bus.StoredResult, wanted []bus.StatusNotification, delivered int, err error) {
	if ctx.Err() != nil { // this bus shuts down
		_ = m.Nak() // if it fails, the broker delivers it again
		return
	}
	if delivered < maxReads || errors.Is(err, bus.ErrAway) {
		retryDelivery(m, delivered)
		return
	}
	n.b.Log.Warn("notification not sent, gave up: its execution cannot be read", "app", r.App, "job", r.Job, "execution", r.ID, "err", err)
	for _, a := range wanted {
		msg := &senders.Message{
			ID: resultID(r, &a), Kind: senders.KindStatus, Type: a.Type, Time: subjects.Now(), App: r.App, Job: n.x.JobName(r.App, r.Job), Key: r.Job,
			Execution: &subjects.Execution{ID: r.ID, App: r.App, Job: r.Job, BatchStatus: r.BatchStatus, ExitStatus: r.ExitStatus},
		}
		if stored := n.storeDead(ctx, msg, 0, fmt.Errorf("its execution cannot be read: %w", err)); stored != nil {
			_ = m.NakWithDelay(time.Minute) // if it fails, the broker delivers it again
			return
		}
	}
	_ = m.Ack() // if it fails, the broker delivers it again
}
