package clock

import (
	"math"
	"time"
)

// Bounds of time zones, in seconds. RFC 9636 section 3.2 allows offsets from
// -25 to +26 hours, so clocks change by at most 52 hours, rounded up.
const (
	MaxOffset = 26 * 60 * 60
	MaxShift  = 52 * 60 * 60
)

// Span is a period during which the clocks of a location run evenly: their
// offset from UTC does not change.
type Span struct {
	loc        *time.Location
	Start, End int64 // Unix seconds; End is not part of it
	offset     int64 // seconds east of UTC
}

// SpanAt returns a span that contains u. The offset need not change at the ends
// of the span.
func SpanAt(loc *time.Location, u int64) Span {
	t := time.Unix(u, 0).In(loc)
	_, offset := t.Zone()
	z := Span{loc, math.MinInt64, math.MaxInt64, int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		z.Start = start.Unix()
	}
	if !end.IsZero() {
		z.End = end.Unix()
	}
	if z.End <= u {
		// After the last entry of a zone's table, ZoneBounds takes every year
		// to have 365 days. So on the last day of a leap year it returns a span
		// that has ended. No clock changes on that day before the next midnight
		// UTC.
		z.End = u - u%SecondsPerDay + SecondsPerDay
	}
	return z
}

// ClockAt returns what the clocks show at u, an instant of the span.
func (z Span) ClockAt(u int64) Civil { return Civil(u + z.offset) }

// InstantOf returns the instant at which clocks with the offset of the span
// show c.
func (z Span) InstantOf(c Civil) int64 { return int64(c) - z.offset }

// LatestShown returns the latest civil time that the clocks have shown up to u,
// an instant of the span. During the second pass of an overlap this is the end
// of the first pass.
func (z Span) LatestShown(u int64) Civil {
	c := z.ClockAt(u)
	for z.Start > u-MaxShift {
		before := z.Start - 1
		z = SpanAt(z.loc, before)
		c = max(c, z.ClockAt(before))
	}
	return c
}

// FirstReaching returns the first instant at which the clocks show c or a later
// time, and the span of that instant. The caller makes sure that the clocks
// have not shown c up to u, an instant of z.
func (z Span) FirstReaching(c Civil, u int64) (int64, Span) {
	from := max(u, int64(c)-MaxOffset)
	for z.InstantOf(c) >= z.End {
		from = max(from, z.End)
		z = SpanAt(z.loc, from)
	}
	return max(z.InstantOf(c), z.Start), z
}

// Offset returns how far the clocks are ahead of UTC in the span, in seconds.
func (z Span) Offset() int64 { return z.offset }
