package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// PreviewedFire is a time at which a schedule would fire, or a time of the
// schedule at which it would not, because it is on a holiday.
type PreviewedFire struct {
	Time time.Time // in the schedule's zone
	Note string    // for people: how a change of the clocks affects it
	// Of a fire: the time of the schedule that was moved to it. Zero if the
	// schedule names Time itself.
	From time.Time
	// Of a time that does not fire: the time that fires instead, or zero.
	To time.Time
	// The holiday because of which Time does not fire, or is not From.
	Why *calendar.Reason
}

// Previewed is what a preview shows.
type Previewed struct {
	Fires   []PreviewedFire
	Skipped []PreviewedFire // up to the last fire, at most maxPreviewedSkips
}

const maxPreviewedSkips = 1000

// Preview returns the first n times after from at which the schedule would
// fire, and the times on holidays before them. It stores nothing. The error is
// that of [Scheduler.ValidateSchedule], except that the schedule need not fire.
func (s *Scheduler) Preview(ctx context.Context, sc bus.Schedule, from time.Time, n int) (v Previewed, err error) {
	p, err := s.previewedPlan(ctx, &sc)
	if err != nil {
		return v, err
	}
	to := from
	for t := p.nextAfter(from); !t.IsZero() && len(v.Fires) < n; t = p.nextAfter(t) {
		d := p.decisionAt(t)
		v.Fires = append(v.Fires, previewOf(&d))
		to = t
	}
	if p.moved == nil {
		return v, nil
	}
	if len(v.Fires) == 0 {
		to = from.AddDate(1, 0, 0)
	}
	for d := range p.moved.Decisions(from, to) {
		if d.Fires {
			continue
		}
		if v.Skipped = append(v.Skipped, previewOf(&d)); len(v.Skipped) == maxPreviewedSkips {
			break
		}
	}
	return v, nil
}

func previewOf(d *calendar.Decision) PreviewedFire {
	return PreviewedFire{Time: d.Time, Note: clockChangeNote(d.Time), From: d.From, To: d.To, Why: d.Why}
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
