package ical

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

const (
	maxRule     = 1000 // bytes of an RRULE
	maxInterval = 10_000
	maxCount    = 200_000
)

// The library searches up to the year 9999 for a rule that never matches. Rules
// are therefore moved to a later time first, by a multiple of the 400 years
// after which dates and weekdays repeat.
const (
	movedYears = 19 * 400
	movedDays  = 19 * 146_097
)

var _ calendar.Recurrence = Dates

// errPanic is a fault of the library.
var errPanic = errors.New("the rule cannot be expanded")

// Dates returns the dates of an RRULE (RFC 5545 section 3.3.10) that begins at
// start, in order, up to last. The start itself is one of them only if the rule
// matches it. Dates returns an error if the rule is wrong, repeats within a
// day, or has more than limit dates.
func Dates(rule string, start, last calendar.Date, limit int) (all []calendar.Date, err error) {
	// A rule comes from a user. An index out of range in the library must not
	// end the program.
	defer func() {
		if p := recover(); p != nil {
			all, err = nil, fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	option, err := parseRule(rule)
	if err != nil {
		return nil, err
	}
	option.Dtstart = timeOf(start + movedDays)
	if until := timeOf(last + movedDays); option.Until.IsZero() || option.Until.After(until) {
		option.Until = until
	}
	r, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, err
	}
	next := r.Iterator()
	for t, ok := next(); ok; t, ok = next() {
		if len(all) == limit {
			return nil, fmt.Errorf("the rule has more than %d dates", limit)
		}
		all = append(all, calendar.DateOf(t)-movedDays)
	}
	return all, nil
}

func timeOf(d calendar.Date) time.Time {
	y, m, day := d.Split()
	return time.Date(y, time.Month(m), day, 0, 0, 0, 0, time.UTC)
}

// parseRule parses an RRULE for dates. Its UNTIL is moved like all dates.
func parseRule(rule string) (*rrule.ROption, error) {
	if len(rule) > maxRule {
		return nil, fmt.Errorf("at most %d characters", maxRule)
	}
	parts, err := splitRule(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(rule)), "RRULE:"))
	if err != nil {
		return nil, err
	}
	if err := parts.check(); err != nil {
		return nil, err
	}
	until, hasUntil := parts["UNTIL"]
	delete(parts, "UNTIL")
	option, err := rrule.StrToROption(parts.String())
	if err != nil {
		return nil, err
	}
	if hasUntil {
		day, err := untilDate(until)
		if err != nil {
			return nil, err
		}
		option.Until = timeOf(day + movedDays)
	}
	return option, nil
}

// ruleParts are the parts of an RRULE by name.
type ruleParts map[string]string

// partNames are the parts that a rule for dates may have.
var partNames = []string{
	"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS",
}

func splitRule(rule string) (ruleParts, error) {
	parts := ruleParts{}
	for one := range strings.SplitSeq(rule, ";") {
		name, value, found := strings.Cut(one, "=")
		switch {
		case !found || value == "":
			return nil, fmt.Errorf("parts such as FREQ=YEARLY, separated by semicolons; %q is none", one)
		case slices.Contains([]string{"BYHOUR", "BYMINUTE", "BYSECOND"}, name):
			return nil, fmt.Errorf("%s has no meaning for dates", name)
		case !slices.Contains(partNames, name):
			return nil, fmt.Errorf("there is no part %q", name)
		case parts[name] != "":
			return nil, fmt.Errorf("%s is there twice", name)
		}
		parts[name] = value
	}
	return parts, nil
}

// String returns the rule, with its frequency first.
func (p ruleParts) String() string {
	var b strings.Builder
	for _, name := range partNames {
		if value := p[name]; value != "" {
			if b.Len() > 0 {
				b.WriteByte(';')
			}
			b.WriteString(name + "=" + value)
		}
	}
	return b.String()
}

// check checks what the library does not: which parts may stand together, and
// limits.
func (p ruleParts) check() error {
	freq := p["FREQ"]
	if !slices.Contains([]string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY"}, freq) {
		return errors.New("FREQ must be YEARLY, MONTHLY, WEEKLY or DAILY")
	}
	for _, not := range []struct {
		part  string
		freqs []string
	}{
		{"BYWEEKNO", []string{"MONTHLY", "WEEKLY", "DAILY"}},
		{"BYYEARDAY", []string{"MONTHLY", "WEEKLY", "DAILY"}},
		{"BYMONTHDAY", []string{"WEEKLY"}},
	} {
		if p[not.part] != "" && slices.Contains(not.freqs, freq) {
			return fmt.Errorf("%s cannot stand with FREQ=%s", not.part, freq)
		}
	}
	if strings.ContainsAny(p["BYDAY"], "0123456789") && (freq == "WEEKLY" || freq == "DAILY" || p["BYWEEKNO"] != "") {
		return errors.New("a number in BYDAY needs FREQ=MONTHLY or FREQ=YEARLY without BYWEEKNO")
	}
	if p["BYSETPOS"] != "" && p["BYDAY"]+p["BYMONTH"]+p["BYMONTHDAY"]+p["BYYEARDAY"]+p["BYWEEKNO"] == "" {
		return errors.New("BYSETPOS needs another part that begins with BY")
	}
	if p["COUNT"] != "" && p["UNTIL"] != "" {
		return errors.New("COUNT and UNTIL cannot stand together")
	}
	return p.checkNumbers()
}

func (p ruleParts) checkNumbers() error {
	for name, limit := range map[string]int{"INTERVAL": maxInterval, "COUNT": maxCount} {
		if text := p[name]; text != "" {
			if n, err := strconv.Atoi(text); err != nil || n < 1 || n > limit {
				return fmt.Errorf("%s must be a number from 1 to %d", name, limit)
			}
		}
	}
	for _, name := range []string{"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"} {
		if text := p[name]; text != "" {
			for one := range strings.SplitSeq(text, ",") {
				if n, err := strconv.Atoi(one); err != nil || n == 0 {
					return fmt.Errorf("%s must be numbers other than 0, separated by commas", name)
				}
			}
		}
	}
	return p.checkDays()
}

// checkDays checks the numbers of BYDAY. The library looks for the eighth
// Tuesday of a month in the months after it, and beyond its tables.
func (p ruleParts) checkDays() error {
	limit, period := 53, "a year"
	if p["FREQ"] == "MONTHLY" || p["BYMONTH"] != "" {
		limit, period = 5, "a month"
	}
	for one := range strings.SplitSeq(p["BYDAY"], ",") {
		text := strings.TrimRight(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		if text == "" {
			continue
		}
		if n, err := strconv.Atoi(text); err != nil || n == 0 || max(n, -n) > limit {
			return fmt.Errorf("%q in BYDAY is no day such as MO, 1MO or -1FR: %s has at most %d of each", one, period, limit)
		}
	}
	return nil
}

// untilDate returns the date of an UNTIL, which may have a time.
func untilDate(text string) (calendar.Date, error) {
	for _, layout := range []string{rrule.DateFormat, rrule.DateTimeFormat, rrule.LocalDateTimeFormat} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 0 {
			return min(calendar.DateOf(t), calendar.LastDate), nil
		}
	}
	return 0, fmt.Errorf("UNTIL must be a date such as 20271231")
}
