package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Ids come in blocks from one key, by compare-and-set: small integers, never used twice. What is left of a block when a bus ends is lost.
const (
	idKey    = "execution"
	minBlock = 10
	maxBlock = 1000
)

type ids struct {
	store     *Store[int64] // the key's value is the first id that nobody has
	mu        sync.Mutex
	next, end int64
	size      int64
	taken     time.Time
}

// NextID returns an execution id that is unique in the whole system.
func (b *Bus) NextID(ctx context.Context) (int64, error) {
	d := &b.ids
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == d.end {
		if err := d.take(ctx); err != nil {
			return 0, fmt.Errorf("take a block of execution ids: %w", err)
		}
	}
	d.next++
	return d.next - 1, nil
}

// take gets the next block; larger ones while they last less than a second.
func (d *ids) take(ctx context.Context) error {
	d.size = max(d.size, minBlock)
	if time.Since(d.taken) < time.Second {
		d.size = min(2*d.size, maxBlock)
	} else {
		d.size = minBlock
	}
	for {
		e, err := d.store.Get(ctx, idKey)
		switch {
		case errors.Is(err, ErrNotFound):
			_, err = d.store.Create(ctx, idKey, 1+d.size)
			e.Value = 1
		case err == nil:
			_, err = d.store.Update(ctx, idKey, e.Value+d.size, e.Revision)
		}
		switch {
		case err == nil:
			d.next, d.end, d.taken = e.Value, e.Value+d.size, time.Now()
			return nil
		case !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists):
			return err
		}
	}
}
