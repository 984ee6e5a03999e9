package calendar_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

func mustDate(t testing.TB, text string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// All dates are compared with package time.
func TestDates(t *testing.T) {
	for d, want := calendar.FirstDate-800, time.Date(1967, 10, 24, 0, 0, 0, 0, time.UTC); d <= calendar.LastDate+800; d, want = d+1, want.AddDate(0, 0, 1) {
		y, m, n := d.Split()
		if d.String() != want.Format(time.DateOnly) || d.Weekday() != want.Weekday() || calendar.DateAt(y, m, n) != d || calendar.DateOf(want) != d {
			t.Fatalf("day %d is %v, a %v, want %v", d, d, d.Weekday(), want)
		}
	}
	if first, last := calendar.FirstDate.String(), calendar.LastDate.String(); first != "1970-01-01" || last != "2299-12-31" {
		t.Errorf("dates are from %s to %s, want 1970-01-01 to 2299-12-31", first, last)
	}
	if d := calendar.DateAt(2026, 1, 32); d.String() != "2026-02-01" {
		t.Errorf("32 January is %v, want 1 February", d)
	}
}

func TestDateText(t *testing.T) {
	type holder struct {
		Date calendar.Date `json:"date,omitzero"`
	}
	for _, tt := range []struct{ text, again, err string }{
		{`{"date":"2026-12-25"}`, `{"date":"2026-12-25"}`, ""},
		{`{"date":"0001-01-01"}`, `{"date":"0001-01-01"}`, ""},
		{`{"date":""}`, `{}`, ""},
		{`{"date":"2026-2-5"}`, "", `want a date such as 2026-12-25, got "2026-2-5"`},
		{`{"date":"2026-02-30"}`, "", `want a date such as 2026-12-25, got "2026-02-30"`},
		{`{"date":"0000-01-01"}`, "", `want a date such as 2026-12-25, got "0000-01-01"`},
	} {
		var h holder
		switch err := json.Unmarshal([]byte(tt.text), &h); {
		case err != nil && err.Error() != tt.err:
			t.Errorf("%s: %v, want the error %q", tt.text, err, tt.err)
		case err == nil:
			if again, err := json.Marshal(h); err != nil || string(again) != tt.again {
				t.Errorf("%s becomes %s, %v, want %s", tt.text, again, err, tt.again)
			}
		}
	}
}
