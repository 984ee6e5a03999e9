package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// diskInterval is the interval between two checks of the disk.
	diskInterval = 100 * time.Millisecond
	// healthInterval is the interval between two checks whether the server
	// still writes.
	healthInterval = 2 * time.Second
	// maxPause is the longest time between two restarts of a server that cannot
	// write.
	maxPause = time.Minute
)

// Watch keeps the server's limit at the room on its disk until ctx ends. If
// another program fills the disk faster than that, a write can fail half-way.
// nats-server then writes nothing more to that stream until it is restarted, so
// Watch restarts it once there is room. Everything acknowledged before is on
// the disk. Clients see a broker that was away for a moment.
func (s *Server) Watch(ctx context.Context) error {
	log := s.cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	full, pause := false, healthInterval
	examined, restarted := time.Now(), time.Time{}
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		disk, err := readDiskSpace(s.cfg.Dir)
		if err != nil {
			continue // an outdated limit is better than none
		}
		if srv := s.currentServer(); srv.JetStreamEnabled() {
			_ = s.setLimit(srv, disk) // JetStream may have ended meanwhile: see brokenReason
		}
		if is := isFull(disk, full); is != full {
			full = is
			logRoom(log, s.cfg.Dir, disk, full)
		}
		if time.Since(examined) < healthInterval {
			continue
		}
		examined = time.Now()
		broken := s.brokenReason()
		if broken == "" {
			if time.Since(restarted) > maxPause {
				pause = healthInterval
			}
			continue
		}
		if disk.freeRoom() == 0 || time.Since(restarted) < pause {
			continue
		}
		log.Warn("the embedded NATS failed to write, restarting it", "data", s.cfg.Dir, "reason", broken)
		restarted, pause = time.Now(), min(2*pause, maxPause)
		if err := s.restartServer(disk); err != nil {
			log.Error("the embedded NATS did not start, retrying", "data", s.cfg.Dir, "err", err)
		}
	}
}

func logRoom(log *slog.Logger, dir string, disk diskSpace, full bool) {
	if full {
		log.Error("the disk is full: nothing is stored until it has free space again", "data", dir, "free", disk.free, "reserve", reservedSpace(disk.size))
	} else {
		log.Info("the disk has free space again", "data", dir, "free", disk.free)
	}
}

// isFull reports whether there is no room. A disk that was full counts as full
// until it has half of the reserve as room; otherwise the log would report both
// states many times.
func isFull(disk diskSpace, was bool) bool {
	return disk.freeRoom() == 0 || was && disk.freeRoom() < int64(reservedSpace(disk.size))/2
}

// brokenReason returns why the server no longer writes, or an empty string.
func (s *Server) brokenReason() string {
	srv := s.currentServer()
	if !srv.Running() {
		return "the server has ended"
	}
	if h := srv.Healthz(&server.HealthzOptions{}); h.Status != "ok" {
		return h.Error
	}
	return ""
}

// restartServer stops the server and starts another one on the same address.
func (s *Server) restartServer(disk diskSpace) error {
	opts, err := serverOptions(s.cfg)
	if err != nil {
		return err
	}
	stopServer(s.currentServer())
	if err := s.launchServer(opts, disk); err != nil {
		return fmt.Errorf("restart the embedded NATS: %w", err)
	}
	return nil
}
