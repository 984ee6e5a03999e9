package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// decisions is where fires are kept.
type decisions interface {
	Get(ctx context.Context, key string) (bus.Entry[bus.Fire], error) // or ErrNotFound
	Create(ctx context.Context, key string, f bus.Fire, opts ...jetstream.KVCreateOpt) (revision uint64, err error)
	Update(ctx context.Context, key string, f bus.Fire, revision uint64) (uint64, error) // or ErrChanged
}

// Fires returns what was decided about a job's nominal times, newest first, at most limit of them.
func (s *Scheduler) Fires(ctx context.Context, app, job string, limit int) ([]bus.Fire, error) {
	seconds, err := s.decided(ctx, bus.JobKey(app, job))
	if err != nil {
		return nil, fmt.Errorf("list fires of %s: %w", bus.JobKey(app, job), err)
	}
	slices.SortFunc(seconds, func(a, b int64) int { return cmp.Compare(b, a) })
	var page []bus.Fire
	for _, second := range seconds {
		if len(page) >= limit {
			break
		}
		e, err := s.fires.Get(ctx, bus.FireKey(app, job, second))
		switch {
		case err == nil:
			page = append(page, e.Value)
		case !errors.Is(err, bus.ErrNotFound): // it was purged just now
			return nil, err
		}
	}
	return page, nil
}

// decided lists the nominal times of a schedule that have a key, in no order.
func (s *Scheduler) decided(ctx context.Context, key string) ([]int64, error) {
	l, err := s.bus.Fires.KV().ListKeysFiltered(ctx, key+".*")
	if err != nil {
		return nil, err
	}
	var seconds []int64
	for k := range l.Keys() {
		if _, second, ok := bus.SplitFireKey(k); ok {
			seconds = append(seconds, second)
		}
	}
	return seconds, ctx.Err()
}
