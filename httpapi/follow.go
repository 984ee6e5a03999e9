package httpapi

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	fetchAhead   = 256             // messages that a reader's consumer has in flight
	consumerIdle = time.Minute     // after which the broker forgets a consumer that nobody stopped
	stopTimeout  = 2 * time.Second // for forgetting it ourselves
)

// follow reads a stream in order, until stop or the end of ctx. Who takes
// nothing from the channel holds up only its own consumer.
func (s *Server) follow(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig) (msgs <-chan jetstream.Msg, stop func(), err error) {
	cfg.InactiveThreshold = consumerIdle
	js := s.cfg.Bus.JS
	c, err := js.OrderedConsumer(ctx, stream, cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w: %w", stream, bus.ErrAway, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan jetstream.Msg)
	reading, err := c.Consume(func(m jetstream.Msg) {
		select {
		case ch <- m:
		case <-ctx.Done():
		}
	}, jetstream.PullMaxMessages(fetchAhead), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		s.log.Debug("reading interrupted", "stream", stream, "err", err) // it begins anew by itself
	}))
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("read %s: %w: %w", stream, bus.ErrAway, err)
	}
	return ch, func() {
		cancel()
		reading.Stop()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_ = js.DeleteConsumer(ctx, stream, c.CachedInfo().Name) // else the broker does it in a while
	}, nil
}

// sequenceOf is a message's place in its stream, with how many came after it
// when it was sent.
func sequenceOf(m jetstream.Msg) (seq, pending uint64, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return 0, 0, fmt.Errorf("read a message: %w", err)
	}
	return meta.Sequence.Stream, meta.NumPending, nil
}
