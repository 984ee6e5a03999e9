package ical

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

const maxDays = 366 // of an event

// addEvent adds the holidays of an event.
func (i *importer) addEvent(e *ics.VEvent) {
	start, err := startOf(e)
	if err != nil {
		i.skip(e, "%v", err)
		return
	}
	days, err := durationOf(e, start)
	if err != nil {
		i.skip(e, "%v", err)
		return
	}
	i.events++
	if id := e.GetProperty(ics.ComponentPropertyRecurrenceId); id != nil {
		date, err := dateOf(id.Value)
		if err != nil {
			i.skip(e, "RECURRENCE-ID: %v", err)
			return
		}
		i.overrides = append(i.overrides, override{e.Id(), date})
	}
	if status := e.GetProperty(ics.ComponentPropertyStatus); status != nil && strings.EqualFold(status.Value, "CANCELLED") {
		i.skip(e, "it is cancelled")
		return
	}
	except := i.listOf(e, ics.ComponentPropertyExdate)
	starts := i.listOf(e, ics.ComponentPropertyRdate)
	if !i.addRules(e, start, days, except) {
		starts = append(starts, start)
	}
	for _, date := range starts {
		if !slices.Contains(except, date) {
			i.addDates(summaryOf(e), date, days)
		}
	}
}

// addRules adds the rules of an event. It reports whether one of them covers
// the event's own date. RFC 5545 section 3.8.5.3 says that this date counts
// even if no rule matches it.
func (i *importer) addRules(e *ics.VEvent, start calendar.Date, days int, except []calendar.Date) (covers bool) {
	for _, p := range e.GetProperties(ics.ComponentPropertyRrule) {
		first, err := Dates(p.Value, start, start, 1)
		if err != nil {
			i.skip(e, "RRULE %q: %v", p.Value, err)
			continue
		}
		covers = covers || len(first) > 0
		if i.masters == nil {
			i.masters = map[string][]int{}
		}
		i.masters[e.Id()] = append(i.masters[e.Id()], len(i.Rules))
		i.Rules = append(i.Rules, calendar.Rule{
			Name: summaryOf(e), RRule: p.Value, Start: start, Length: lengthOf(days), Except: slices.Clone(except),
		})
	}
	return covers
}

// lengthOf returns the Length of a rule, which is 1 if it has none.
func lengthOf(days int) int {
	if days == 1 {
		return 0
	}
	return days
}

func (i *importer) addDates(name string, from calendar.Date, days int) {
	for d := from; d < from+calendar.Date(days) && d <= calendar.LastDate; d++ {
		i.Holidays = append(i.Holidays, calendar.Holiday{Date: d, Name: name})
	}
}

// listOf returns the dates of all properties of a kind. Each has a list.
func (i *importer) listOf(e *ics.VEvent, kind ics.ComponentProperty) (all []calendar.Date) {
	for _, p := range e.GetProperties(kind) {
		for text := range strings.SplitSeq(p.Value, ",") {
			d, err := dateOf(text)
			if err != nil {
				i.skip(e, "%s: %v", kind, err)
				continue
			}
			all = append(all, d)
		}
	}
	return all
}

// startOf returns the date on which an event of whole days begins.
func startOf(e *ics.VEvent) (calendar.Date, error) {
	p := e.GetProperty(ics.ComponentPropertyDtStart)
	if p == nil {
		return 0, fmt.Errorf("it has no DTSTART")
	}
	if !isMidnight(p.Value) {
		return 0, fmt.Errorf("it begins at a time of day: DTSTART is %s", shorten(p.Value, 40))
	}
	if len(p.Value) != len(rrule.DateFormat) && e.GetProperty(ics.ComponentPropertyDtEnd) == nil {
		return 0, fmt.Errorf("it is not a whole day: it has no DTEND")
	}
	return dateOf(p.Value)
}

// durationOf returns how many days an event lasts. DTEND is the day after the
// last (RFC 5545 section 3.6.1).
func durationOf(e *ics.VEvent, start calendar.Date) (int, error) {
	if p := e.GetProperty(ics.ComponentPropertyDuration); p != nil {
		var n int
		var unit rune
		if _, err := fmt.Sscanf(p.Value, "P%d%c", &n, &unit); err != nil || unit != 'D' && unit != 'W' || fmt.Sprintf("P%d%c", n, unit) != p.Value {
			return 0, fmt.Errorf("it does not last whole days: DURATION is %s", shorten(p.Value, 40))
		}
		if unit == 'W' {
			n = min(n, maxDays) * 7
		}
		return checkDuration(n)
	}
	p := e.GetProperty(ics.ComponentPropertyDtEnd)
	if p == nil {
		return 1, nil
	}
	if !isMidnight(p.Value) {
		return 0, fmt.Errorf("it ends at a time of day: DTEND is %s", shorten(p.Value, 40))
	}
	end, err := dateOf(p.Value)
	if err != nil {
		return 0, err
	}
	if end == start { // some programs write the last day
		end++
	}
	return checkDuration(int(end - start))
}

func checkDuration(days int) (int, error) {
	if days < 1 || days > maxDays {
		return 0, fmt.Errorf("it must last 1 to %d days, not %d", maxDays, days)
	}
	return days, nil
}

// isMidnight reports whether a value is a date or a midnight in local time.
// Some programs write whole days as from midnight to midnight.
func isMidnight(value string) bool {
	return len(value) == len(rrule.DateFormat) || strings.HasSuffix(value, "T000000")
}

// dateOf returns the date of a value, which may have a time.
func dateOf(value string) (calendar.Date, error) {
	date, _, _ := strings.Cut(value, "T")
	t, err := time.Parse(rrule.DateFormat, date)
	if err != nil {
		return 0, fmt.Errorf("want a date such as 20271231, got %q", shorten(value, 40))
	}
	if t.Year() < 1970 || t.Year() > 2299 {
		return 0, fmt.Errorf("%s is not between 1970 and 2299", t.Format(time.DateOnly))
	}
	return calendar.DateOf(t), nil
}

func summaryOf(e *ics.VEvent) string {
	p := e.GetProperty(ics.ComponentPropertySummary)
	if p == nil {
		return ""
	}
	return shorten(strings.ToValidUTF8(strings.TrimSpace(p.Value), "\ufffd"), calendar.MaxName)
}

// shorten returns at most limit bytes of s, whole characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
