package cron

import "time"

// Next returns the first fire that is strictly after t, in t's location and a
// whole second, or the zero time if there is none until the end of 2299.
func (s *Schedule) Next(t time.Time) time.Time {
	loc, next := t.Location(), s.nextReal
	if s.fixed {
		next = s.nextFixed
	}
	// Nothing fires before 1970, and what is far beyond the last year would
	// overflow.
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

// nextFixed finds the first civil time that matches and that the clocks have
// not reached at u, and the instant at which they do.
func (s *Schedule) nextFixed(loc *time.Location, u int64) (int64, bool) {
	z := spanAt(loc, u)
	for c, ok := s.after(z.latestShown(u)); ok; c, ok = s.after(civilAt(c.day()+1, -1)) {
		at, then := z.reaches(c, u)
		shown := then.shows(at)
		if shown == c || shown.day() == c.day() {
			return at, true
		}
		// A gap reaches into the next day. If it began before c's day, nobody
		// had that day.
		if spanAt(loc, at-1).shows(at-1).day() == c.day() {
			return at, true
		}
	}
	return 0, false
}

// nextReal finds the first instant after u at which the clocks show a time that
// matches.
func (s *Schedule) nextReal(loc *time.Location, u int64) (int64, bool) {
	for from := u + 1; ; {
		z := spanAt(loc, from)
		c, ok := s.after(z.shows(from) - 1)
		if ok && z.instant(c) < z.end {
			return z.instant(c), true
		}
		if z.end-maxShift <= from {
			from = z.end // the clocks may show once more what they showed
			continue
		}
		if !ok {
			return 0, false
		}
		from = max(z.end, int64(c)-maxOffset) // before that no clock shows c
	}
}
