package scheduler

import (
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// pauseSpan is a time during which pauses of all schedules, or of those of an
// application, held back what was due: the moments after from, up to and
// including to.
type pauseSpan struct {
	from, to time.Time // zero to: a pause is on
	catchUp  bool      // what was due is a misfire; else it is skipped
}

// pauseSpans are the spans of one application, by time. They do not overlap.
type pauseSpans []pauseSpan

// spansOf returns the spans of pauses that may overlap. What was due during
// several pauses is a misfire only if all of them ended so.
func spansOf(periods ...bus.PausePeriod) (spans pauseSpans) {
	var bounds []subjects.Time
	for i := range periods {
		if bounds = append(bounds, periods[i].From); !periods[i].IsOn() {
			bounds = append(bounds, periods[i].To)
		}
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	for i, from := range bounds {
		is, held := pauseSpan{from: from.Std(), catchUp: true}, false
		if i < len(bounds)-1 {
			is.to = bounds[i+1].Std()
		}
		for j := range periods {
			if p := &periods[j]; p.From <= from && (p.IsOn() || p.To > from) {
				held, is.catchUp = true, is.catchUp && p.CatchUp && !p.IsOn()
			}
		}
		switch n := len(spans); {
		case !held:
		case n > 0 && spans[n-1].to.Equal(is.from) && spans[n-1].catchUp == is.catchUp:
			spans[n-1].to = is.to
		default:
			spans = append(spans, is)
		}
	}
	return spans
}

// isOn reports whether a pause is on.
func (ps pauseSpans) isOn() bool { return len(ps) > 0 && ps[len(ps)-1].to.IsZero() }

// heldSince returns the moment after which nothing that is due is decided yet,
// because a pause is on; zero if none is.
//
// A pause that ended while another one was on makes up for its times when both
// have ended. So does the resumption of the schedule itself: such a schedule
// begins again where its own pause began, before its last change.
func (ps pauseSpans) heldSince(sc *bus.Schedule) time.Time {
	if !ps.isOn() {
		return time.Time{}
	}
	first := len(ps) - 1
	for first > 0 && ps[first-1].to.Equal(ps[first].from) {
		first--
	}
	held := ps[first].from
	if since := sc.Since.Std(); since.Before(held) && sc.UpdateTime.Std().After(held) && sc.UpdateTime > sc.Since {
		return since
	}
	return held
}

// between returns the spans that have moments after from, up to and including
// to. A pause that is on lasts until to.
func (ps pauseSpans) between(from, to time.Time) (some pauseSpans) {
	for _, span := range ps {
		if span.to.IsZero() {
			span.to = to
		}
		if span.to.After(from) && span.from.Before(to) {
			some = append(some, span)
		}
	}
	return some
}

// earlierBy returns the spans as nominal times see them that are due later by d.
func (ps pauseSpans) earlierBy(d time.Duration) pauseSpans {
	if d == 0 || len(ps) == 0 {
		return ps
	}
	moved := slices.Clone(ps)
	for i := range moved {
		moved[i].from = moved[i].from.Add(-d)
		if !moved[i].to.IsZero() {
			moved[i].to = moved[i].to.Add(-d)
		}
	}
	return moved
}
