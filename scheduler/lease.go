package scheduler

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	leaseName  = "scheduler"
	leaseEvery = bus.LeaseTTL / 3
)

// leases is the part of the bus that says who leads.
type leases interface {
	Keep(ctx context.Context, name, holder string, renewed func(held bool))
}

// renewed is told every leaseEvery whether this bus leads. If it does, it wakes every schedule: after a lease was taken, after a clock
// was set, and for what failed before. A walk that finds nothing due costs a microsecond.
func (s *Scheduler) renewed(leads bool) {
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
