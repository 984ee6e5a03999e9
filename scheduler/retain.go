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
	retainEvery = time.Hour
	markerTTL   = time.Hour // of what is purged, for watchers that were away
)

// retain purges old decisions every hour, at the bus that leads.
func (s *Scheduler) retain(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if !s.watch.leading() {
			continue
		}
		if n, err := s.purge(ctx, subjects.TimeOf(time.Now().Add(-s.bus.Retention().Fires))); err != nil && ctx.Err() == nil {
			s.log.Warn("old fires not purged, trying again", "err", err)
		} else if n > 0 {
			s.log.Info("old fires purged", "count", n)
		}
	}
}

// purge removes decisions from before that have no execution, or none any more.
// The newest key of a schedule stays, since its walk begins there.
func (s *Scheduler) purge(ctx context.Context, before subjects.Time) (n int, err error) {
	old, err := s.finished(ctx, before)
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

// finished lists the keys, with their revisions, that purge removes. It keeps
// no others in memory: there may be millions.
func (s *Scheduler) finished(ctx context.Context, before subjects.Time) (map[string]uint64, error) {
	all, seen := context.WithCancel(ctx)
	defer seen()
	old := map[string]uint64{}
	err := s.bus.Fires.Tolerant(s.log).Watch(all, func(key string, f *bus.Fire, rev uint64) {
		schedule, second, ok := bus.SplitFireKey(key)
		if ok && f != nil && !f.Open() && f.Time < before && !s.ledger.isMark(schedule, second) {
			old[key] = rev
		}
	}, seen)
	return old, cmp.Or(err, ctx.Err())
}
