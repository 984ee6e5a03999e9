package bus

import (
	"context"
	"errors"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Lease says which bus does a chore. It saves work only: whoever holds one, or thinks so, still decides by compare-and-set.
type Lease struct {
	Holder string        `json:"holder"`
	Time   subjects.Time `json:"time"`
}

// Leases are kept in a bucket whose keys end [LeaseTTL] after they were written last.
type Leases struct{ store *Store[Lease] }

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
	case err != nil || e.Value.Holder != holder:
		return false, err
	}
	_, err = l.store.Update(ctx, name, Lease{holder, subjects.Now()}, e.Revision)
	if errors.Is(err, ErrChanged) {
		return false, nil
	}
	return err == nil, err
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
	if err := l.store.Delete(ctx, name, e.Revision); err != nil && !errors.Is(err, ErrChanged) {
		return err
	}
	return nil
}
