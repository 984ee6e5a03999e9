package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// Snapshot returns all values of a bucket, and its newest revision, which may be
// that of a deletion marker. Unlike [Store.List] it never misses what was
// written before the call: the consumer behind a list may be that of a replica
// that lags behind the leader.
func Snapshot[T any](ctx context.Context, b *Bus, s *Store[T]) (all []Entry[T], revision uint64, err error) {
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	newest, err := NewestRevision(ctx, b, s)
	if err != nil {
		return nil, 0, err
	}
	found := map[string]Entry[T]{}
	filled, complete := false, false
	watch, stop := context.WithCancel(ctx)
	defer stop()
	check := func() {
		if complete = filled && revision >= newest; complete {
			stop()
		}
	}
	err = s.Watch(watch, func(key string, v *T, rev uint64) {
		if complete {
			return
		}
		if revision = max(revision, rev); v == nil {
			delete(found, key)
		} else {
			found[key] = Entry[T]{Key: key, Value: *v, Revision: rev}
		}
		check()
	}, func() { filled = true; check() })
	if err == nil && !complete {
		err = s.wrapError("list", ">", fmt.Errorf("%w: %w", ErrAway, ctx.Err()))
	}
	if err != nil {
		return nil, 0, err
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[key])
	}
	return all, revision, nil
}

// NewestRevision returns the newest revision of a bucket, which may be that of a
// deletion marker, as the leader has it; 0 if nothing was ever written.
func NewestRevision[T any](ctx context.Context, b *Bus, s *Store[T]) (uint64, error) {
	m, err := jetio.ReadLast(ctx, b.NC, jetio.BucketStream(s.kv.Bucket()), s.Subject(">"))
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read the newest revision of %s: %w", s.kv.Bucket(), err)
	}
	return m.Sequence, nil
}
