package clock

import (
	"hash/maphash"
	"math"
	"sync/atomic"
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
	slot := recent.slotOf(loc, u)
	if z := slot.Load(); z != nil && z.loc == loc && z.Start <= u && u < z.End {
		return *z
	}
	z := findSpan(loc, u)
	slot.Store(&z)
	return z
}

// recent has spans that were found before. Package time takes up to a
// microsecond to find one after the last change in a zone's table, because it
// parses the rule that follows the table each time. The cache holds a fixed
// number of spans, so locations that a caller makes do not fill it up.
var recent = spanCache{seed: maphash.MakeSeed()}

type spanCache struct {
	seed  maphash.Seed
	slots [1024]atomic.Pointer[Span]
}

// slotPeriod is a period whose instants have one slot in a location. It is
// shorter than most spans.
const slotPeriod = 100 * SecondsPerDay

// slotOf returns the slot for the span that contains u.
func (c *spanCache) slotOf(loc *time.Location, u int64) *atomic.Pointer[Span] {
	hash := maphash.Comparable(c.seed, loc) + uint64(u/slotPeriod)
	return &c.slots[hash%uint64(len(c.slots))]
}

// findSpan is SpanAt without the cache.
func findSpan(loc *time.Location, u int64) Span {
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
