package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog passes the server's warnings and errors on. Notices are about the
// server itself and get the level debug. Warnings get it too until the server
// is ready: after a kill the server warns, for every stream, that it reads
// messages that are not in its index yet.
type serverLog struct {
	log   *slog.Logger
	ready *atomic.Bool
}

func (l serverLog) Noticef(f string, v ...any) { l.log.Debug("nats-server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Fatalf(f string, v ...any)  { l.log.Error("nats-server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Errorf(f string, v ...any)  { l.log.Error("nats-server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Debugf(f string, v ...any)  { l.log.Debug("nats-server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Tracef(f string, v ...any)  {}

func (l serverLog) Warnf(f string, v ...any) {
	level := slog.LevelDebug
	if l.ready.Load() {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "nats-server: "+fmt.Sprintf(f, v...))
}
