package scheduler

import (
	"context"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	leaseName  = "scheduler"
	leaseEvery = bus.LeaseTTL / 3
)

// leases is the part of the bus that says who leads.
type leases interface {
	Renew(ctx context.Context, name, holder string) (held bool, err error)
	Release(ctx context.Context, name, holder string) error // no effect if another holds it
}

// lead renews the lease until ctx ends, then gives it up.
func (s *Scheduler) lead(ctx context.Context) error {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	for {
		s.round(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.leading.Store(false)
			// ctx is over, but the next leader should not wait for the TTL.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if err := s.leases.Release(ctx, leaseName, s.bus.Name()); err != nil {
				s.log.Warn("lease not given up", "holder", s.bus.Name(), "err", err)
			}
			return nil
		}
	}
}

// round renews the lease, and if this bus leads wakes every schedule: after a lease was taken, after a clock was
// set, and for what failed before. A walk that finds nothing due costs a microsecond.
func (s *Scheduler) round(ctx context.Context) {
	renew, cancel := context.WithTimeout(ctx, leaseEvery)
	defer cancel()
	held, err := s.leases.Renew(renew, leaseName, s.bus.Name())
	if err != nil && ctx.Err() == nil {
		s.log.Warn("lease not renewed, trying again", "holder", s.bus.Name(), "err", err)
	}
	leads := held && err == nil // in doubt we do not
	if s.leading.Swap(leads) != leads {
		s.log.Info("who fires has changed", "holder", s.bus.Name(), "leads", leads)
	}
	unfinished := s.ledger.unfinished(func(id int64) bool { _, ok := s.index.Find(id); return ok })
	if !leads {
		return
	}
	for _, e := range s.index.Schedules() {
		s.wakes.add(e.Value.Key())
	}
	for _, key := range unfinished { // their schedule may be gone
		s.wakes.add(key)
	}
}
