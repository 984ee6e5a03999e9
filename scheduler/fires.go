package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// fireStore is the part of bucket fires that the scheduler needs.
type fireStore interface {
	Get(ctx context.Context, key string) (bus.Entry[bus.Fire], error) // or ErrNotFound
	Create(ctx context.Context, key string, f bus.Fire, opts ...jetstream.KVCreateOpt) (revision uint64, err error)
	Update(ctx context.Context, key string, f bus.Fire, revision uint64) (uint64, error) // or ErrChanged
}

// FireQuery selects at most Limit nominal times t with From <= t < To, the
// newest first. A zero From or To sets no limit.
type FireQuery struct {
	From, To time.Time
	Limit    int
}

// startsBeforeTo reports whether the fire is before To, or for a run of skipped
// times whether its oldest time is.
func (q *FireQuery) startsBeforeTo(f *bus.Fire) bool {
	return q.To.IsZero() || cmp.Or(f.SkippedFrom, f.Nominal).Std().Before(q.To)
}

// Fires returns the decisions about a job's nominal times, newest first. A run
// of times that were skipped together is in the list if the query selects any
// of them.
func (s *Scheduler) Fires(ctx context.Context, app, job string, q FireQuery) ([]bus.Fire, error) {
	seconds, err := s.listDecided(ctx, bus.JobKey(app, job))
	if err != nil {
		return nil, fmt.Errorf("list fires of %s: %w", bus.JobKey(app, job), err)
	}
	slices.SortFunc(seconds, func(a, b int64) int { return cmp.Compare(b, a) })
	seconds = q.dropNewer(seconds)
	var page []bus.Fire
	for _, second := range seconds {
		if len(page) >= q.Limit || time.Unix(second, 0).Before(q.From) {
			break
		}
		e, err := s.fires.Get(ctx, bus.FireKey(app, job, second))
		switch {
		case err == nil && q.startsBeforeTo(&e.Value):
			page = append(page, e.Value)
		case err == nil:
		case !errors.Is(err, bus.ErrNotFound): // not found: just purged
			return nil, err
		}
	}
	return page, nil
}

// dropNewer drops seconds that the query cannot select from a list that begins
// with the newest. It keeps the oldest second at or after To, because that key
// may stand for a run of skipped times that begins before To.
func (q *FireQuery) dropNewer(seconds []int64) []int64 {
	if q.To.IsZero() {
		return seconds
	}
	first := slices.IndexFunc(seconds, func(second int64) bool { return time.Unix(second, 0).Before(q.To) })
	if first < 0 {
		first = len(seconds)
	}
	return seconds[max(first-1, 0):]
}

// listDecided returns the nominal times of a schedule that have a key, in no
// particular order.
func (s *Scheduler) listDecided(ctx context.Context, key string) ([]int64, error) {
	keys, err := s.bus.Fires.Keys(ctx, key+".*")
	if err != nil {
		return nil, err
	}
	var seconds []int64
	for _, k := range keys {
		if _, second, ok := bus.SplitFireKey(k); ok {
			seconds = append(seconds, second)
		}
	}
	return seconds, nil
}
