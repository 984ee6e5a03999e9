package scheduler

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// PreviewedFire is a time at which a schedule would fire.
type PreviewedFire struct {
	Time time.Time // in the schedule's zone
	Note string    // for people: how a change of the clocks affects it
}

// Preview returns the first n times after from at which the schedule would
// fire. It stores nothing. The error is the first of the schedule's [Faults].
func (s *Scheduler) Preview(sc bus.Schedule, from time.Time, n int) ([]PreviewedFire, error) {
	p, err := checkedPlan(&sc, s.plans.zone)
	if err != nil {
		return nil, err
	}
	var all []PreviewedFire
	for t := p.nextAfter(from); !t.IsZero() && len(all) < n; t = p.nextAfter(t) {
		all = append(all, PreviewedFire{t, clockChangeNote(t)})
	}
	return all, nil
}

// clockChangeNote returns how a change of the clocks affects t, or "".
func clockChangeNote(t time.Time) string {
	start, end := t.ZoneBounds()
	_, now := t.Zone()
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		switch shift := time.Duration(now-before) * time.Second; {
		case shift > 0 && t.Equal(start):
			return fmt.Sprintf("the clocks go forward by %v at this moment; times in the gap fire now", shift)
		case t.Before(start.Add(-shift)):
			return "the clocks show this time twice on that day; this is the second"
		}
	}
	if !end.IsZero() {
		_, after := end.Zone()
		if shift := time.Duration(after-now) * time.Second; !t.Before(end.Add(shift)) {
			return "the clocks show this time twice on that day; this is the first"
		}
	}
	return ""
}
