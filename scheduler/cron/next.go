package cron

import "time"

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
	u := max(t.Unix(), -maxShift)
	if u > (MaxYear-MinYear+2)*366*secondsPerDay {
		return time.Time{}
	}
	at, ok := next(loc, u)
	if !ok {
		return time.Time{}
	}
	return time.Unix(at, 0).In(loc)
}

// nextFixed is Next for a fixed hour. It finds the first matching civil time
// that the clocks have not reached at u, and returns the instant at which they
// reach it.
func (s *Schedule) nextFixed(loc *time.Location, u int64) (int64, bool) {
	z := spanAt(loc, u)
	for c, ok := s.nextCivil(z.latestShown(u)); ok; c, ok = s.nextCivil(civilAt(c.dayNumber()+1, -1)) {
		at, then := z.firstReaching(c, u)
		shown := then.clockAt(at)
		if shown == c || shown.dayNumber() == c.dayNumber() {
			return at, true
		}
		// The gap reaches into the next day. If it began before the day of c,
		// the location never had that day.
		if spanAt(loc, at-1).clockAt(at-1).dayNumber() == c.dayNumber() {
			return at, true
		}
	}
	return 0, false
}

// nextReal is Next for an hour that follows real time. It returns the first
// instant after u at which the clocks show a matching time.
func (s *Schedule) nextReal(loc *time.Location, u int64) (int64, bool) {
	for from := u + 1; ; {
		z := spanAt(loc, from)
		c, ok := s.nextCivil(z.clockAt(from) - 1)
		if ok && z.instantOf(c) < z.end {
			return z.instantOf(c), true
		}
		if z.end-maxShift <= from {
			from = z.end // in an overlap the clocks may show a matching time again
			continue
		}
		if !ok {
			return 0, false
		}
		from = max(z.end, int64(c)-maxOffset) // no clock shows c earlier
	}
}
