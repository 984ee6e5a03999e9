package cron

import (
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// Next returns the first fire strictly after t, a whole second in the location
// of t. It returns the zero time if the schedule does not fire again by the end
// of 2299.
func (s *Schedule) Next(t time.Time) time.Time {
	loc, next := t.Location(), s.nextReal
	if s.fixed {
		next = s.nextFixed
	}
	// No schedule fires before 1970. The upper limit prevents an overflow far
	// beyond the last year.
	u := max(t.Unix(), -clock.MaxShift)
	if u > (MaxYear-MinYear+2)*366*clock.SecondsPerDay {
		return time.Time{}
	}
	at, ok := next(loc, u)
	if !ok {
		return time.Time{}
	}
	return time.Unix(at, 0).In(loc)
}

// NextInBothPasses is [Schedule.Next], except that the times of a fixed hour
// fire in both passes of an overlap. Times in a gap still fire after it.
func (s *Schedule) NextInBothPasses(t time.Time) time.Time {
	next := s.Next(t)
	if !s.fixed {
		return next
	}
	real := *s
	real.fixed = false
	if other := real.Next(t); !other.IsZero() && (next.IsZero() || other.Before(next)) {
		return other
	}
	return next
}

// nextFixed is Next for a fixed hour. It finds the first matching civil time
// that the clocks have not reached at u, and returns the instant at which they
// reach it.
func (s *Schedule) nextFixed(loc *time.Location, u int64) (int64, bool) {
	z := clock.SpanAt(loc, u)
	for c, ok := s.nextCivil(z.LatestShown(u)); ok; c, ok = s.nextCivil(clock.CivilAt(c.DayNumber()+1, -1)) {
		at, then := z.FirstReaching(c, u)
		shown := then.ClockAt(at)
		if shown == c || shown.DayNumber() == c.DayNumber() {
			return at, true
		}
		// The gap reaches into the next day. If it began before the day of c,
		// the location never had that day.
		if clock.SpanAt(loc, at-1).ClockAt(at-1).DayNumber() == c.DayNumber() {
			return at, true
		}
	}
	return 0, false
}

// nextReal is Next for an hour that follows real time. It returns the first
// instant after u at which the clocks show a matching time.
func (s *Schedule) nextReal(loc *time.Location, u int64) (int64, bool) {
	for from := u + 1; ; {
		z := clock.SpanAt(loc, from)
		c, ok := s.nextCivil(z.ClockAt(from) - 1)
		if ok && z.InstantOf(c) < z.End {
			return z.InstantOf(c), true
		}
		if z.End-clock.MaxShift <= from {
			from = z.End // in an overlap the clocks may show a matching time again
			continue
		}
		if !ok {
			return 0, false
		}
		from = max(z.End, int64(c)-clock.MaxOffset) // no clock shows c earlier
	}
}
