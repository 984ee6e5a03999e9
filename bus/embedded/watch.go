package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// look is how often the disk is looked at.
	look = 100 * time.Millisecond
	// examine is how often the server is asked whether it still writes.
	examine = 2 * time.Second
	// mostPause is the longest time between two restarts of a server that cannot write.
	mostPause = time.Minute
)

// Watch keeps the server's limit at what its disk has room for, until ctx ends. A disk that another program filled faster than that can
// break a write off: nats-server then writes nothing more to that stream until it is started again, so Watch does that once there is
// room. What was acknowledged before is on the disk; clients see a broker that was away for a moment.
func (s *Server) Watch(ctx context.Context) error {
	log := s.cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	full, pause := false, examine
	examined, restarted := time.Now(), time.Time{}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		disk, err := spaceOf(s.cfg.Dir)
		if err != nil {
			continue // a limit that is too old is better than none
		}
		if srv := s.current(); srv.JetStreamEnabled() {
			_ = limit(srv, disk) // JetStream has ended meanwhile: see broken
		}
		if is := isFull(disk, full); is != full {
			full = is
			tellRoom(log, s.cfg.Dir, disk, full)
		}
		if time.Since(examined) < examine {
			continue
		}
		examined = time.Now()
		broken := s.broken()
		if broken == "" {
			if time.Since(restarted) > mostPause {
				pause = examine
			}
			continue
		}
		if disk.room() == 0 || time.Since(restarted) < pause {
			continue
		}
		log.Warn("the NATS in this process could not write, and is started again", "data", s.cfg.Dir, "reason", broken)
		restarted, pause = time.Now(), min(2*pause, mostPause)
		if err := s.restart(disk); err != nil {
			log.Error("the NATS in this process did not start, trying again", "data", s.cfg.Dir, "err", err)
		}
	}
}

func tellRoom(log *slog.Logger, dir string, disk space, full bool) {
	if full {
		log.Error("the disk is full: nothing is written until there is room again", "data", dir, "free", disk.free, "reserve", reserve(disk.size))
	} else {
		log.Info("the disk has room again", "data", dir, "free", disk.free)
	}
}

// isFull reports whether there is no room. What was full is so until there is some to speak of, or the log would say both many times.
func isFull(disk space, was bool) bool {
	return disk.room() == 0 || was && disk.room() < int64(reserve(disk.size))/2
}

// broken says why the server writes nothing more, if that is so.
func (s *Server) broken() string {
	srv := s.current()
	if !srv.Running() {
		return "it has ended"
	}
	if h := srv.Healthz(&server.HealthzOptions{}); h.Status != "ok" {
		return h.Error
	}
	return ""
}

// restart ends the server and starts another on the same address.
func (s *Server) restart(disk space) error {
	opts, err := options(s.cfg)
	if err != nil {
		return err
	}
	stop(s.current())
	if err := s.launch(opts, disk); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return nil
}
