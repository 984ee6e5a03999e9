package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// LeaseTTL is after how long a silent holder loses its lease.
const LeaseTTL = 15 * time.Second

// Lease says which bus does a chore. It saves work only: whoever holds one, or thinks so, still decides by compare-and-set.
type Lease struct {
	Holder string        `json:"holder"`
	Time   subjects.Time `json:"time"`               // when it was renewed, for people
	Inside bool          `json:"embedded,omitempty"` // the broker runs in the holder's process
}

// Leases are renewed by their holders. Whoever else wants one watches its revision: unchanged for [LeaseTTL] by one's own
// clock, it is free. So no clocks are compared, and nothing hangs on when the server expires a message.
//
// A bus whose own process runs the broker need not wait for a lease that such a bus held: one process at a time has the
// broker's data directory (it is locked), and one process is one bus. So that holder's process has ended, with the former
// broker in it. A holder that reached the former broker over the network may live on; its lease is waited for.
type Leases struct {
	store  *Store[Lease]
	inside bool // the broker runs in this process
	log    *slog.Logger
	mu     sync.Mutex
	seen   map[string]sighting
}

type sighting struct {
	revision uint64
	since    time.Time
}

// Keep renews the lease every third of [LeaseTTL] until ctx ends, then gives it up. After each renewal it says whether holder has it; in
// doubt, holder does not. What is done under the lease belongs elsewhere: while renewed runs, nobody renews.
func (l *Leases) Keep(ctx context.Context, name, holder string, renewed func(held bool)) {
	tick := time.NewTicker(LeaseTTL / 3)
	defer tick.Stop()
	for ctx.Err() == nil {
		renewed(l.tryRenew(ctx, name, holder))
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	renewed(false)
	// ctx is over, but the next holder should not wait for the TTL.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := l.Release(ctx, name, holder); err != nil && !errors.Is(err, ErrAway) {
		l.log.Warn("lease not given up", "lease", name, "holder", holder, "err", err)
	}
}

func (l *Leases) tryRenew(ctx context.Context, name, holder string) bool {
	renew, cancel := context.WithTimeout(ctx, LeaseTTL/3)
	defer cancel()
	held, err := l.Renew(renew, name, holder)
	if err != nil && ctx.Err() == nil {
		l.log.Warn("lease not renewed, trying again", "lease", name, "holder", holder, "err", err)
	}
	return held && err == nil
}

// Renew takes the lease if it is free, or keeps it if holder has it.
func (l *Leases) Renew(ctx context.Context, name, holder string) (held bool, err error) {
	e, err := l.store.Get(ctx, name)
	own := Lease{holder, subjects.Now(), l.inside}
	switch {
	case errors.Is(err, ErrNotFound):
		_, err = l.store.Create(ctx, name, own)
		if errors.Is(err, ErrExists) {
			return false, nil
		}
		return err == nil, err
	case err != nil:
		return false, err
	case e.Value.Holder != holder && !l.ended(&e.Value) && !l.silent(name, e.Revision):
		return false, nil
	}
	_, err = l.store.Update(ctx, name, own, e.Revision)
	if errors.Is(err, ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

// ended says whether another holder's process is known to have ended.
func (l *Leases) ended(other *Lease) bool { return l.inside && other.Inside }

// silent says whether the lease has been at a revision for so long that its holder is gone.
func (l *Leases) silent(name string, revision uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen[name]
	if !ok || s.revision != revision {
		l.seen[name] = sighting{revision, time.Now()}
		return false
	}
	return time.Since(s.since) > LeaseTTL
}

// Release gives the lease up; no effect if another holds it.
func (l *Leases) Release(ctx context.Context, name, holder string) error {
	e, err := l.store.Get(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil || e.Value.Holder != holder:
		return err
	}
	if err := l.store.Purge(ctx, name, e.Revision, time.Minute); err != nil && !errors.Is(err, ErrChanged) {
		return err
	}
	return nil
}
