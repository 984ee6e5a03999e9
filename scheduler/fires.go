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

// decisions is where fires are kept.
type decisions interface {
	Get(ctx context.Context, key string) (bus.Entry[bus.Fire], error) // or ErrNotFound
	Create(ctx context.Context, key string, f bus.Fire, opts ...jetstream.KVCreateOpt) (revision uint64, err error)
	Update(ctx context.Context, key string, f bus.Fire, revision uint64) (uint64, error) // or ErrChanged
}

// FireQuery selects the newest Limit nominal times that are not before From and
// are before To. A zero time sets no limit.
type FireQuery struct {
	From, To time.Time
	Limit    int
}

// reaches reports whether a nominal time, or one that was skipped together with
// it, is before the end of the query.
func (q *FireQuery) reaches(f *bus.Fire) bool {
	return q.To.IsZero() || cmp.Or(f.SkippedFrom, f.Nominal).Std().Before(q.To)
}

// Fires returns what was decided about a job's nominal times, newest first.
// Times that were skipped together are in the list if any of them is selected.
func (s *Scheduler) Fires(ctx context.Context, app, job string, q FireQuery) ([]bus.Fire, error) {
	seconds, err := s.decided(ctx, bus.JobKey(app, job))
	if err != nil {
		return nil, fmt.Errorf("list fires of %s: %w", bus.JobKey(app, job), err)
	}
	slices.SortFunc(seconds, func(a, b int64) int { return cmp.Compare(b, a) })
	seconds = q.skipNewer(seconds)
	var page []bus.Fire
	for _, second := range seconds {
		if len(page) >= q.Limit || time.Unix(second, 0).Before(q.From) {
			break
		}
		e, err := s.fires.Get(ctx, bus.FireKey(app, job, second))
		switch {
		case err == nil && q.reaches(&e.Value):
			page = append(page, e.Value)
		case err == nil:
		case !errors.Is(err, bus.ErrNotFound): // it was purged just now
			return nil, err
		}
	}
	return page, nil
}

// skipNewer returns the seconds, newest first, that may be selected: those
// before To, and the one after them, with which older times may have been
// skipped.
func (q *FireQuery) skipNewer(seconds []int64) []int64 {
	if q.To.IsZero() {
		return seconds
	}
	first := slices.IndexFunc(seconds, func(second int64) bool { return time.Unix(second, 0).Before(q.To) })
	if first < 0 {
		first = len(seconds)
	}
	return seconds[max(first-1, 0):]
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
