package calendar_test

import (
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

func TestBusinessDate(t *testing.T) {
	for _, tt := range []struct{ name, dayStart, zone, at, want string }{
		{"midnight", "", "UTC", "2026-11-27T00:00:00Z", "2026-11-27"},
		{"the last second of a day", "", "UTC", "2026-11-27T23:59:59Z", "2026-11-27"},
		{"25:00 of Friday", "02:00", "UTC", "2026-11-28T01:00:00Z", "2026-11-27"},
		{"the end of Friday", "02:00", "UTC", "2026-11-28T01:59:59Z", "2026-11-27"},
		{"the start of Saturday", "02:00", "UTC", "2026-11-28T02:00:00Z", "2026-11-28"},
		{"a day that ends late in the evening", "23:30", "UTC", "2026-11-28T23:29:59Z", "2026-11-27"},
		{"by the clocks of the zone", "02:00", "Asia/Tokyo", "2026-11-27T16:59:59Z", "2026-11-27"},
		{"by the clocks of the zone, a second later", "02:00", "Asia/Tokyo", "2026-11-27T17:00:00Z", "2026-11-28"},
		// In Berlin 02:00 to 03:00 is missing on 29 March 2026, and is there twice
		// on 25 October.
		{"before a start in a gap", "02:30", "Europe/Berlin", "2026-03-29T01:59:59+01:00", "2026-03-28"},
		{"a start in a gap is its end", "02:30", "Europe/Berlin", "2026-03-29T03:00:00+02:00", "2026-03-29"},
		{"before a start in an overlap", "02:30", "Europe/Berlin", "2026-10-25T02:29:59+02:00", "2026-10-24"},
		{"a start in an overlap is in the first pass", "02:30", "Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-25"},
		{"a day that has begun does not end in the second pass", "02:30", "Europe/Berlin", "2026-10-25T02:00:00+01:00", "2026-10-25"},
		{"long ago", "02:30", "UTC", "1969-12-31T02:00:00Z", "1969-12-30"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			days := mustCompile(t, calendar.Calendar{Name: "c", DayStart: tt.dayStart})
			if got := days.BusinessDate(at, mustZone(t, tt.zone)); got.String() != tt.want {
				t.Errorf("BusinessDate(%s) = %v, want %s", tt.at, got, tt.want)
			}
		})
	}
}

func TestDaysAtTheEnds(t *testing.T) {
	days := mustCompile(t, calendar.Calendar{Name: "c", WeeklyHoliday: weekends})
	first, last := calendar.FirstDate, calendar.LastDate // a Thursday and a Sunday
	for _, tt := range []struct {
		name      string
		got, want calendar.Date
	}{
		{"next before the first date", days.Next(first - 1000), first},
		{"next at the end", days.Next(last - 1), 0},
		{"next after the end", days.Next(last + 1), 0},
		{"previous after the end", days.Previous(last + 1000), last - 2},
		{"previous at the first date", days.Previous(first), first},
		{"previous before the first date", days.Previous(first - 1), 0},
		{"added to before the first date", days.Add(first-1000, 2), first + 1},
		{"added beyond the end", days.Add(last-9, 8), 0},
		{"subtracted beyond the start", days.Add(first+4, -3), 0},
		{"none added", days.Add(last, 0), last},
		{"a month with fewer", days.InMonth(2026, 2, 21), 0},
		{"a month with fewer, from the end", days.InMonth(2026, 2, -21), 0},
		{"all business days of a month", days.InMonth(2026, 2, 20), mustDate(t, "2026-02-27")},
		{"all business days of a month, from the end", days.InMonth(2026, 2, -20), mustDate(t, "2026-02-02")},
		{"the last month", days.InMonth(2299, 12, -1), last - 2},
		{"the first month", days.InMonth(1970, 1, 1), first},
		{"nothing of a month", days.InMonth(2026, 2, 0), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if days.IsBusinessDay(first-1) || days.IsBusinessDay(last+1) || !days.IsBusinessDay(first) {
		t.Error("business days are not those from 1970 to 2299")
	}
}

func TestYearlyRules(t *testing.T) {
	days := mustCompile(t, calendar.Calendar{Name: "c", Rules: []calendar.Rule{
		{Name: "leap day", Yearly: "02-29"},
		{Name: "turn of the year", Yearly: "12-30", Length: 4},
	}})
	for date, holiday := range map[string]bool{
		"2028-02-29": true, "2027-03-01": false, "2100-03-01": false, "1970-01-01": true, "1970-01-02": true, "1970-01-03": false,
		"2026-12-29": false, "2026-12-30": true, "2027-01-02": true, "2027-01-03": false, "2299-12-31": true,
	} {
		if days.IsBusinessDay(mustDate(t, date)) == holiday {
			t.Errorf("%s is a holiday: %t, want %t", date, !holiday, holiday)
		}
	}
}

func TestHoliday(t *testing.T) {
	easterMonday := 1
	germany := calendar.Calendar{Name: "germany", WeeklyHoliday: [7]bool{true}, Rules: []calendar.Rule{
		{Name: "Easter Monday", Easter: &easterMonday},
		{Name: "Christmas", Yearly: "12-25", Length: 2},
	}}
	days := mustCompile(t, calendar.Calendar{
		Name: "c", WeeklyHoliday: [7]bool{6: true}, Include: []string{"germany"}, Exclude: []string{"open"},
		Holidays: []calendar.Holiday{{Date: mustDate(t, "2026-12-24"), Name: "Christmas Eve"}, {Date: mustDate(t, "2026-12-31")}},
	}, germany, calendar.Calendar{Name: "open", Holidays: []calendar.Holiday{{Date: mustDate(t, "2026-12-19")}}})
	for date, want := range map[string]string{
		"2026-04-06": `2026-04-06 is Easter Monday (calendar "germany")`,
		"2026-12-24": `2026-12-24 is Christmas Eve (calendar "c")`,
		"2026-12-26": `2026-12-26 is Christmas (calendar "germany")`, // also a Saturday
		"2026-12-31": `2026-12-31 is a holiday (calendar "c")`,
		"2026-12-12": `2026-12-12 is a Saturday, a weekly holiday (calendar "c")`,
		"2026-12-13": `2026-12-13 is a Sunday, a weekly holiday (calendar "germany")`,
		"2026-12-19": "", // a Saturday that is excluded
		"2026-12-23": "",
	} {
		why, ok := days.Holiday(mustDate(t, date))
		if got := why.String(); ok != (want != "") || ok && got != want {
			t.Errorf("Holiday(%s) = %s, %t, want %q", date, got, ok, want)
		}
	}
}
