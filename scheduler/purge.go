package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	purgeEvery = time.Hour
	markerTTL  = time.Hour // how long a purged key leaves a marker for watches that were interrupted
)

// purgeHourly purges old decisions every hour if this bus leads.
func (s *Scheduler) purgeHourly(ctx context.Context) error {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if !s.leadership.isLeading() {
			continue
		}
		if n, err := s.purgeBefore(ctx, subjects.TimeOf(time.Now().Add(-s.bus.Retention().Fires))); err != nil && ctx.Err() == nil {
			s.log.Warn("purge of old fires failed, retrying in an hour", "err", err)
		} else if n > 0 {
			s.log.Info("old fires purged", "count", n)
		}
	}
}

// purgeBefore purges decisions made before the given time, unless their
// execution still has a record. It keeps the newest key of each schedule,
// because a walk begins there.
func (s *Scheduler) purgeBefore(ctx context.Context, before subjects.Time) (n int, err error) {
	old, err := s.listPurgeable(ctx, before)
	if err != nil {
		return 0, fmt.Errorf("list old fires: %w", err)
	}
	for key, rev := range old {
		switch err := s.bus.Fires.Purge(ctx, key, rev, markerTTL); {
		case err == nil:
			n++
		case !errors.Is(err, bus.ErrChanged):
			return n, err
		}
	}
	return n, nil
}

// listPurgeable returns the keys that purgeBefore purges, with their revisions.
// It collects no other keys: a bucket may hold millions.
func (s *Scheduler) listPurgeable(ctx context.Context, before subjects.Time) (map[string]uint64, error) {
	all, seen := context.WithCancel(ctx)
	defer seen()
	old := map[string]uint64{}
	err := s.bus.Fires.Tolerant(s.log).Watch(all, func(key string, f *bus.Fire, rev uint64) {
		schedule, second, ok := bus.SplitFireKey(key)
		if ok && f != nil && !f.Open() && f.Time < before && !s.ledger.isWalkStart(schedule, second) {
			old[key] = rev
		}
	}, seen)
	return old, cmp.Or(err, ctx.Err())
}
