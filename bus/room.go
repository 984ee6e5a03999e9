package bus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// roomAge is the maximum age of the cached answer about the room.
	roomAge = time.Second
	// roomTimeout bounds the wait for an answer. Without an answer a submission
	// goes on: the broker refuses the write if there is no room.
	roomTimeout = time.Second
	// JetStream's limit divided by marginShare, at most maxMargin bytes, is
	// reserved for executions that run: no new execution begins in it.
	marginShare = 32
	maxMargin   = 128 << 20
)

// roomCache caches whether JetStream has room.
type roomCache struct {
	asking sync.Mutex
	seen   atomic.Pointer[roomState]
}

type roomState struct {
	at  time.Time
	err error
}

// Room returns an [ErrFull] if JetStream is nearly full. The caller asks before
// an execution begins, so that running executions can still write their results
// and nothing is refused half-way. It costs at most one request a second.
func (b *Bus) Room(ctx context.Context) error {
	last := b.room.seen.Load()
	if last != nil && time.Since(last.at) < roomAge {
		return last.err
	}
	if !b.room.asking.TryLock() { // another caller is asking
		if last == nil {
			return nil
		}
		return last.err
	}
	defer b.room.asking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, roomTimeout)
	defer cancel()
	info, err := b.JS.AccountInfo(ctx)
	if err != nil {
		return nil //nolint:nilerr // the write itself will return the error
	}
	err = b.checkRoom(info)
	b.room.seen.Store(&roomState{time.Now(), err})
	return err
}

// checkRoom returns an [ErrFull] if the account has next to no room left.
func (b *Bus) checkRoom(info *jetstream.AccountInfo) error {
	stored, limit := b.StorageOf(info)
	if limit >= 0 && NextToFull(stored, limit) {
		return fmt.Errorf("%w: it stores %s, and its disk or the limit of its account allows no more", ErrFull, Size(stored))
	}
	return nil
}

// StorageOf returns the bytes that the account stores on disk for streams such
// as those of the bus, and how many it may store; -1: no limit. Both count all
// replicas.
func (b *Bus) StorageOf(info *jetstream.AccountInfo) (stored, limit int64) {
	t := b.accountTier(info)
	stored, limit = int64(t.Store), t.Limits.MaxStore
	if limit < 0 || limit == 0 && stored == 0 {
		limit = -1
	}
	return stored, limit
}

// NextToFull reports whether the stored bytes are so close to the limit that no
// new execution begins.
func NextToFull(stored, limit int64) bool { return limit-stored <= min(limit/marginShare, maxMargin) }

// accountTier returns the part of the account that our streams belong to. Its
// limit is the sum over all replicas.
func (b *Bus) accountTier(info *jetstream.AccountInfo) jetstream.Tier {
	t, ok := info.Tiers[fmt.Sprintf("R%d", b.cfg.Replicas)]
	if !ok {
		return info.Tier
	}
	if t.Limits.MaxStore > 0 {
		t.Limits.MaxStore *= int64(b.cfg.Replicas)
	}
	return t
}

// Size formats a number of bytes for people.
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n), -1
	for f >= unit && i < 3 {
		f /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGT"[i])
}
