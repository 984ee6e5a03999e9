package calendar_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

func TestValidate(t *testing.T) {
	many := func(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	for _, tt := range []struct{ name, text, want string }{
		{"everything", `{"name": "c 🎄", "weekly_holiday": [true, false, false, false, false, false, true], "holidays": [{"date": "2026-12-25", "name": "Christmas Day"}],
			"rules": [{"name": "New Year", "yearly": "01-01"}, {"easter": -2, "start": "2020-01-01", "end": "2030-12-31", "days": 4, "except": ["2026-04-03"]},
			{"orthodox_easter": 0}, {"rrule": "EVERY=14", "start": "2026-01-02"}], "include": ["a"], "intersect": ["b"], "exclude": ["d"], "day_start": "23:59"}`, ""},
		{"a short day start", `{"name": "c", "day_start": "2:00"}`, ""},
		{"no name", `{}`, "/name: want a text of 1 to 256 bytes in UTF-8"},
		{"a long name", `{"name": "` + strings.Repeat("x", 257) + `"}`, `/name: want a text of 1 to 256 bytes in UTF-8, got "` + strings.Repeat("x", 80) + `..."`},
		{"no date", `{"name": "c", "holidays": [{"name": "x"}]}`, "/holidays/0/date: want a date from 1970-01-01 to 2299-12-31"},
		{"a date long ago", `{"name": "c", "holidays": [{"date": "1969-12-31"}]}`, "/holidays/0/date: want a date from 1970-01-01 to 2299-12-31, got 1969-12-31"},
		{"a late day start", `{"name": "c", "day_start": "24:00"}`, `/day_start: want a time from 00:00 to 23:59, got "24:00"`},
		{"a day start without minutes", `{"name": "c", "day_start": "2"}`, `/day_start: want a time from 00:00 to 23:59, got "2"`},
		{"a day start with too many minutes", `{"name": "c", "day_start": "02:60"}`, `/day_start: want a time from 00:00 to 23:59, got "02:60"`},
		{"a negative day start", `{"name": "c", "day_start": "-1:00"}`, `/day_start: want a time from 00:00 to 23:59, got "-1:00"`},
		{"a rule of no kind", `{"name": "c", "rules": [{"name": "x"}]}`, "/rules/0: want exactly one of yearly, easter, orthodox_easter and rrule, got 0 of them"},
		{"a rule of two kinds", `{"name": "c", "rules": [{"yearly": "01-01", "easter": 0}]}`, "/rules/0: want exactly one of yearly, easter, orthodox_easter and rrule, got 2 of them"},
		{"30 February", `{"name": "c", "rules": [{"yearly": "02-30"}]}`, `/rules/0/yearly: want a month and a day such as 12-25, got "02-30"`},
		{"month 13", `{"name": "c", "rules": [{"yearly": "13-01"}]}`, `/rules/0/yearly: want a month and a day such as 12-25, got "13-01"`},
		{"far from Easter", `{"name": "c", "rules": [{"easter": 367}]}`, "/rules/0/easter: want a number of days from -366 to 366, got 367"},
		{"far from the Orthodox Easter", `{"name": "c", "rules": [{"orthodox_easter": -367}]}`, "/rules/0/orthodox_easter: want a number of days from -366 to 366, got -367"},
		{"an rrule without a start", `{"name": "c", "rules": [{"rrule": "EVERY=2"}]}`, "/rules/0/start: want a date from 1970-01-01 to 2299-12-31: an rrule repeats from it"},
		{"a wrong rrule", `{"name": "c", "rules": [{"rrule": "X", "start": "2026-01-01"}]}`, `/rules/0/rrule: want an RRULE of RFC 5545 for dates: want EVERY=14, got "X", got "X"`},
		{"an end before the start", `{"name": "c", "rules": [{"yearly": "01-01", "start": "2026-01-02", "end": "2026-01-01"}]}`, "/rules/0/end: want a date from 1970-01-01 to 2299-12-31, not before start, got 2026-01-01"},
		{"a long holiday", `{"name": "c", "rules": [{"yearly": "01-01", "days": 367}]}`, "/rules/0/days: want a number of days from 1 to 366, got 367"},
		{"an exception long ago", `{"name": "c", "rules": [{"yearly": "01-01", "except": ["1900-01-01"]}]}`, "/rules/0/except/0: want a date from 1970-01-01 to 2299-12-31, got 1900-01-01"},
		{"an empty name of another", `{"name": "c", "include": ["a", ""]}`, "/include/1: want the name of a calendar"},
		{"two faults", `{"name": "c", "exclude": [""], "day_start": "x"}`, `/exclude/0: want the name of a calendar; /day_start: want a time from 00:00 to 23:59, got "x"`},
		{"too many rules", `{"name": "c", "rules": [` + many(`{"easter": 1}`, 201) + `]}`, "/rules: want at most 200, got 201"},
		{"too many others", `{"name": "c", "include": [` + many(`"a"`, 101) + `]}`, "/include: want at most 100, got 101"},
		{"too many dates", `{"name": "c", "holidays": [` + many(`{"date": "2026-01-01"}`, 10_001) + `]}`, "/holidays: want at most 10000, got 10001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c calendar.Calendar
			if err := json.Unmarshal([]byte(tt.text), &c); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := c.Validate(everyNth); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Validate: %s, want %s", got, tt.want)
			}
		})
	}
}

func TestErrorsShowTheFirst(t *testing.T) {
	var c calendar.Calendar
	for range 300 {
		c.Holidays = append(c.Holidays, calendar.Holiday{})
	}
	err := c.Validate(nil)
	if text := err.Error(); !strings.HasSuffix(text, "; and 90 more") || strings.Count(text, ";") != 10 {
		t.Errorf("Validate: %v", err)
	}
}
