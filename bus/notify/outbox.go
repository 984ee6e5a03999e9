package notify

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// SenderConsumer is the durable consumer of notifications that the buses share.
const SenderConsumer = "sender"

const (
	maxAttempts = 10          // of sending one notification
	firstDelay  = time.Second // after the first attempt
)

// retryDelay returns the delay after an attempt, four times as long after each
// further one: 1 s, 4 s, 16 s, 64 s. With at most 1 h, ten attempts take three
// and a half hours.
func retryDelay(try int, most time.Duration) time.Duration {
	return min(firstDelay<<(2*min(try-1, 10)), most)
}

// queueMessage stores a message that is to be sent. If the same message is
// stored again within an hour, the broker drops it.
func (n *Notifier) queueMessage(ctx context.Context, m *senders.Message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return n.publishOnce(ctx, subjects.NotificationSubject(m.App, m.Key), m.ID, data)
}

// publishOnce stores a message in a stream, unless it is there already.
func (n *Notifier) publishOnce(ctx context.Context, subject, id string, data []byte) error {
	msg := nats.NewMsg(subject)
	msg.Header.Set(nats.MsgIdHdr, id)
	msg.Data = data
	_, err := n.b.Pub.Do(ctx, msg, "", -1)
	return err
}

// deliverNotifications sends stored notifications until ctx ends. It logs a
// failure and retries; other tasks of the bus go on.
func (n *Notifier) deliverNotifications(ctx context.Context) error {
	return n.consumeUntilEnd(ctx, subjects.NotificationsStream, jetstream.ConsumerConfig{
		Durable: SenderConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: maxUnacked,
		Description: "notifications to send; shared by the control buses that can send",
	}, n.receiveNotification)
}

// receiveNotification handles one delivery.
func (n *Notifier) receiveNotification(ctx context.Context, m jetstream.Msg, all *sync.WaitGroup) {
	meta, err := m.Metadata()
	if err != nil {
		n.b.Log.Error("notification without metadata skipped", "subject", m.Subject(), "err", err)
		return
	}
	seq := meta.Sequence.Stream
	if !n.inFlight.addDelivery(seq, m) {
		return
	}
	all.Go(func() {
		var msg senders.Message
		if err := json.Unmarshal(m.Data(), &msg); err != nil {
			n.b.Log.Error("unreadable notification dropped", "subject", m.Subject(), "err", err)
			n.inFlight.ackMessage(ctx, seq)
			return
		}
		n.tryNotification(ctx, seq, int(meta.NumDelivered), &msg)
	})
}

// tryNotification sends a notification. If that fails, the broker delivers it
// again after a delay, also to another bus, until it has been sent, was refused
// for good or has been tried ten times. Then it becomes a dead letter.
func (n *Notifier) tryNotification(ctx context.Context, seq uint64, attempt int, m *senders.Message) {
	err := n.sendMessage(ctx, m)
	log := n.logOf(m)
	switch {
	case err == nil:
		log.Debug("notification sent", "attempt", attempt)
		n.inFlight.ackMessage(ctx, seq)
		return
	case ctx.Err() != nil && errors.Is(err, ctx.Err()): // this bus shuts down
		n.inFlight.returnMessage(seq, 0)
		return
	case attempt < maxAttempts && !senders.IsFinal(err):
		if attempt == 1 {
			log.Warn("notification not sent, retrying", "err", err)
		}
		n.inFlight.returnMessage(seq, retryDelay(attempt, n.maxDelay))
		return
	}
	log.Error("notification not sent, gave up", "attempts", attempt, "err", err)
	if stored := n.storeDead(context.WithoutCancel(ctx), m, attempt, err); stored != nil {
		log.Warn("dead letter not stored, retrying", "err", stored)
		n.inFlight.returnMessage(seq, time.Minute)
		return
	}
	n.inFlight.ackMessage(ctx, seq)
}
