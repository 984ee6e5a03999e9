package objects

import (
	"context"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/nats-io/nats.go"
)

// window publishes messages and bounds the number in flight.
type window struct {
	pub  *jetio.Publisher
	free chan struct{}
	mu   sync.Mutex
	err  error // the first
}

// send publishes data, which the caller may use again. It returns the first
// error of earlier messages.
func (w *window) send(ctx context.Context, subject string, data []byte) error {
	select {
	case w.free <- struct{}{}:
	case <-ctx.Done():
		_ = w.wait() // so that nothing is stored after the caller's cleanup
		return ctx.Err()
	}
	if err := w.firstError(); err != nil {
		<-w.free
		_ = w.wait() // it failed already
		return err
	}
	w.pub.Publish(&nats.Msg{Subject: subject, Data: data}, "", -1, func(_ uint64, err error) {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
		<-w.free
	})
	return nil
}

// wait blocks until all messages are acknowledged or timed out
// ([jetio.AckTimeout]).
func (w *window) wait() error {
	for range cap(w.free) {
		w.free <- struct{}{}
	}
	for range cap(w.free) {
		<-w.free
	}
	return w.firstError()
}

func (w *window) firstError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
