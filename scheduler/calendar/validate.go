package calendar

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Limits of a calendar.
const (
	MaxName     = 256    // bytes of a name
	MaxHolidays = 10_000 // dates
	MaxRules    = 200
	MaxLinks    = 100 // calendars in one list
	maxRuleDays = 366
)

const (
	wantName = "a text of 1 to 256 bytes in UTF-8"
	wantDate = "a date from 1970-01-01 to 2299-12-31"
	wantTime = "a time from 00:00 to 23:59"
)

// Validate returns nil or an [Errors] with all faults of the calendar. It does
// not look at other calendars; [Compile] does. It checks RRULEs if check is not
// nil.
func (c *Calendar) Validate(check Recurrence) error {
	var l faultList
	if !validName(c.Name) || c.Name == "" {
		l.add("/name", wantName, shownText(c.Name))
	}
	checkCount(&l, "/holidays", len(c.Holidays), MaxHolidays)
	for i, h := range c.Holidays {
		path := "/holidays/" + strconv.Itoa(i)
		checkDate(&l, path+"/date", h.Date)
		checkName(&l, path+"/name", h.Name)
	}
	checkCount(&l, "/rules", len(c.Rules), MaxRules)
	for i := range c.Rules {
		c.Rules[i].validate(&l, "/rules/"+strconv.Itoa(i), check)
	}
	checkLinks(&l, "/include", c.Include)
	checkLinks(&l, "/intersect", c.Intersect)
	checkLinks(&l, "/exclude", c.Exclude)
	if _, ok := parseTimeOfDay(c.DayStart, 24); !ok && c.DayStart != "" {
		l.add("/day_start", wantTime, quoteValue(c.DayStart))
	}
	return l.orNil()
}

func (r *Rule) validate(l *faultList, path string, check Recurrence) {
	checkName(l, path+"/name", r.Name)
	kinds := 0
	if r.Yearly != "" {
		kinds++
		if _, _, ok := parseMonthDay(r.Yearly); !ok {
			l.add(path+"/yearly", "a month and a day such as 12-25", quoteValue(r.Yearly))
		}
	}
	kinds += checkOffset(l, path+"/easter", r.Easter) + checkOffset(l, path+"/orthodox_easter", r.OrthodoxEaster)
	if r.RRule != "" {
		kinds++
		r.validateRRule(l, path, check)
	}
	if kinds != 1 {
		l.add(path, "exactly one of yearly, easter, orthodox_easter and rrule", fmt.Sprintf("%d of them", kinds))
	}
	if !r.Start.IsZero() {
		checkDate(l, path+"/start", r.Start)
	}
	if !r.End.IsZero() && (!inRange(r.End) || r.End < r.Start) {
		l.add(path+"/end", wantDate+", not before start", r.End.String())
	}
	if r.Length < 0 || r.Length > maxRuleDays {
		l.add(path+"/days", "a number of days from 1 to 366", strconv.Itoa(r.Length))
	}
	checkCount(l, path+"/except", len(r.Except), MaxHolidays)
	for i, d := range r.Except {
		checkDate(l, path+"/except/"+strconv.Itoa(i), d)
	}
}

// checkOffset checks a number of days and returns how many there are: 0 or 1.
func checkOffset(l *faultList, path string, days *int) int {
	if days == nil {
		return 0
	}
	if *days < -maxRuleDays || *days > maxRuleDays {
		l.add(path, "a number of days from -366 to 366", strconv.Itoa(*days))
	}
	return 1
}

func (r *Rule) validateRRule(l *faultList, path string, check Recurrence) {
	if r.Start.IsZero() {
		l.add(path+"/start", wantDate+": an rrule repeats from it", "")
		return
	}
	if check == nil || !inRange(r.Start) {
		return
	}
	if _, err := check(r.RRule, r.Start, r.Start, maxRuleDates); err != nil {
		l.add(path+"/rrule", "an RRULE of RFC 5545 for dates: "+err.Error(), quoteValue(r.RRule))
	}
}

func checkLinks(l *faultList, path string, names []string) {
	checkCount(l, path, len(names), MaxLinks)
	for i, name := range names {
		if !validName(name) || name == "" {
			l.add(path+"/"+strconv.Itoa(i), "the name of a calendar", shownText(name))
		}
	}
}

func checkCount(l *faultList, path string, n, limit int) {
	if n > limit {
		l.add(path, fmt.Sprintf("at most %d", limit), strconv.Itoa(n))
	}
}

func checkDate(l *faultList, path string, d Date) {
	if !inRange(d) {
		l.add(path, wantDate, d.String())
	}
}

func checkName(l *faultList, path, name string) {
	if !validName(name) {
		l.add(path, "a text of at most 256 bytes in UTF-8", shownText(name))
	}
}

func validName(s string) bool { return len(s) <= MaxName && utf8.ValidString(s) }

func inRange(d Date) bool { return FirstDate <= d && d <= LastDate }

// shownText returns s as a fault shows it: nothing if it is missing.
func shownText(s string) string {
	if s == "" {
		return ""
	}
	return quoteValue(s)
}
