package calendar

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// maxRuleDates is how many dates the rules of a calendar may begin on in all
// years. It limits the memory and the time that a calendar takes.
const maxRuleDates = 100_000

// namedDates are the dates of a rule, or those of a calendar's own list.
type namedDates struct {
	name  string // of a rule
	dates []Date // sorted
	names []string
	days  int // how many days each lasts
}

// expand returns the dates of a valid rule.
func (r *Rule) expand(repeat Recurrence, limit int) (namedDates, error) {
	n := namedDates{name: r.Name, days: max(r.Length, 1)}
	switch {
	case r.RRule != "" && repeat == nil:
		return n, fmt.Errorf("no rrule: this program does not expand them")
	case r.RRule != "":
		var err error
		if n.dates, err = repeat(r.RRule, r.Start, r.lastDate(), limit); err != nil {
			return n, err
		}
	case r.Yearly != "":
		m, d, _ := parseMonthDay(r.Yearly)
		n.dates = eachYear(func(y int) Date {
			if d > clock.DaysIn(y, m) {
				return 0
			}
			return DateAt(y, m, d)
		})
	case r.Easter != nil:
		n.dates = eachYear(func(y int) Date { return easterOf(y) + Date(*r.Easter) })
	default:
		n.dates = eachYear(func(y int) Date { return orthodoxEasterOf(y) + Date(*r.OrthodoxEaster) })
	}
	n.dates = slices.DeleteFunc(n.dates, func(d Date) bool {
		return d < r.Start || d > r.lastDate() || d > LastDate || slices.Contains(r.Except, d)
	})
	return n, nil
}

// lastDate returns the last date on which the rule may make a holiday begin.
func (r *Rule) lastDate() Date {
	if r.End.IsZero() {
		return LastDate
	}
	return r.End
}

// eachYear returns the dates that f returns for the years of a calendar. A
// year more at each end allows for holidays that begin in another year.
func eachYear(f func(year int) Date) []Date {
	first, _, _ := FirstDate.Split()
	last, _, _ := LastDate.Split()
	var all []Date
	for y := first - 2; y <= last+2; y++ {
		if d := f(y); !d.IsZero() {
			all = append(all, d)
		}
	}
	return all
}

// nameOf returns the name of the holiday that covers d.
func (n *namedDates) nameOf(d Date) (string, bool) {
	i, found := slices.BinarySearch(n.dates, d)
	if !found {
		i--
	}
	if i < 0 || d >= n.dates[i]+Date(n.days) {
		return "", false
	}
	if n.names != nil {
		return n.names[i], true
	}
	return n.name, true
}

// parseMonthDay parses a month and a day such as 12-25.
func parseMonthDay(text string) (month, day int, ok bool) {
	if len(text) != 5 || text[2] != '-' || !isNumber(text[:2]) || !isNumber(text[3:]) {
		return 0, 0, false
	}
	month, _ = strconv.Atoi(text[:2])
	day, _ = strconv.Atoi(text[3:])
	const leapYear = 2024
	return month, day, 1 <= month && month <= 12 && 1 <= day && day <= clock.DaysIn(leapYear, month)
}
