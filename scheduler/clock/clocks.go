package clock

import "time"

// Clocks reads the clocks of a location. It keeps the last span, because times
// that are close to each other are mostly in one, and looking up a span takes
// longer than the rest. Only one goroutine may use it.
type Clocks struct {
	loc  *time.Location
	last Span // empty at first
}

// ClocksOf returns the clocks of a location.
func ClocksOf(loc *time.Location) Clocks { return Clocks{loc: loc} }

// SpanAt returns a span that contains u.
func (k *Clocks) SpanAt(u int64) Span {
	if u < k.last.Start || u >= k.last.End {
		k.last = SpanAt(k.loc, u)
	}
	return k.last
}

// LatestShown returns the latest civil time that the clocks have shown up to u.
func (k *Clocks) LatestShown(u int64) Civil { return k.SpanAt(u).LatestShown(u) }

// FirstShown returns the first instant at which the clocks show c or a later
// time, and its span. It is in the first pass of an overlap, or the end of a
// gap.
func (k *Clocks) FirstShown(c Civil) (int64, Span) {
	// No clock of an earlier span has shown c, if c is late enough in this one.
	if at := k.last.InstantOf(c); at < k.last.End && k.last.Start <= at-MaxShift {
		return at, k.last
	}
	u := int64(c) - MaxOffset // no clock shows c earlier
	at, z := k.SpanAt(u).FirstReaching(c, u)
	k.last = z
	return at, z
}
