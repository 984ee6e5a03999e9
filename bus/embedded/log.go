package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// logger passes on what the server has to complain of. Its notices are about itself and go to debug, and so do its warnings
// until it is ready: after a kill it says for every stream that it reads what its index does not have yet.
type logger struct {
	log   *slog.Logger
	ready *atomic.Bool
}

func (l logger) Noticef(f string, v ...any) { l.log.Debug("nats-server: " + fmt.Sprintf(f, v...)) }
func (l logger) Fatalf(f string, v ...any)  { l.log.Error("nats-server: " + fmt.Sprintf(f, v...)) }
func (l logger) Errorf(f string, v ...any)  { l.log.Error("nats-server: " + fmt.Sprintf(f, v...)) }
func (l logger) Debugf(f string, v ...any)  { l.log.Debug("nats-server: " + fmt.Sprintf(f, v...)) }
func (l logger) Tracef(f string, v ...any)  {}

func (l logger) Warnf(f string, v ...any) {
	level := slog.LevelDebug
	if l.ready.Load() {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "nats-server: "+fmt.Sprintf(f, v...))
}
