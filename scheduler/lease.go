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

// leases is the part of the bus that decides who leads.
type leases interface {
	Keep(ctx context.Context, name, holder string, renewed func(held bool))
}

// onRenewal runs every leaseEvery with the answer whether this bus leads. A bus
// that leads wakes every schedule that is overdue or has open fires. That covers
// a new leader, a clock that was set, and the retry of earlier failures.
func (s *Scheduler) onRenewal(leads bool) {
	changed := s.leadership.addRenewal(leads, time.Now())
	if changed {
		s.log.Info("scheduler leadership changed", "holder", s.bus.Name(), "leads", leads)
	}
	unfinished := s.ledger.unfinishedSchedules(func(id int64) bool { _, ok := s.index.Find(id); return ok })
	s.timers.checkOverdue(leads)
	if !leads {
		return
	}
	for _, key := range unfinished { // these schedules may be deleted
		s.wakes.addSchedule(key)
	}
	s.sweepTriggers(changed)
}

// maxRenewalGap is the longest time between two renewals during which this bus
// counts as running. After a longer gap the process was stopped or suspended,
// or its clock was set forward, and the lease may have passed to another bus.
const maxRenewalGap = bus.LeaseTTL

// handover is the tolerance of [leadership.unattendedUntil]: a nominal time
// that is at most this much older than the start of a bus is not a misfire. It
// equals the resolution of cron. So a restart within a second loses no fire,
// and at most one time of a schedule can profit from it.
const handover = time.Second

// leadership knows since when this bus has been running without a gap, and
// since when it has been leading without a gap. It compares wall clock times,
// because the monotonic clock stops while a machine is suspended.
type leadership struct {
	mu           sync.Mutex
	leads        bool      // the answer of the last renewal
	runningSince time.Time // the first renewal since the last gap
	leadingSince time.Time // the first of the latest renewals that all got the lease
	lastRenewal  time.Time // the newest renewal, whatever its answer
}

// addRenewal adds a renewal and its answer, and reports whether the answer
// changed.
func (l *leadership) addRenewal(leads bool, now time.Time) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now = now.Round(0)
	gap := l.renewalExpired(now)
	if gap {
		l.runningSince = now
	}
	if gap || !l.leads {
		l.leadingSince = now
	}
	changed = l.leads != leads
	l.leads, l.lastRenewal = leads, now
	return changed
}

// renewalExpired reports whether the last renewal is too old to rely on.
func (l *leadership) renewalExpired(now time.Time) bool {
	return now.Round(0).Sub(l.lastRenewal) > maxRenewalGap
}

// isLeading reports whether this bus leads, by a recent renewal.
func (l *leadership) isLeading() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leads && !l.renewalExpired(time.Now())
}

// unattendedUntil returns which nominal times up to now passed unattended.
// Those up to downUntil passed while this bus was not running. Those after
// downUntil and up to unledUntil passed while this bus was running but did not
// lead. If another bus leads, its undecided times count as unled too.
func (l *leadership) unattendedUntil(now time.Time) (downUntil, unledUntil time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.renewalExpired(now):
		downUntil, unledUntil = now, now
	case l.leads:
		downUntil, unledUntil = l.runningSince, l.leadingSince
	default:
		downUntil, unledUntil = l.runningSince, now
	}
	return downUntil.Add(-handover), unledUntil.Add(-handover)
}
