package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// logPublisher stores messages of output. It repeats each message until the
// stream has acknowledged it. The Nats-Msg-Id lets the broker drop duplicates.
// The broker does not fence output: lines of an attempt that was given up are
// stored as well.
type logPublisher struct {
	nc      *nats.Conn
	log     *slog.Logger
	ctx     context.Context // ends when the agent cannot wait any longer
	workers sync.WaitGroup
}

// storeMessage repeats m with exponential backoff and reports whether it was
// stored. It gives up when the agent ends, or when overdue returns true.
func (p *logPublisher) storeMessage(m *nats.Msg, overdue func() bool, lines int) bool {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := p.requestAck(m)
		if err == nil {
			return true
		}
		if errors.Is(err, nats.ErrMaxPayload) || p.ctx.Err() != nil || overdue() {
			p.log.Error("output lost", "subject", m.Subject, "lines", lines, "err", err)
			return false
		}
		select {
		case <-p.ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (p *logPublisher) requestAck(m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(p.ctx, ackTimeout)
	defer cancel()
	reply, err := p.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	_, err = parseAck(reply.Data)
	return err
}
