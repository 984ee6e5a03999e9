package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// readBucket returns all values of a bucket by key. A missing bucket has none;
// checkStreams reports it.
func readBucket[T any](ctx context.Context, x *examination, bucket string) (map[string]T, error) {
	values := map[string]T{}
	err := eachInBucket(ctx, x, bucket, func(key string, v T, _ time.Time) { values[key] = v })
	return values, err
}

// eachInBucket calls each with every value of a bucket and the time when the
// value was stored, by the broker's clock.
func eachInBucket[T any](ctx context.Context, x *examination, bucket string, each func(key string, v T, stored time.Time)) error {
	ctx, cancel := context.WithTimeout(ctx, 4*apiTimeout)
	defer cancel()
	kv, err := x.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("read bucket %s: %w", bucket, err)
	}
	defer w.Stop() //nolint:errcheck // only read from
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return fmt.Errorf("read bucket %s: %w", bucket, cmp.Or(ctx.Err(), nats.ErrConnectionClosed))
			case e == nil:
				return nil
			}
			var v T
			if err := json.Unmarshal(e.Value(), &v); err != nil {
				return fmt.Errorf("read %s/%s: %w", bucket, e.Key(), err)
			}
			each(e.Key(), v, e.Created())
		case <-ctx.Done():
			return fmt.Errorf("read bucket %s: %w", bucket, ctx.Err())
		}
	}
}

// keyNames returns the keys of a set in order, separated by commas.
func keyNames[T any](set map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// countText returns a number with its noun: "1 execution" or "2 executions".
func countText[N int | uint64](n N, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
