package scheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fire is a decision as it is kept.
type fire struct {
	bus.Fire
	SkippedFrom  subjects.Time `json:"skipped_from,omitzero"`   // the oldest of a run of skipped times; the newest is the nominal time
	SkippedCount int           `json:"skipped_count,omitempty"` // how many times the run has, counted to a million
}

// open says whether the fire needs an execution.
func (f *fire) open() bool { return f.Execution != 0 && !f.Closed }

// decisions is where fires are kept.
type decisions interface {
	Get(ctx context.Context, key string) (f fire, rev uint64, err error) // or ErrNotFound
	Create(ctx context.Context, key string, f fire) error                // or ErrExists
	Update(ctx context.Context, key string, f fire, rev uint64) error    // or ErrChanged
}

// bucket keeps them in JetStream.
type bucket struct{ kv jetstream.KeyValue }

func (b bucket) Get(ctx context.Context, key string) (f fire, rev uint64, err error) {
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return f, 0, b.failed("get", key, err)
	}
	if err := json.Unmarshal(e.Value(), &f); err != nil {
		return f, 0, fmt.Errorf("decode %s/%s: %w", b.kv.Bucket(), key, err)
	}
	return f, e.Revision(), nil
}

func (b bucket) Create(ctx context.Context, key string, f fire) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode %s/%s: %w", b.kv.Bucket(), key, err)
	}
	_, err = b.kv.Create(ctx, key, data)
	return b.failed("create", key, err)
}

func (b bucket) Update(ctx context.Context, key string, f fire, rev uint64) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode %s/%s: %w", b.kv.Bucket(), key, err)
	}
	_, err = b.kv.Update(ctx, key, data, rev)
	return b.failed("update", key, err)
}

func (b bucket) failed(verb, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound):
		err = bus.ErrNotFound
	case errors.Is(err, jetstream.ErrKeyRevisionMismatch): // first: it is an ErrKeyExists as well
		err = bus.ErrChanged
	case errors.Is(err, jetstream.ErrKeyExists):
		err = bus.ErrExists
	default:
		err = fmt.Errorf("%w: %w", bus.ErrAway, err)
	}
	return fmt.Errorf("%s %s/%s: %w", verb, b.kv.Bucket(), key, err)
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
		f, _, err := s.fires.Get(ctx, bus.FireKey(app, job, second))
		switch {
		case err == nil:
			page = append(page, f.Fire)
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
		if _, second, ok := splitFireKey(k); ok {
			seconds = append(seconds, second)
		}
	}
	return seconds, ctx.Err()
}

// splitFireKey takes a fire's key apart into the schedule's and the nominal time.
func splitFireKey(key string) (schedule string, second int64, ok bool) {
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 {
		return "", 0, false
	}
	second, err := strconv.ParseInt(key[dot+1:], 10, 64)
	return key[:dot], second, err == nil
}

// splitKey takes a schedule's key apart.
func splitKey(key string) (app, job string) {
	app, job, _ = strings.Cut(key, ".")
	return app, job
}
