package ical

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// event returns a file with one event, whose lines are given.
func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Day\r\n" + strings.Join(lines, "\r\n") +
		"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// textOf returns what was read as lines.
func textOf(in *Import) string {
	var b strings.Builder
	for _, h := range in.Holidays {
		fmt.Fprintf(&b, "%v %s\n", h.Date, h.Name)
	}
	for _, r := range in.Rules {
		fmt.Fprintf(&b, "%v %s %s days %d except %v\n", r.Start, r.Name, r.RRule, r.Length, r.Except)
	}
	for _, s := range in.Skipped {
		fmt.Fprintf(&b, "skipped %s: %s\n", s.Event, s.Reason)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"one day", event("DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261226"), "2026-12-25 Day\n"},
		{"no end", event("DTSTART;VALUE=DATE:20261225"), "2026-12-25 Day\n"},
		{"an end on the same day", event("DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261225"), "2026-12-25 Day\n"},
		{"the end is exclusive", event("DTSTART;VALUE=DATE:20261231", "DTEND;VALUE=DATE:20270102"), "2026-12-31 Day\n2027-01-01 Day\n"},
		{"from midnight to midnight", event("DTSTART;TZID=Asia/Tokyo:20260504T000000", "DTEND;TZID=Asia/Tokyo:20260506T000000"), "2026-05-04 Day\n2026-05-05 Day\n"},
		{"a duration in days", event("DTSTART;VALUE=DATE:20261225", "DURATION:P2D"), "2026-12-25 Day\n2026-12-26 Day\n"},
		{"a folded line", event("DTSTART;VALUE=DATE:2026", " 1225", "DESCRIPTION:a", "\tb"), "2026-12-25 Day\n"},
		{"more dates", event("DTSTART;VALUE=DATE:20260101", "RDATE;VALUE=DATE:20270101,20280103"), "2026-01-01 Day\n2027-01-01 Day\n2028-01-03 Day\n"},
		{"a rule", event("DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=YEARLY"), "2026-05-01 Day FREQ=YEARLY days 0 except []\n"},
		{"a rule for two days with exceptions", event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261226", "RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20281224,20291224"),
			"2026-12-24 Day FREQ=YEARLY days 2 except [2028-12-24 2029-12-24]\n"},
		{"a start that the rule does not match", event("DTSTART;VALUE=DATE:20261225", "RRULE:FREQ=WEEKLY;BYDAY=MO"),
			"2026-12-25 Day\n2026-12-25 Day FREQ=WEEKLY;BYDAY=MO days 0 except []\n"},
		{"a cancelled event", event("DTSTART;VALUE=DATE:20261225", "STATUS:CANCELLED"), "skipped Day: it is cancelled\n"},
		{"a wrong rule", event("DTSTART;VALUE=DATE:20261225", "RRULE:FREQ=HOURLY"),
			"2026-12-25 Day\nskipped Day: RRULE \"FREQ=HOURLY\": FREQ must be YEARLY, MONTHLY, WEEKLY or DAILY\n"},
		{"a wrong exception", event("DTSTART;VALUE=DATE:20261225", "EXDATE:soon"), "2026-12-25 Day\nskipped Day: EXDATE: want a date such as 20271231, got \"soon\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, err := Read(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := textOf(in); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestSkippedEvents(t *testing.T) {
	for _, tt := range []struct{ name, lines, want string }{
		{"no start", "DESCRIPTION:x", "it has no DTSTART"},
		{"a time of day", "DTSTART:20261225T090000Z", "it begins at a time of day: DTSTART is 20261225T090000Z"},
		{"midnight UTC is a time of day elsewhere", "DTSTART:20261225T000000Z", "it begins at a time of day: DTSTART is 20261225T000000Z"},
		{"midnight without an end", "DTSTART:20261225T000000", "it is not a whole day: it has no DTEND"},
		{"an end in the day", "DTSTART:20261225T000000\r\nDTEND:20261225T120000", "it ends at a time of day: DTEND is 20261225T120000"},
		{"an end before the start", "DTSTART:20261225\r\nDTEND:20261224", "it must last 1 to 366 days, not -1"},
		{"hours", "DTSTART:20261225\r\nDURATION:PT5H", "it does not last whole days: DURATION is PT5H"},
		{"years", "DTSTART:20261225\r\nDURATION:P400D", "it must last 1 to 366 days, not 400"},
		{"long ago", "DTSTART:19600101", "1960-01-01 is not between 1970 and 2299"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(event("DTSTART:20260101"), "END:VCALENDAR", "BEGIN:VEVENT\r\nSUMMARY:Other\r\n"+tt.lines+"\r\nEND:VEVENT\r\nEND:VCALENDAR", 1)
			in, err := Read(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := textOf(in), "2026-01-01 Day\nskipped Other: "+tt.want+"\n"; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	whole := event("DTSTART:20260101")
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "not a complete iCalendar file: the last line is not END:VCALENDAR"},
		{"another format", `{"name": "c"}`, "not a complete iCalendar file: the last line is not END:VCALENDAR"},
		{"cut off", whole[:len(whole)-20], "not a complete iCalendar file: the last line is not END:VCALENDAR"},
		{"no event", "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "the file contains no event of whole days"},
		{"only a meeting", event("DTSTART:20260101T100000Z"), "the file contains no event of whole days"},
		{"no calendar", "BEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR", "not an iCalendar file: malformed calendar; expected a vcalendar"},
		{"deep", strings.Repeat("BEGIN:X\n", 100_000) + "END:VCALENDAR", "not an iCalendar file: more than 8 components inside of each other"},
		{"too large", strings.Repeat(" ", maxFile+1), "the file is larger than 4 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if in, err := Read(strings.NewReader(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("Read: %v, %v, want the error %s", in, err, tt.want)
			}
		})
	}
}

// A file as programs export it: with a time zone, alarms, escaped text, a moved
// date and a cancelled one.
func TestExportedFile(t *testing.T) {
	f, err := os.Open("testdata/holidays.ics")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `2026-05-25 Pfingstmontag
2026-10-30 Betriebsausflug, verschoben
2026-12-24 Weihnachten; "Betriebsruhe"
2026-12-25 Weihnachten; "Betriebsruhe"
2026-12-26 Weihnachten; "Betriebsruhe"
2026-05-01 Tag der Arbeit FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1 days 0 except []
2026-01-30 Betriebsausflug FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20261231T225959Z days 0 except [2026-12-25 2026-10-30 2026-11-27]
skipped Betriebsausflug: it is cancelled
skipped Besprechung: it begins at a time of day: DTSTART is 20260302T090000
`
	if got := textOf(in); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	c := calendar.Calendar{Name: "c", Holidays: in.Holidays, Rules: in.Rules}
	days, err := calendar.Compile(&c, calendar.Sources{Recurrence: Dates})
	if err != nil {
		t.Fatal(err)
	}
	for date, holiday := range map[string]bool{
		"2026-01-30": true, "2026-09-25": true, "2026-10-30": true, "2026-11-27": false, "2026-12-25": true, "2027-01-29": false,
		"2026-05-01": true, "2299-05-01": true, "2026-05-02": false,
	} {
		if days.IsBusinessDay(mustDate(t, date)) == holiday {
			t.Errorf("%s is a holiday: %t, want %t", date, !holiday, holiday)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261226", "RRULE:FREQ=YEARLY", "EXDATE:20281224", "RDATE:20270101"))
	f.Add(event("DTSTART:20261224T000000", "DTEND:20261225T000000", "RECURRENCE-ID:20261223", "STATUS:CANCELLED"))
	f.Add(event(`DTSTART;X="a\,b":20261224`, "DURATION:P2W", `SUMMARY;LANGUAGE=de:a\nb\;`))
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		c := calendar.Calendar{Name: "c", Holidays: in.Holidays, Rules: in.Rules}
		if len(c.Holidays) > calendar.MaxHolidays || len(c.Rules) > calendar.MaxRules {
			return
		}
		if err := c.Validate(Dates); err != nil {
			t.Fatalf("%v: %v", cmp.Or(textOf(in), "nothing"), err)
		}
	})
}
