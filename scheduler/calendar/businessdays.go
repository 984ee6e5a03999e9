package calendar

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// BusinessDays is a schedule that counts business days.
type BusinessDays struct {
	// Without Of: business days of each month, 1 to 31 from its start and -1 to
	// -31 from its end. With Of: business days after that date, or before it if
	// negative; 1 is the first business day after it.
	Counts []int `json:"business_days"`
	// The dates from which to count: 15 (of each month), last (the last day
	// of each month), 12-24 (of each year), easter, easter-2, easter+39, or a
	// single date such as 2027-03-31.
	Of string `json:"of,omitempty"`
	// The months from 1 to 12 that count, all if empty. With Of, it is the month
	// of the date from which they count.
	Months []int `json:"months,omitempty"`
	// The clock time on the date, from 00:00 (the default) to 47:59. Hours from
	// 24 on are on the following date: 25:00 of Friday is Saturday at 01:00.
	At string `json:"at,omitempty"`
}

const (
	maxOfMonth  = 31
	maxOfDate   = 366
	maxDayCount = 100 // numbers in Counts
	atHours     = 48
)

// Validate returns nil or an [Errors] with all faults.
func (b *BusinessDays) Validate() error {
	var l faultList
	limit := maxOfMonth
	if b.Of != "" {
		limit = maxOfDate
		if _, ok := parseOrigin(b.Of); !ok {
			l.add("/of", wantOrigin, quoteValue(b.Of))
		}
	}
	if len(b.Counts) == 0 || len(b.Counts) > maxDayCount {
		l.add("/business_days", fmt.Sprintf("1 to %d numbers", maxDayCount), strconv.Itoa(len(b.Counts)))
	}
	for i, n := range b.Counts {
		if n == 0 || n < -limit || n > limit {
			l.add("/business_days/"+strconv.Itoa(i), fmt.Sprintf("a number from 1 to %d or from -1 to -%d", limit, limit), strconv.Itoa(n))
		}
	}
	checkCount(&l, "/months", len(b.Months), 12)
	for i, m := range b.Months {
		if m < 1 || m > 12 {
			l.add("/months/"+strconv.Itoa(i), "a month from 1 to 12", strconv.Itoa(m))
		}
	}
	if _, ok := parseTimeOfDay(b.At, atHours); !ok && b.At != "" {
		l.add("/at", "a time from 00:00 to 47:59", quoteValue(b.At))
	}
	return l.orNil()
}

// DayPlan is a compiled [BusinessDays]. It is immutable.
type DayPlan struct {
	days   *Days
	zone   *time.Location
	counts []int
	of     *origin
	months [13]bool
	at     int // seconds after midnight
}

// Plan returns the plan of a schedule by the business days of a calendar. The
// error is an [Errors].
func (b *BusinessDays) Plan(days *Days, zone *time.Location) (*DayPlan, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	p := &DayPlan{days: days, zone: zone, counts: slices.Clone(b.Counts)}
	if b.Of != "" {
		o, _ := parseOrigin(b.Of)
		p.of = &o
	}
	for m := range p.months {
		p.months[m] = len(b.Months) == 0 || slices.Contains(b.Months, m)
	}
	p.at, _ = parseTimeOfDay(b.At, atHours)
	return p, nil
}

// Next returns the first fire strictly after t. ok is false if there is none by
// the end of 2299.
func (p *DayPlan) Next(t time.Time) (d Decision, ok bool) {
	u := t.Unix()
	// A fire is at most two days after its date, and clocks differ from UTC by
	// at most MaxOffset.
	from := FirstDate + Date((u-2*clock.MaxOffset)/clock.SecondsPerDay) - 3
	from = max(from, FirstDate)
	var best Date
	for _, n := range p.counts {
		if day := p.firstDay(n, from, u); !day.IsZero() && (best.IsZero() || day < best) {
			best = day
		}
	}
	if best.IsZero() {
		return Decision{}, false
	}
	clocks := clock.ClocksOf(p.zone)
	at := p.fireOn(best)
	return Decision{Time: time.Unix(at, 0).In(p.zone), Date: best, Fires: true, Clock: clocks.ChangeAt(at)}, true
}

// Decisions returns the fires after from, up to and including to, in order.
func (p *DayPlan) Decisions(from, to time.Time) iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		for d, ok := p.Next(from); ok && !d.Time.After(to); d, ok = p.Next(d.Time) {
			if !yield(d) {
				return
			}
		}
	}
}

// fireOn returns the Unix second of the fire on a date.
func (p *DayPlan) fireOn(day Date) int64 {
	clocks := clock.ClocksOf(p.zone)
	at, _ := clocks.FirstShown(day.civilAt(p.at))
	return at
}

// firstDay returns the first date that the count n gives and whose fire is
// after u. from is a date before which no fire is after u.
func (p *DayPlan) firstDay(n int, from Date, u int64) Date {
	if p.of == nil {
		return p.firstOfMonth(n, from, u)
	}
	// The nth business day after a date is not before from only if the date is
	// not before the business day that is n before from.
	start := p.days.Add(from, -n)
	if start.IsZero() {
		if start = FirstDate; n < 0 {
			start = from
		}
	}
	for o := p.of.firstFrom(start); !o.IsZero(); o = p.of.firstFrom(o + 1) {
		if _, m, _ := o.Split(); !p.months[m] {
			continue
		}
		if day := p.days.Add(o, n); !day.IsZero() && p.fireOn(day) > u {
			return day
		}
	}
	return 0
}

// firstOfMonth is firstDay without an origin.
func (p *DayPlan) firstOfMonth(n int, from Date, u int64) Date {
	last, _, _ := LastDate.Split()
	for y, m, _ := from.Split(); y <= last; {
		if p.months[m] {
			if day := p.days.InMonth(y, m, n); !day.IsZero() && p.fireOn(day) > u {
				return day
			}
		}
		if m++; m > 12 {
			y, m = y+1, 1
		}
	}
	return 0
}
