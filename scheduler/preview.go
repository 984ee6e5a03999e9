package scheduler

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// Foreseen is a fire that a schedule would make.
type Foreseen struct {
	Time time.Time // in the schedule's zone
	Note string    // what is unusual about it, for people
}

// Preview says when the schedule would fire first after from, at most n times.
// Nothing is stored. What is wrong with the schedule is the first of its
// [Faults].
func (s *Scheduler) Preview(sc bus.Schedule, from time.Time, n int) ([]Foreseen, error) {
	p, err := judged(&sc, s.plans.zone)
	if err != nil {
		return nil, err
	}
	var all []Foreseen
	for t := p.next(from); !t.IsZero() && len(all) < n; t = p.next(t) {
		all = append(all, Foreseen{t, note(t)})
	}
	return all, nil
}

// note says what a change of clocks has to do with t.
func note(t time.Time) string {
	start, end := t.ZoneBounds()
	_, now := t.Zone()
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		switch shift := time.Duration(now-before) * time.Second; {
		case shift > 0 && t.Equal(start):
			return fmt.Sprintf("the clocks have just gone forward by %v; what is set for the time that they left out fires now", shift)
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
