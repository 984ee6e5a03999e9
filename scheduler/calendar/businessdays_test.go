package calendar_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

func TestBusinessDays(t *testing.T) {
	days := mustCompile(t, calendar.Calendar{
		Name: "c", WeeklyHoliday: weekends, Rules: []calendar.Rule{{Name: "Christmas", Yearly: "12-25", Length: 2}, {Name: "New Year", Yearly: "01-01"}},
	})
	for _, tt := range []struct{ name, text, from, want string }{
		{"the first and the last of each month", `{"business_days": [1, -1], "at": "06:00"}`, "2026-11-15",
			"2026-11-30 06:00, 2026-12-01 06:00, 2026-12-31 06:00, 2027-01-04 06:00"},
		{"the fifth", `{"business_days": [5]}`, "2026-12-07", "2027-01-08 00:00, 2027-02-05 00:00"},
		{"the third of a quarter", `{"business_days": [3], "months": [1, 4, 7, 10], "at": "6:30"}`, "2026-11-15",
			"2027-01-06 06:30, 2027-04-05 06:30"},
		{"the 23rd, which few months have", `{"business_days": [23], "at": "12:00"}`, "2026-12-01", "2027-03-31 12:00, 2027-12-31 12:00"},
		{"25:00 is on the next day", `{"business_days": [-1], "at": "25:00"}`, "2027-01-30",
			"2027-01-30 01:00, 2027-02-27 01:00"},
		{"two before the 15th", `{"business_days": [-2], "of": "15", "at": "09:00"}`, "2026-11-01",
			"2026-11-12 09:00, 2026-12-11 09:00"},
		{"the first after Christmas Eve", `{"business_days": [1], "of": "12-24", "at": "09:00"}`, "2026-11-01",
			"2026-12-28 09:00, 2027-12-27 09:00"},
		{"one before and one after Easter", `{"business_days": [-1, 1], "of": "easter", "at": "09:00"}`, "2026-11-01",
			"2027-03-26 09:00, 2027-03-29 09:00, 2028-04-14 09:00, 2028-04-17 09:00"},
		{"ten before the last day of June", `{"business_days": [-10], "of": "last", "months": [6]}`, "2026-11-01",
			"2027-06-16 00:00, 2028-06-16 00:00"},
		{"once", `{"business_days": [-250], "of": "2027-12-31"}`, "2026-11-01", "2027-01-15 00:00"},
		{"never again", `{"business_days": [1], "of": "2026-10-31"}`, "2026-11-15", ""},
		{"the clocks show no such time", `{"business_days": [-1], "months": [3], "at": "50:30"}`, "", "/at: want a time from 00:00 to 47:59, got \"50:30\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b calendar.BusinessDays
			if err := json.Unmarshal([]byte(tt.text), &b); err != nil {
				t.Fatal(err)
			}
			loc := mustZone(t, "Europe/Berlin")
			p, err := b.Plan(days, loc)
			if err != nil {
				if err.Error() != tt.want {
					t.Errorf("Plan: %v, want %s", err, tt.want)
				}
				return
			}
			at, _ := time.ParseInLocation(time.DateOnly, tt.from, loc)
			var got []string
			for d := range p.Decisions(at, at.AddDate(2, 0, 0)) {
				if got = append(got, d.Time.Format("2006-01-02 15:04")); len(got) == strings.Count(tt.want, ",")+1 {
					break
				}
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("fires %s, want %s", text, tt.want)
			}
		})
	}
}

func TestWrongBusinessDays(t *testing.T) {
	const origins = "15 (a day of each month), last, 12-24 (a date of each year), easter, easter-2, easter+39, or a date such as 2027-03-31"
	for _, tt := range []struct{ text, want string }{
		{`{}`, "/business_days: want 1 to 100 numbers, got 0"},
		{`{"business_days": [1, 0]}`, "/business_days/1: want a number from 1 to 31 or from -1 to -31, got 0"},
		{`{"business_days": [32]}`, "/business_days/0: want a number from 1 to 31 or from -1 to -31, got 32"},
		{`{"business_days": [-366], "of": "last"}`, ""},
		{`{"business_days": [-367], "of": "last"}`, "/business_days/0: want a number from 1 to 366 or from -1 to -366, got -367"},
		{`{"business_days": [1], "months": [1, 13]}`, "/months/1: want a month from 1 to 12, got 13"},
		{`{"business_days": [1], "at": "6"}`, `/at: want a time from 00:00 to 47:59, got "6"`},
		{`{"business_days": [1], "of": "0"}`, "/of: want " + origins + `, got "0"`},
		{`{"business_days": [1], "of": "32"}`, "/of: want " + origins + `, got "32"`},
		{`{"business_days": [1], "of": "02-30"}`, "/of: want " + origins + `, got "02-30"`},
		{`{"business_days": [1], "of": "easter2"}`, "/of: want " + origins + `, got "easter2"`},
		{`{"business_days": [1], "of": "easter+400"}`, "/of: want " + origins + `, got "easter+400"`},
		{`{"business_days": [1], "of": "easter-0400"}`, "/of: want " + origins + `, got "easter-0400"`},
		{`{"business_days": [1], "of": "1900-01-01"}`, "/of: want " + origins + `, got "1900-01-01"`},
		{`{"business_days": [1], "of": "soon"}`, "/of: want " + origins + `, got "soon"`},
	} {
		var b calendar.BusinessDays
		if err := json.Unmarshal([]byte(tt.text), &b); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := b.Validate(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

// The first and the last years have no business days outside of them.
func TestBusinessDaysAtTheEnds(t *testing.T) {
	days := mustCompile(t, calendar.Calendar{Name: "c", WeeklyHoliday: weekends})
	for _, b := range []calendar.BusinessDays{{Counts: []int{1}}, {Counts: []int{3}, Of: "15"}, {Counts: []int{-3}, Of: "last"}, {Counts: []int{-366}, Of: "easter"}} {
		p, err := b.Plan(days, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := p.Next(time.Date(2300, 6, 1, 0, 0, 0, 0, time.UTC)); ok {
			t.Errorf("%+v: Next = %v in 2300", b, d.Time)
		}
		d, ok := p.Next(time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC))
		if !ok || d.Date < calendar.FirstDate || d.Date > calendar.FirstDate+800 {
			t.Errorf("%+v: Next = %v, %t, want the first date", b, d.Time, ok)
		}
	}
}
