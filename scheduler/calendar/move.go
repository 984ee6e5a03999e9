package calendar

import (
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// dayRange are the instants of a business date.
type dayRange struct {
	date     Date
	from, to int64 // Unix seconds; to is not part of it
	// By how much the clocks change on the day, or where it begins.
	shift int64
}

func (q *search) rangeOf(date Date) dayRange {
	from, z := q.clocks.FirstShown(date.civilAt(q.Days.start))
	if to := z.InstantOf((date + 1).civilAt(q.Days.start)); z.Start < from && to < z.End {
		return dayRange{date, from, to, 0}
	}
	r := dayRange{date, from, q.startOf(date + 1), 0}
	for z = q.clocks.SpanAt(from - 1); z.End < r.to; {
		next := q.clocks.SpanAt(z.End)
		r.shift += max(next.Offset()-z.Offset(), z.Offset()-next.Offset())
		z = next
	}
	return r
}

// firstFireOn returns the first fire after u on a business date.
func (q *search) firstFireOn(date Date, u int64) (best fire, found bool) {
	r := q.rangeOf(date)
	u = max(u, r.from-1)
	if n, ok := q.nextNominal(u); ok && n < r.to {
		best, found = fire{at: n, date: date}, true
	}
	if q.Substitution == NextUnlessDue && u >= r.from {
		// The first time of the schedule on the date stands in for those that
		// would be moved beyond it.
		if first, ok := q.nextNominal(r.from - 1); ok && first <= u {
			return best, found
		}
	}
	for x, last := q.firstSource(date), q.lastSource(date); x <= last; x++ {
		if found && best.at == u+1 && !best.moved {
			break // nothing comes before it
		}
		if x != date {
			best, found = q.firstMovedFrom(x, r, u, best, found)
		}
	}
	return best, found
}

// firstSource returns the first of the dates whose times fire on a business
// date. They are consecutive.
func (q *search) firstSource(date Date) Date {
	if q.Substitution == PreviousDay {
		return date
	}
	return max(q.Days.Previous(date-1)+1, date-maxClosedYears*366)
}

// lastSource returns the last of the dates whose times fire on a business date.
func (q *search) lastSource(date Date) Date {
	if q.Substitution != PreviousDay {
		return date
	}
	if next := q.Days.Next(date + 1); !next.IsZero() {
		return next - 1
	}
	return min(LastDate, date+maxClosedYears*366)
}

// firstMovedFrom returns the first fire after u on the date of r that was moved
// from the holiday x, or best if that is not later.
//
// Moving changes the distance from the start of the day by no more than the
// clocks change on the two days. That limits the times to look at.
func (q *search) firstMovedFrom(x Date, r dayRange, u int64, best fire, found bool) (fire, bool) {
	s := q.rangeOf(x)
	shift := s.shift + r.shift
	n, ok := q.nextNominal(max(s.from-1, s.from+u-r.from-shift))
	for ; ok && n < s.to; n, ok = q.nextNominal(n) {
		if found && n-s.from > best.at-r.from+shift {
			break
		}
		at := q.moveTime(n, x, r.date)
		if at > u && (!found || at < best.at) {
			best, found = fire{at, r.date, true, n}, true
		}
	}
	return best, found
}

// moveTime returns the instant at which the clocks show on the business date
// to, or first thereafter, what the schedule names for its time n on the
// business date from.
func (q *search) moveTime(n int64, from, to Date) int64 {
	sec := max(0, int(q.namedClock(n)-from.civilAt(q.Days.start)))
	at, _ := q.clocks.FirstShown(to.civilAt(q.Days.start + sec))
	return at
}

// namedClock returns the clock time that the schedule names for its time n.
// The clocks may show another one: a time in a gap fires at its end.
func (q *search) namedClock(n int64) clock.Civil {
	z := q.clocks.SpanAt(n)
	shown := z.ClockAt(n)
	if z.Start != n {
		return shown
	}
	before := q.clocks.SpanAt(n - 1)
	if before.Offset() >= z.Offset() || q.fires(n, z.Offset()) {
		return shown
	}
	// Clocks that are not set forward show the times in the gap.
	t := q.Schedule(time.Unix(n-1, 0).In(fixedZone(before.Offset())))
	if named := before.ClockAt(t.Unix()); !t.IsZero() && named < shown {
		return named
	}
	return shown
}

// fires reports whether n is a time of the schedule for clocks that run evenly.
func (q *search) fires(n, offset int64) bool {
	return q.Schedule(time.Unix(n-1, 0).In(fixedZone(offset))).Unix() == n
}

func fixedZone(offset int64) *time.Location { return time.FixedZone("", int(offset)) }

// decideExcluded returns the decision about a time of the schedule on a
// holiday.
func (q *search) decideExcluded(n int64, date Date) Decision {
	d := Decision{Time: q.timeOf(n), Date: date, Why: q.reason(date), Clock: q.clocks.ChangeAt(n)}
	target := q.targetOf(date)
	if target.IsZero() {
		return d
	}
	at := q.moveTime(n, date, target)
	if q.Substitution == NextUnlessDue {
		r := q.rangeOf(target)
		if first, ok := q.nextNominal(r.from - 1); ok && first < r.to && first < at {
			at, d.StoodIn = first, true
		}
	}
	d.To = q.timeOf(at)
	return d
}
