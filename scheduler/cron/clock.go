package cron

import (
	"math"
	"time"
)

// Bounds of what zones do, in seconds: RFC 9636 section 3.2 has offsets from
// -25 to +26 hours.
const (
	maxOffset = 26 * 60 * 60
	maxShift  = 52 * 60 * 60
)

// span is a stretch of time in which the clocks of a location go evenly.
type span struct {
	loc        *time.Location
	start, end int64 // Unix seconds; end is not part of it
	offset     int64 // seconds east of UTC
}

// spanAt returns a span with u in it. The clocks need not change at its ends.
func spanAt(loc *time.Location, u int64) span {
	t := time.Unix(u, 0).In(loc)
	_, offset := t.Zone()
	z := span{loc, math.MinInt64, math.MaxInt64, int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		z.start = start.Unix()
	}
	if !end.IsZero() {
		z.end = end.Unix()
	}
	if z.end <= u {
		// Beyond a zone's table of changes ZoneBounds takes every year for one
		// of 365 days. On the last day of a leap year nothing changes before
		// the next midnight UTC.
		z.end = u - u%secondsPerDay + secondsPerDay
	}
	return z
}

// shows is what the clocks show at u, an instant of the span.
func (z span) shows(u int64) civil { return civil(u + z.offset) }

// instant is when clocks like these show c.
func (z span) instant(c civil) int64 { return int64(c) - z.offset }

// latestShown returns the latest time that the clocks have shown until u, an
// instant of the span. In the second pass of an overlap that is the end of the
// first pass.
func (z span) latestShown(u int64) civil {
	c := z.shows(u)
	for z.start > u-maxShift {
		before := z.start - 1
		z = spanAt(z.loc, before)
		c = max(c, z.shows(before))
	}
	return c
}

// reaches returns the first instant at which the clocks show c or more, and its
// span. They did not until u, an instant of z.
func (z span) reaches(c civil, u int64) (int64, span) {
	from := max(u, int64(c)-maxOffset)
	for z.instant(c) >= z.end {
		from = max(from, z.end)
		z = spanAt(z.loc, from)
	}
	return max(z.instant(c), z.start), z
}
