package sse

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const (
	fetchAhead   = 256             // messages that the broker may send a consumer in advance
	consumerIdle = time.Minute     // after which the broker deletes a consumer that nobody deleted
	stopTimeout  = 2 * time.Second // for deleting a consumer
)

// Broker is the part of JetStream that streams need.
type Broker interface {
	Stream(ctx context.Context, name string) (jetstream.Stream, error)
	OrderedConsumer(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig) (jetstream.Consumer, error)
	DeleteConsumer(ctx context.Context, stream, consumer string) error
}

// Executions is the part of package execution that the logs need.
type Executions interface {
	Get(ctx context.Context, app, job string, id int64) (*bus.Execution, error)
	Wait(ctx context.Context, app, job string, id int64) (*bus.Execution, error) // until it has ended
}

// Config of a [Source].
type Config struct {
	Broker     Broker
	Executions Executions

	// EventOf returns the event that tells the state of an execution.
	EventOf func(*bus.Execution) rest.Event

	// Bound returns a context that ends with ctx, or when the server shuts
	// down: open streams must not hold up the shutdown.
	Bound func(ctx context.Context) (context.Context, context.CancelFunc)
	Log   *slog.Logger
}

// Source opens streams and logs.
type Source struct {
	cfg Config
	log *slog.Logger
}

// New returns a source of the streams of a broker.
func New(cfg Config) *Source { return &Source{cfg, cfg.Log} }

// Stream is an answer that is open but not sent yet. The caller must call
// [Stream.Send].
type Stream struct {
	media string
	what  string // for the log
	log   *slog.Logger
	ctx   context.Context // of the stream, which outlives the call that opened it
	stop  func()
	msgs  <-chan jetstream.Msg
	write func(context.Context, *writer, <-chan jetstream.Msg) error
}

// Send writes the answer, and returns when the stream has ended, when its
// context has, or when the client is too slow.
func (s *Stream) Send(w http.ResponseWriter) {
	defer s.stop()
	if err := s.write(s.ctx, startAnswer(w, s.media), s.msgs); err != nil {
		s.log.Debug("stream ended early", "stream", s.what, "err", err)
	}
}

// openStream opens a stream whose messages write sends to the client.
func (s *Source) openStream(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, is Stream) (*Stream, error) {
	ctx, cancel := s.cfg.Bound(ctx)
	msgs, stop, err := s.openReader(ctx, stream, cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	is.log, is.ctx, is.msgs, is.stop = s.log, ctx, msgs, func() { stop(); cancel() }
	return &is, nil
}

// openReader reads a stream in order until the caller calls stop or ctx ends. A
// caller that receives nothing from the channel holds up only its own consumer.
func (s *Source) openReader(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig) (msgs <-chan jetstream.Msg, stop func(), err error) {
	cfg.InactiveThreshold = consumerIdle
	consumer, err := s.cfg.Broker.OrderedConsumer(ctx, stream, cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w: %w", stream, bus.ErrAway, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan jetstream.Msg)
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case ch <- m:
		case <-ctx.Done():
		}
	}, jetstream.PullMaxMessages(fetchAhead), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		// The ordered consumer recovers by itself.
		s.log.Debug("stream interrupted, resuming", "stream", stream, "err", err)
	}))
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("read %s: %w: %w", stream, bus.ErrAway, err)
	}
	return ch, func() {
		cancel()
		consuming.Stop()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		// If this fails, the broker deletes it after consumerIdle.
		_ = s.cfg.Broker.DeleteConsumer(ctx, stream, consumer.CachedInfo().Name)
	}, nil
}

// positionOf returns the sequence of a message in its stream, and how many
// messages came after it when the broker sent it.
func positionOf(m jetstream.Msg) (seq, pending uint64, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return 0, 0, fmt.Errorf("read a message: %w", err)
	}
	return meta.Sequence.Stream, meta.NumPending, nil
}
