package ical

import (
	"errors"
	"strings"
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

// The dates of most rules are those that RFC 5545 section 3.8.5.3 gives.
func TestDates(t *testing.T) {
	for _, tt := range []struct{ name, rule, start, last, want string }{
		{"a part in lower case with its name", "RRULE:freq=daily;count=3", "1997-09-02", "2299-12-31", "1997-09-02 1997-09-03 1997-09-04"},
		{"until a date", "FREQ=DAILY;UNTIL=19970904", "1997-09-02", "2299-12-31", "1997-09-02 1997-09-03 1997-09-04"},
		{"until a time", "FREQ=DAILY;UNTIL=19970904T000000Z", "1997-09-02", "2299-12-31", "1997-09-02 1997-09-03 1997-09-04"},
		{"every other week", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09-02", "1997-10-20", "1997-09-02 1997-09-16 1997-09-30 1997-10-14"},
		{"weeks that begin on Monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05", "2299-12-31", "1997-08-05 1997-08-10 1997-08-19 1997-08-24"},
		{"weeks that begin on Sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05", "2299-12-31", "1997-08-05 1997-08-17 1997-08-19 1997-08-31"},
		{"the first Friday of the month", "FREQ=MONTHLY;COUNT=4;BYDAY=1FR", "1997-09-05", "2299-12-31", "1997-09-05 1997-10-03 1997-11-07 1997-12-05"},
		{"the third day from the end", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28", "1998-01-01", "1997-09-28 1997-10-29 1997-11-28 1997-12-29"},
		{"every Friday the 13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1997-09-02", "2000-10-13", "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13"},
		{"election day", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05", "2004-12-31", "1996-11-05 2000-11-07 2004-11-02"},
		{"the second last weekday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29", "1998-01-01", "1997-09-29 1997-10-30 1997-11-27 1997-12-30"},
		{"Monday of week 20", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12", "1999-12-31", "1997-05-12 1998-05-11 1999-05-17"},
		{"the 20th Monday of the year", "FREQ=YEARLY;BYDAY=20MO", "1997-05-19", "1999-12-31", "1997-05-19 1998-05-18 1999-05-17"},
		{"the 200th day of the year", "FREQ=YEARLY;BYYEARDAY=200", "1997-01-01", "2000-12-31", "1997-07-19 1998-07-19 1999-07-19 2000-07-18"},
		{"29 February", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2094-01-01", "2110-12-31", "2096-02-29 2104-02-29 2108-02-29"},
		{"a start that does not match", "FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-12-25", "2299-12-31", "2026-12-28 2027-01-04"},
		{"the last year", "FREQ=YEARLY", "2297-12-31", "2299-12-31", "2297-12-31 2298-12-31 2299-12-31"},
		{"a rule that never matches", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01", "2299-12-31", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dates, err := Dates(tt.rule, mustDate(t, tt.start), mustDate(t, tt.last), 1000)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range dates {
				got = append(got, d.String())
			}
			if text := strings.Join(got, " "); text != tt.want {
				t.Errorf("Dates(%q, %s) = %s, want %s", tt.rule, tt.start, text, tt.want)
			}
		})
	}
}

func TestWrongRules(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{"", `parts such as FREQ=YEARLY, separated by semicolons; "" is none`},
		{"FREQ=YEARLY;", `parts such as FREQ=YEARLY, separated by semicolons; "" is none`},
		{"INTERVAL=2", "FREQ must be YEARLY, MONTHLY, WEEKLY or DAILY"},
		{"FREQ=HOURLY", "FREQ must be YEARLY, MONTHLY, WEEKLY or DAILY"},
		{"FREQ=DAILY;BYHOUR=3", "BYHOUR has no meaning for dates"},
		{"FREQ=YEARLY;BYEASTER=0", `there is no part "BYEASTER"`},
		{"FREQ=YEARLY;DTSTART=20260101", `there is no part "DTSTART"`},
		{"FREQ=DAILY;COUNT=2;COUNT=3", "COUNT is there twice"},
		{"FREQ=DAILY;COUNT=2;UNTIL=20260101", "COUNT and UNTIL cannot stand together"},
		{"FREQ=DAILY;INTERVAL=0", "INTERVAL must be a number from 1 to 10000"},
		{"FREQ=MONTHLY;INTERVAL=9223372036854775807", "INTERVAL must be a number from 1 to 10000"},
		{"FREQ=DAILY;COUNT=0", "COUNT must be a number from 1 to 200000"},
		{"FREQ=DAILY;UNTIL=2026", "UNTIL must be a date such as 20271231"},
		{"FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO cannot stand with FREQ=MONTHLY"},
		{"FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY cannot stand with FREQ=DAILY"},
		{"FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY cannot stand with FREQ=WEEKLY"},
		{"FREQ=WEEKLY;BYDAY=1MO", "a number in BYDAY needs FREQ=MONTHLY or FREQ=YEARLY without BYWEEKNO"},
		{"FREQ=MONTHLY;BYDAY=0MO", `"0MO" in BYDAY is no day such as MO, 1MO or -1FR: a month has at most 5 of each`},
		{"FREQ=MONTHLY;BYDAY=MO,8TU", `"8TU" in BYDAY is no day such as MO, 1MO or -1FR: a month has at most 5 of each`},
		{"FREQ=YEARLY;BYMONTH=4;BYDAY=-6FR", `"-6FR" in BYDAY is no day such as MO, 1MO or -1FR: a month has at most 5 of each`},
		{"FREQ=YEARLY;BYDAY=54FR", `"54FR" in BYDAY is no day such as MO, 1MO or -1FR: a year has at most 53 of each`},
		{"FREQ=MONTHLY;BYDAY=XX", "undefined weekday: XX"},
		{"FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another part that begins with BY"},
		{"FREQ=YEARLY;BYMONTH=13", "bymonth must be between 1 and 12"},
		{"FREQ=YEARLY;BYMONTH=1,,2", "BYMONTH must be numbers other than 0, separated by commas"},
		{"FREQ=YEARLY;BYMONTHDAY=32", "bymonthday must be between 1 and 31 or -1 and -31"},
		{"FREQ=YEARLY;BYMONTH=" + strings.Repeat("1,", 500) + "1", "at most 1000 characters"},
		{"FREQ=DAILY", "the rule has more than 1000 dates"},
	} {
		if got, err := Dates(tt.rule, mustDate(t, "2026-01-01"), calendar.LastDate, 1000); err == nil || err.Error() != tt.want {
			t.Errorf("Dates(%q) = %v, %v, want the error %s", tt.rule, got, err, tt.want)
		}
	}
}

func FuzzDates(f *testing.F) {
	for _, rule := range []string{
		"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-2",
		"FREQ=YEARLY;BYWEEKNO=20,-1;BYDAY=MO", "FREQ=WEEKLY;WKST=SU;UNTIL=20300101T000000Z", "FREQ=DAILY;COUNT=7;INTERVAL=3",
		"FREQ=YEARLY;BYYEARDAY=-1,366;BYMONTH=12", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
	} {
		f.Add(rule, int32(20_000))
	}
	f.Fuzz(func(t *testing.T, rule string, from int32) {
		start := calendar.FirstDate + calendar.Date(uint32(from)%uint32(calendar.LastDate-calendar.FirstDate))
		const limit = 5000
		began := time.Now()
		dates, err := Dates(rule, start, calendar.LastDate, limit)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("Dates(%q) took %v", rule, took)
		}
		if errors.Is(err, errPanic) {
			t.Fatalf("Dates(%q, %v): %v", rule, start, err)
		}
		if err != nil {
			return
		}
		if len(dates) > limit {
			t.Fatalf("Dates(%q) has %d dates", rule, len(dates))
		}
		for i, d := range dates {
			if d < start || d > calendar.LastDate || i > 0 && d <= dates[i-1] {
				t.Fatalf("Dates(%q, %v): date %d is %v after %v", rule, start, i, d, dates[max(i, 1)-1])
			}
		}
	})
}
