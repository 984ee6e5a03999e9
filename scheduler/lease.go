package scheduler

import (
	"context"
	"sync"
	"time"

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

// renewed is told every leaseEvery whether this bus leads. If it does, it wakes
// every schedule: after a lease was taken, after a clock was set, and for what
// failed before. A walk that finds nothing due costs a microsecond.
func (s *Scheduler) renewed(leads bool) {
	if s.watch.renew(leads, time.Now()) {
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

// maxGap is the longest time between two renewals for which this bus still
// counts as running. A process that was stopped or suspended for longer, or
// whose clock was set forward, was not there: its lease may have passed to
// another bus.
const maxGap = bus.LeaseTTL

// handover is how much older a nominal time may be than the moment from which
// it counts as watched. It is the resolution of cron, so that a restart within
// a second loses nothing and no two times of a schedule pass by it.
const handover = time.Second

// watch knows since when this bus has been running, and since when it has been
// leading, without a gap. All is by the wall clock, which goes on while a
// machine is suspended.
type watch struct {
	mu      sync.Mutex
	leads   bool
	up      time.Time // the first of the renewals without a gap, whether they gave this bus the lease or not
	since   time.Time // the first of those that all gave it the lease
	renewed time.Time // the newest renewal
}

// renew takes in a renewal, and reports whether it changed who leads.
func (w *watch) renew(leads bool, now time.Time) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now = now.Round(0)
	gap := w.gone(now)
	if gap {
		w.up = now
	}
	if gap || !w.leads {
		w.since = now
	}
	changed = w.leads != leads
	w.leads, w.renewed = leads, now
	return changed
}

// gone reports whether the newest renewal is too old.
func (w *watch) gone(now time.Time) bool { return now.Round(0).Sub(w.renewed) > maxGap }

// leading reports whether this bus leads and has said so lately.
func (w *watch) leading() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leads && !w.gone(time.Now())
}

// watched says which nominal times until now passed unwatched: those until
// missed passed while this bus did not run, and those between missed and unled
// while it ran, but did not lead. What another bus that leads has not decided
// yet counts as unled too.
func (w *watch) watched(now time.Time) (missed, unled time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.gone(now):
		missed, unled = now, now
	case w.leads:
		missed, unled = w.up, w.since
	default:
		missed, unled = w.up, now
	}
	return missed.Add(-handover), unled.Add(-handover)
}
