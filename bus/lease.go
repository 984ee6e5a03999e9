package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// LeaseTTL is after how long a silent holder loses its lease.
const LeaseTTL = 15 * time.Second

// Lease says which bus does a chore. It saves work only: whoever holds one, or thinks so, still decides by compare-and-set.
type Lease struct {
	Holder string        `json:"holder"`
	Time   subjects.Time `json:"time"` // when it was renewed, for people
}

// Leases are renewed by their holders. Whoever else wants one watches its revision: unchanged for [LeaseTTL] by one's own
// clock, it is free. So no clocks are compared, and nothing hangs on when the server expires a message.
type Leases struct {
	store *Store[Lease]
	mu    sync.Mutex
	seen  map[string]sighting
}

type sighting struct {
	revision uint64
	since    time.Time
}

// Renew takes the lease if it is free, or keeps it if holder has it.
func (l *Leases) Renew(ctx context.Context, name, holder string) (held bool, err error) {
	e, err := l.store.Get(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		_, err = l.store.Create(ctx, name, Lease{holder, subjects.Now()})
		if errors.Is(err, ErrExists) {
			return false, nil
		}
		return err == nil, err
	case err != nil:
		return false, err
	case e.Value.Holder != holder && !l.silent(name, e.Revision):
		return false, nil
	}
	_, err = l.store.Update(ctx, name, Lease{holder, subjects.Now()}, e.Revision)
	if errors.Is(err, ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

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
