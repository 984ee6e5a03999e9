package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A bus reserves execution ids in blocks, by compare-and-set on one key: ids
// are small integers and never used twice. The unused rest of a block is lost
// when the bus ends.
const (
	idKey    = "execution"
	minBlock = 10
	maxBlock = 1000
)

type ids struct {
	store      *Store[int64] // the value is the first id that no bus has reserved
	mu         sync.Mutex
	next, end  int64
	size       int64
	reservedAt time.Time
}

// NextID returns an execution id that is unique in the whole system.
func (b *Bus) NextID(ctx context.Context) (int64, error) {
	d := &b.ids
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == d.end {
		if err := d.reserveBlock(ctx); err != nil {
			return 0, fmt.Errorf("reserve a block of execution ids: %w", err)
		}
	}
	d.next++
	return d.next - 1, nil
}

// HasReservedID reports whether a bus has reserved the block of an execution
// id, so that the execution may exist.
func (b *Bus) HasReservedID(ctx context.Context, id int64) (bool, error) {
	e, err := b.ids.store.Get(ctx, idKey)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the reserved execution ids: %w", err)
	}
	return id > 0 && id < e.Value, nil
}

// reserveBlock reserves the next block. It doubles the size while a block lasts
// less than a second.
func (d *ids) reserveBlock(ctx context.Context) error {
	d.size = max(d.size, minBlock)
	if time.Since(d.reservedAt) < time.Second {
		d.size = min(2*d.size, maxBlock)
	} else {
		d.size = minBlock
	}
	var first int64
	_, err := d.store.Change(ctx, idKey, func(was *int64) (*int64, error) {
		first = 1
		if was != nil {
			first = *was
		}
		return new(first + d.size), nil
	})
	if err == nil {
		d.next, d.end, d.reservedAt = first, first+d.size, time.Now()
	}
	return err
}
