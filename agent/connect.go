package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
)

// connect makes the connection, or takes the one of Config, and waits until it
// is there.
func (l *life) connect(ctx context.Context) error {
	if l.cfg.Conn != nil {
		l.nc = l.cfg.Conn
	} else {
		nc, err := nats.Connect(l.cfg.URL, append(l.options(), l.cfg.Options...)...)
		var bad *url.Error
		if errors.As(err, &bad) { // it quotes the URL
			err = errors.New("not a URL")
		}
		if err != nil {
			return fmt.Errorf("connect to %s: %w", Redacted(l.cfg.URL), err)
		}
		l.nc, l.ours = nc, true
	}
	for !l.nc.IsConnected() {
		if l.nc.IsClosed() {
			return fmt.Errorf("connect to %s: %w", Redacted(l.cfg.URL), nats.ErrConnectionClosed)
		}
		select {
		case <-ctx.Done():
			l.disconnect()
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// options of our own connection. It never buffers while it is away: what a
// client sends after a reconnect, long after it was decided, could pass where
// it must not.
func (l *life) options() []nats.Option {
	away := func(_ *nats.Conn, err error) {
		l.log.Warn("no connection to NATS, trying again", "nats", Redacted(l.cfg.URL), "err", err)
	}
	return []nats.Option{
		nats.Name("jobstreamer agent " + l.cfg.Name),
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // a broker that has just started may not know its users yet
		nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, 500*time.Millisecond),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectErrHandler(away),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				away(nc, err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			l.log.Error("NATS reports an error", "err", err)
		}),
	}
}

// watch starts everything anew on a new connection, and ends the life if there
// will never be one.
func (l *life) watch(ctx context.Context, fail context.CancelCauseFunc) {
	changes := l.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer l.nc.RemoveStatusListener(changes)
	for {
		select {
		case <-ctx.Done():
			return
		case status := <-changes:
			if status == nats.CLOSED {
				fail(nats.ErrConnectionClosed)
				return
			}
			l.log.Info("connected again", "nats", l.nc.ConnectedUrlRedacted())
			l.puller.reset()
			l.heart.kick()
			l.outbox.retry()
		}
	}
}

func (l *life) disconnect() {
	if l.ours {
		l.nc.Close()
	}
}
