package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// receiver handles one delivery. Its context ends after the consumer has ended.
// Goroutines that it starts belong to all.
type receiver func(ctx context.Context, m jetstream.Msg, all *sync.WaitGroup)

// consumeUntilEnd consumes a stream until ctx ends and nothing is in flight any
// more. It logs a failure and retries; other tasks of the bus go on.
func (n *Notifier) consumeUntilEnd(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, receive receiver) error {
	var all sync.WaitGroup
	defer all.Wait()
	// Messages in flight are returned after the consumer has ended. Before that
	// the broker could deliver them to this bus again.
	held, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	return bus.RetryWatch(ctx, func() error {
		err := n.consumeStream(ctx, stream, cfg, func(m jetstream.Msg) { receive(held, m, &all) })
		if err != nil && ctx.Err() == nil {
			n.b.Log.Warn("cannot consume for notifications, retrying", "stream", stream, "err", err)
		}
		return nil
	})
}

// consumeStream consumes until ctx ends, or until the consumer is gone and must
// be created again.
func (n *Notifier) consumeStream(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, receive jetstream.MessageHandler) error {
	cons, err := n.b.JS.CreateOrUpdateConsumer(ctx, stream, cfg)
	if err != nil {
		return fmt.Errorf("consume %s: %w", stream, err)
	}
	cc, err := cons.Consume(receive, jetstream.PullMaxMessages(1000),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			n.b.Log.Debug("error from a consumer for notifications", "stream", stream, "err", err)
		}))
	if err != nil {
		return fmt.Errorf("consume %s: %w", stream, err)
	}
	n.extendInFlight(ctx, cc.Closed())
	cc.Stop()
	<-cc.Closed()
	return nil
}

// extendInFlight extends the acknowledgement wait of all notifications in
// flight, until ctx ends or closed is closed.
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
