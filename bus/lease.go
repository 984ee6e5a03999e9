package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// LeaseTTL is the time after which a holder that does not renew its lease loses
// it.
const LeaseTTL = 15 * time.Second

// Lease names the bus that does a leased task. It only saves work: a bus that
// holds a lease, or believes so, still decides by compare-and-set.
type Lease struct {
	Holder string        `json:"holder"`
	Time   subjects.Time `json:"time"`               // of the last renewal; only for people to read
	Inside bool          `json:"embedded,omitempty"` // the broker runs in the holder's process
}

// Leases are renewed by their holders. Another bus that wants a lease watches
// its revision: the lease is free if the revision has not changed for
// [LeaseTTL] by that bus's own clock. So no clocks are compared, and nothing
// depends on when the server expires a message.
//
// A bus that runs the broker in its own process need not wait for a lease of
// another such bus. The broker's data directory is locked, so only one process
// at a time has it, and one process is one bus. The other bus's process has
// therefore ended, and its broker with it. A holder that reached the former
// broker over the network may be alive; the bus waits for its lease to expire.
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

// Keep renews the lease every third of [LeaseTTL] until ctx ends, then releases
// it. After each attempt it calls renewed, which tells whether holder has the
// lease; in doubt, holder does not. The callback must not do the leased task
// itself: nobody renews the lease while it runs.
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
	// ctx has ended, but the next holder should not wait for the TTL.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := l.Release(ctx, name, holder); err != nil && !errors.Is(err, ErrAway) {
		l.log.Warn("lease not released", "lease", name, "holder", holder, "err", err)
	}
}

func (l *Leases) tryRenew(ctx context.Context, name, holder string) bool {
	renew, cancel := context.WithTimeout(ctx, LeaseTTL/3)
	defer cancel()
	held, err := l.Renew(renew, name, holder)
	if err != nil && ctx.Err() == nil {
		l.log.Warn("lease not renewed, retrying", "lease", name, "holder", holder, "err", err)
	}
	return held && err == nil
}

// Renew acquires the lease if it is free, or renews it if holder has it.
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
	case e.Value.Holder != holder && !l.hasEnded(&e.Value) && !l.hasExpired(name, e.Revision):
		return false, nil
	}
	_, err = l.store.Update(ctx, name, own, e.Revision)
	if errors.Is(err, ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

// hasEnded reports whether another holder's process is known to have ended.
func (l *Leases) hasEnded(other *Lease) bool { return l.inside && other.Inside }

// hasExpired reports whether the lease has had this revision for longer than
// [LeaseTTL].
func (l *Leases) hasExpired(name string, revision uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen[name]
	if !ok || s.revision != revision {
		l.seen[name] = sighting{revision, time.Now()}
		return false
	}
	return time.Since(s.since) > LeaseTTL
}

// Release releases the lease. It has no effect if another bus holds it.
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

// RunLeasedTask calls round at every interval while this bus holds the lease, and
// renews the lease meanwhile. It logs a round that fails, and calls round again
// at the next interval.
func (b *Bus) RunLeasedTask(ctx context.Context, name string, every time.Duration, round func(context.Context) error) error {
	var held atomic.Bool
	var kept sync.WaitGroup
	kept.Go(func() { b.Leases.Keep(ctx, name, b.Name(), held.Store) })
	defer kept.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if !held.Load() {
			continue
		}
		if err := round(ctx); err != nil && ctx.Err() == nil {
			b.Log.Warn("leased task failed, retrying", "task", name, "err", err)
		}
	}
}
