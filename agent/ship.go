package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// shipper stores messages of output, each until the stream has acknowledged it:
// a plain publish could be lost unseen. Messages have a Nats-Msg-Id, so that a
// repeat is not stored twice; nothing is fenced here.
type shipper struct {
	nc      *nats.Conn
	log     *slog.Logger
	ctx     context.Context // ends when the agent cannot wait any longer
	workers sync.WaitGroup
}

// send reports whether it has stored m. It gives up when the agent ends, or the
// sink says that it is too late.
func (s *shipper) send(m *nats.Msg, overdue func() bool, lines int) bool {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := s.once(m)
		if err == nil {
			return true
		}
		if errors.Is(err, nats.ErrMaxPayload) || s.ctx.Err() != nil || overdue() {
			s.log.Error("output lost", "subject", m.Subject, "lines", lines, "err", err)
			return false
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (s *shipper) once(m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(s.ctx, ackTimeout)
	defer cancel()
	reply, err := s.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	_, err = parseAck(reply.Data)
	return err
}
