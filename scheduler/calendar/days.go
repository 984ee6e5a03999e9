package calendar

import (
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// Days are the business days and holidays of a compiled calendar, from 1970 to
// 2299. They are immutable, so several goroutines may use them.
type Days struct {
	name         string
	start        int // when a business day begins, in seconds after midnight
	weekly       [7]bool
	named        []namedDates // the calendar's own list, then its rules
	included     []*Days
	closed, open dateSet // holidays and business days; inner calendars have no open
}

// addWeekly adds the weekly holidays.
func (d *Days) addWeekly() {
	for day := FirstDate; day <= LastDate; day++ {
		if d.weekly[day.Weekday()] {
			d.closed.add(day)
		}
	}
}

func (d *Days) addNamed(n namedDates) {
	d.named = append(d.named, n)
	for _, from := range n.dates {
		for day := from; day < from+Date(n.days); day++ {
			d.closed.add(day)
		}
	}
}

func (d *Days) include(other *Days) {
	d.included = append(d.included, other)
	d.closed.merge(other.closed)
}

// checkOpen returns a fault if there is no business day for ten years.
func (d *Days) checkOpen() error {
	const longest = maxClosedYears * 366
	for day := FirstDate; day+longest <= LastDate; {
		next := d.open.firstFrom(day)
		if next.IsZero() || next > day+longest {
			return FieldError{"", "a business day at least every ten years", "none from " + day.String() + " on"}
		}
		if day = d.closed.firstFrom(next); day.IsZero() {
			return nil
		}
	}
	return nil
}

// Name returns the name of the calendar.
func (d *Days) Name() string { return d.name }

// IsBusinessDay reports whether day is a business day. Dates before 1970 and
// after 2299 are not.
func (d *Days) IsBusinessDay(day Date) bool { return d.open.has(day) }

// Next returns the first business day that is not before day, or no date.
func (d *Days) Next(day Date) Date { return d.open.firstFrom(day) }

// Previous returns the last business day that is not after day, or no date.
func (d *Days) Previous(day Date) Date { return d.open.lastUpTo(day) }

// Add returns the nth business day after day, or before it if n is negative.
// For an n of 0 it returns day itself. It returns no date if there are not
// enough business days.
func (d *Days) Add(day Date, n int) Date {
	switch {
	case n > 0:
		return d.open.nthFrom(day+1, n)
	case n < 0:
		return d.open.nthUpTo(day-1, -n)
	}
	return day
}

// InMonth returns the nth business day of a month, counted from its end if n is
// negative: -1 is the last one. It returns no date if the month has fewer.
func (d *Days) InMonth(year, month, n int) Date {
	first := DateAt(year, month, 1)
	last := first + Date(clock.DaysIn(year, month)) - 1
	var day Date
	switch {
	case n > 0:
		day = d.open.nthFrom(first, n)
	case n < 0:
		day = d.open.nthUpTo(last, -n)
	}
	if day < first || day > last {
		return 0
	}
	return day
}

// BusinessDate returns the date of the business day to which an instant
// belongs, by the clocks of loc.
func (d *Days) BusinessDate(t time.Time, loc *time.Location) Date {
	u := t.Unix()
	return dateOfCivil(clock.SpanAt(loc, u).LatestShown(u) - clock.Civil(d.start))
}
