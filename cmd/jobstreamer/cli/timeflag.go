package cli

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeForms lists the accepted forms of a time.
const timeForms = "18:00 (its latest occurrence), today, yesterday, yesterday 18:00, 2026-11-24, 2026-11-24 18:00, 2h or 3d (before now), or 2026-11-24T18:00:00Z"

// parseTime parses a time in the past, in the given zone. If end is true, a
// date means the end of that day.
func parseTime(text string, now time.Time, zone *time.Location, end bool) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	now = now.In(zone)
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	if d, ok := parsePastDuration(text); ok {
		return now.Add(-d), true
	}
	day, clock, both := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	if !both {
		if hour, minute, second, ok := parseClock(text); ok {
			return lastOccurrence(now, hour, minute, second), true
		}
	}
	midnight, ok := parseDay(day, now, zone)
	switch {
	case !ok:
		return time.Time{}, false
	case both:
		hour, minute, second, ok := parseClock(strings.TrimSpace(clock))
		return time.Date(midnight.Year(), midnight.Month(), midnight.Day(), hour, minute, second, 0, zone), ok
	case end:
		midnight = midnight.AddDate(0, 0, 1)
	}
	return midnight, true
}

// parseDay returns the beginning of a day.
func parseDay(text string, now time.Time, zone *time.Location) (time.Time, bool) {
	year, month, day := now.Date()
	switch strings.ToLower(text) {
	case "today":
	case "yesterday":
		day--
	default:
		t, err := time.ParseInLocation(time.DateOnly, text, zone)
		return t, err == nil
	}
	return time.Date(year, month, day, 0, 0, 0, 0, zone), true
}

// parseClock parses 18:00 or 18:00:30.
func parseClock(text string) (hour, minute, second int, ok bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Hour(), t.Minute(), t.Second(), true
		}
	}
	return 0, 0, 0, false
}

// lastOccurrence returns the latest time in the past with this time of day:
// today or yesterday.
func lastOccurrence(now time.Time, hour, minute, second int) time.Time {
	t := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, second, 0, now.Location())
	if t.After(now) {
		t = time.Date(now.Year(), now.Month(), now.Day()-1, hour, minute, second, 0, now.Location())
	}
	return t
}

// daysOrWeeks matches a duration in days or weeks, which package time does not
// parse.
var daysOrWeeks = regexp.MustCompile(`^(\d{1,5})([dw])$`)

// parsePastDuration parses a duration that is not negative.
func parsePastDuration(text string) (time.Duration, bool) {
	if m := daysOrWeeks.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if m[2] == "w" {
			n *= 7
		}
		return time.Duration(n) * 24 * time.Hour, err == nil && n < 100_000
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0 && !strings.HasPrefix(text, "+") && text != "0"
}

// timeFlag returns the time of a flag, or zero if the flag was not given.
func (inv *invocation) timeFlag(flag, text string, given, end bool) (time.Time, error) {
	if !given {
		return time.Time{}, nil
	}
	p := inv.outPage()
	t, ok := parseTime(text, p.now, p.zone, end)
	if !ok || t.Unix() < 0 {
		return t, usageErrorf("--%s %q: want %s", flag, text, timeForms)
	}
	return t, nil
}

// timeText is a flag with its value, a time.
type timeText struct{ flag, text string }

// timeRange returns the times of two flags. Each is zero if its flag was not
// given.
func (inv *invocation) timeRange(given func(flag string) bool, from, to timeText) (begin, end time.Time, err error) {
	if begin, err = inv.timeFlag(from.flag, from.text, given(from.flag), false); err != nil {
		return begin, end, err
	}
	end, err = inv.timeFlag(to.flag, to.text, given(to.flag), true)
	return begin, end, err
}
