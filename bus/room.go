package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// roomAge is how old an answer about the room may be.
	roomAge = time.Second
	// roomTimeout is how long to wait for one. Without it a submission goes on: the broker refuses the write if it has to.
	roomTimeout = time.Second
	// marginShare and mostMargin say how much of JetStream's limit is kept for executions that run: no new one begins in it.
	marginShare = 32
	mostMargin  = 128 << 20
)

// room is what was seen of JetStream's limit.
type room struct {
	asking sync.Mutex
	seen   atomic.Pointer[sawRoom]
}

type sawRoom struct {
	at  time.Time
	err error
}

// Room returns an [ErrFull] if JetStream has next to no room left. What begins an execution asks first, so that what runs can still
// write its results, and nothing is refused half way. It costs a request a second.
func (b *Bus) Room(ctx context.Context) error {
	last := b.room.seen.Load()
	if last != nil && time.Since(last.at) < roomAge {
		return last.err
	}
	if !b.room.asking.TryLock() { // somebody else is about to know
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
		return nil //nolint:nilerr // the write itself will say what is wrong
	}
	err = b.roomOf(info)
	b.room.seen.Store(&sawRoom{time.Now(), err})
	return err
}

// roomOf judges what JetStream keeps and may keep.
func (b *Bus) roomOf(info *jetstream.AccountInfo) error {
	t := b.tier(info)
	limit := t.Limits.MaxStore
	if limit < 0 || limit == 0 && t.Store == 0 { // none
		return nil
	}
	if NextToFull(int64(t.Store), limit) {
		return fmt.Errorf("%w: it keeps %s, and its disk or its account's limit lets it keep no more", ErrFull, Size(int64(t.Store)))
	}
	return nil
}

// NextToFull reports whether what is stored is so close to the limit that nothing new begins.
func NextToFull(stored, limit int64) bool { return limit-stored <= min(limit/marginShare, mostMargin) }

// tier is the part of the account that our streams count for. Its limit is one of all replicas together.
func (b *Bus) tier(info *jetstream.AccountInfo) jetstream.Tier {
	t, ok := info.Tiers[fmt.Sprintf("R%d", b.cfg.Replicas)]
	if !ok {
		return info.Tier
	}
	if t.Limits.MaxStore > 0 {
		t.Limits.MaxStore *= int64(b.cfg.Replicas)
	}
	return t
}

// full says whether err means that JetStream has no room left.
func full(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, ErrFull) || errors.As(err, &api) && noRoom(int(api.ErrorCode), api.Description)
}

// noRoom says whether the broker's code, or what it says with it, means that there is no room left.
func noRoom(code int, description string) bool {
	switch code {
	case 10002, 10023, 10047: // of the account; of the server, for messages and for what streams reserve
		return true
	case 10005: // no server of the cluster has the room. One that is not there yet may have it.
		return strings.Contains(description, "insufficient storage") && !strings.Contains(description, "offline")
	case 10077:
		return strings.Contains(description, "no space left")
	}
	return false
}

// Size is a number of bytes for people.
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
