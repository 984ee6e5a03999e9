package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// connectToBroker opens a connection, or uses the one of Config, and blocks
// until it is connected.
func (ra *runningAgent) connectToBroker(ctx context.Context) error {
	if ra.cfg.Conn != nil {
		ra.nc = ra.cfg.Conn
	} else {
		nc, err := nats.Connect(ra.cfg.URL, append(ra.natsOptions(), ra.cfg.Options...)...)
		var bad *url.Error
		if errors.As(err, &bad) { // this error quotes the URL, which may hold a password
			err = errors.New("want a URL such as nats://127.0.0.1:4222")
		}
		if err != nil {
			return fmt.Errorf("connect to %s: %w", Redacted(ra.cfg.URL), err)
		}
		ra.nc, ra.ownsConn = nc, true
	}
	for !ra.nc.IsConnected() {
		if ra.nc.IsClosed() {
			return fmt.Errorf("connect to %s: %w", Redacted(ra.cfg.URL), nats.ErrConnectionClosed)
		}
		select {
		case <-ctx.Done():
			ra.closeConnection()
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// natsOptions returns the options of a connection that the agent opens. It
// buffers nothing while it is disconnected: a claim that is sent after a
// reconnect, long after it was made, could be accepted by mistake.
func (ra *runningAgent) natsOptions() []nats.Option {
	away := func(_ *nats.Conn, err error) {
		ra.log.Warn("no connection to NATS, retrying", "nats", Redacted(ra.cfg.URL), "err", err)
	}
	return []nats.Option{
		nats.Name("jobstreamer agent " + ra.cfg.Name), nats.CustomInboxPrefix(subjects.InboxPrefix(ra.cfg.Name)),
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		// A broker that has just started may not know its users yet.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, 500*time.Millisecond),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectErrHandler(away),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				away(nc, err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			ra.log.Error("error from NATS", "err", err)
		}),
	}
}

// watchConnection restarts all pulls, heartbeats and kept results after a
// reconnect. It calls fail if the connection is closed for good.
func (ra *runningAgent) watchConnection(ctx context.Context, fail context.CancelCauseFunc) {
	changes := ra.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer ra.nc.RemoveStatusListener(changes)
	for {
		select {
		case <-ctx.Done():
			return
		case status := <-changes:
			switch status {
			case nats.CLOSED:
				fail(nats.ErrConnectionClosed)
				return
			case nats.RECONNECTING:
				ra.puller.unsubscribe()
				continue
			}
			ra.log.Info("reconnected", "nats", ra.nc.ConnectedUrlRedacted())
			ra.puller.restartPulls()
			ra.heartbeater.beatSoon()
			ra.outbox.retrySoon()
		}
	}
}

func (ra *runningAgent) closeConnection() {
	if ra.ownsConn {
		ra.nc.Close()
	}
}
