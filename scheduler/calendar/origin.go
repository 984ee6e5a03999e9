package calendar

import (
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

const wantOrigin = "15 (a day of each month), last, 12-24 (a date of each year), easter, easter-2, easter+39, or a date such as 2027-03-31"

// origin is a date that may repeat, from which business days are counted.
type origin struct {
	kind       originKind
	month, day int
	offset     Date // from Easter Sunday
	date       Date
}

type originKind int

const (
	monthly originKind = iota // day of each month; months without it are skipped
	lastDay                   // the last day of each month
	yearly                    // month and day
	easter                    // offset
	single                    // date
)

// parseOrigin parses a text as [BusinessDays.Of] describes it.
func parseOrigin(text string) (o origin, ok bool) {
	switch {
	case text == "last":
		return origin{kind: lastDay}, true
	case isNumber(text) && len(text) <= 2:
		day, _ := strconv.Atoi(text)
		return origin{kind: monthly, day: day}, 1 <= day && day <= 31
	case strings.HasPrefix(text, "easter"):
		return parseEasterOrigin(strings.TrimPrefix(text, "easter"))
	case len(text) == len("12-24"):
		month, day, ok := parseMonthDay(text)
		return origin{kind: yearly, month: month, day: day}, ok
	}
	date, err := ParseDate(text)
	return origin{kind: single, date: date}, err == nil && inRange(date)
}

// parseEasterOrigin parses what follows easter: nothing, -2 or +39.
func parseEasterOrigin(offset string) (origin, bool) {
	if offset == "" {
		return origin{kind: easter}, true
	}
	if offset[0] != '+' && offset[0] != '-' || !isNumber(offset[1:]) || len(offset) > 4 {
		return origin{}, false
	}
	n, _ := strconv.Atoi(offset)
	return origin{kind: easter, offset: Date(n)}, -maxRuleDays <= n && n <= maxRuleDays
}

// firstFrom returns the first date of o that is not before from, or no date.
func (o *origin) firstFrom(from Date) Date {
	switch o.kind {
	case single:
		if o.date >= from {
			return o.date
		}
		return 0
	case monthly, lastDay:
		return o.firstOfMonths(from)
	}
	last, _, _ := LastDate.Split()
	y, _, _ := from.Split()
	for y--; y <= last; y++ {
		if d := o.inYear(y); d >= from && d <= LastDate {
			return d
		}
	}
	return 0
}

// inYear returns the date of a yearly origin or of Easter, or no date.
func (o *origin) inYear(y int) Date {
	if o.kind == easter {
		return easterOf(y) + o.offset
	}
	if o.day > clock.DaysIn(y, o.month) {
		return 0
	}
	return DateAt(y, o.month, o.day)
}

func (o *origin) firstOfMonths(from Date) Date {
	last, _, _ := LastDate.Split()
	for y, m, _ := from.Split(); y <= last; {
		day := o.day
		if o.kind == lastDay {
			day = clock.DaysIn(y, m)
		}
		if d := DateAt(y, m, day); day <= clock.DaysIn(y, m) && d >= from {
			return d
		}
		if m++; m > 12 {
			y, m = y+1, 1
		}
	}
	return 0
}
