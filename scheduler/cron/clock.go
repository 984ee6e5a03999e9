package cron

import (
	"math"
	"time"
)

// Bounds of time zones, in seconds. RFC 9636 section 3.2 allows offsets from
// -25 to +26 hours, so clocks change by at most 52 hours, rounded up.
const (
	maxOffset = 26 * 60 * 60
	maxShift  = 52 * 60 * 60
)

// span is a period during which the clocks of a location run evenly: their
// offset from UTC does not change.
type span struct {
	loc        *time.Location
	start, end int64 // Unix seconds; end is not part of it
	offset     int64 // seconds east of UTC
}

// spanAt returns a span that contains u. The offset need not change at the ends
// of the span.
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
		// After the last entry of a zone's table, ZoneBounds takes every year
		// to have 365 days. So on the last day of a leap year it returns a span
		// that has ended. No clock changes on that day before the next midnight
		// UTC.
		z.end = u - u%secondsPerDay + secondsPerDay
	}
	return z
}

// clockAt returns what the clocks show at u, an instant of the span.
func (z span) clockAt(u int64) civil { return civil(u + z.offset) }

// instantOf returns the instant at which clocks with the offset of the span
// show c.
func (z span) instantOf(c civil) int64 { return int64(c) - z.offset }

// latestShown returns the latest civil time that the clocks have shown up to u,
// an instant of the span. During the second pass of an overlap this is the end
// of the first pass.
func (z span) latestShown(u int64) civil {
	c := z.clockAt(u)
	for z.start > u-maxShift {
		before := z.start - 1
		z = spanAt(z.loc, before)
		c = max(c, z.clockAt(before))
	}
	return c
}

// firstReaching returns the first instant at which the clocks show c or a later
// time, and the span of that instant. The caller makes sure that the clocks
// have not shown c up to u, an instant of z.
func (z span) firstReaching(c civil, u int64) (int64, span) {
	from := max(u, int64(c)-maxOffset)
	for z.instantOf(c) >= z.end {
		from = max(from, z.end)
		z = spanAt(z.loc, from)
	}
	return max(z.instantOf(c), z.start), z
}
