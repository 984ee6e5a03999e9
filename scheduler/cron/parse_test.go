package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, expr, want string }{
		{"an hour too high", "0 0 25 * * ?", "hour (column 5): 25 is not in 0-23"},
		{"a second too high", "99 0 0 * * ?", "second (column 1): 99 is not in 0-59"},
		{"text after a number", "0 1a 0 * * ?", "minute (column 3): 1A is not in 0-59"},
		{"a fraction", "0 1.5 0 * * ?", "minute (column 3): 1.5 is not in 0-59"},
		{"the column is that of the element of a list", "0 0 1,25 * * ?", "hour (column 7): 25 is not in 0-23"},
		{"the column is that of the end of a range", "0 0 1-24 * * ?", "hour (column 7): 24 is not in 0-23"},
		{"columns count spaces", "  0\t0  24 * * ?", "hour (column 8): 24 is not in 0-23"},
		{"columns count characters", "０ 0 0 * * * * *", "column 15: 8 fields, want 6 or 7 fields (" + layout + ")"},
		{"a digit that is not ASCII", "０ 0 0 * * ?", `second (column 1): "\uff10" is not in 0-59`},
		{"a letter that becomes ASCII in upper case", "0 0 0 ? * ſun", `day of week (column 11): "\u017fUN" is not in 1-7 or SUN-SAT`},
		{"bytes that are not UTF-8", "0 0 0 \x98\x92\xfc,1W 0 0", `day of month (column 11): 1W must be the whole field`},
		{"nothing", "", "column 1: 0 fields, want 6 or 7 fields (" + layout + ")"},
		{"a word", "daily", "column 6: 1 field, want 6 or 7 fields (" + layout + ")"},
		{"a signed number", "+5 0 0 * * ?", "second (column 1): +5 is not in 0-59"},
		{"a range without a start", "0 -5 0 * * ?", "minute (column 3): a value is missing, want 0-59"},
		{"a range without an end", "0 5- 0 * * ?", "minute (column 5): a value is missing, want 0-59"},
		{"a range of three", "0 1-2-3 0 * * ?", "minute (column 5): 2-3 is not in 0-59"},
		{"a comma at the end", "0 1, 0 * * ?", "minute (column 5): a value is missing, want 0-59"},
		{"two commas", "0 1,,2 0 * * ?", "minute (column 5): a value is missing, want 0-59"},
		{"a star in a list", "0 *,5 0 * * ?", "minute (column 3): * must be the whole field"},
		{"a star after a number", "0 5* 0 * * ?", "minute (column 3): 5* is not in 0-59"},
		{"a long number", "00001 0 0 * * ?", "second (column 1): 00001 is not in 0-59"},
		{"a step of nothing", "0 0/ 0 * * ?", "minute (column 5): a value is missing, want a step in 1-59"},
		{"a step of zero", "0 */0 0 * * ?", "minute (column 5): 0 is not a step in 1-59"},
		{"a step too large", "0 0 0/24 * * ?", "hour (column 7): 24 is not a step in 1-23"},
		{"a step from a name", "0 0 6 15 JUN/2 ?", "month (column 10): JUN/2 has a step after a name, want a number before the step"},
		{"a month spelt out", "0 0 0 1 JANUARY ?", "month (column 9): JANUARY is not in 1-12 or JAN-DEC"},
		{"a month 0", "0 0 0 1 0 ?", "month (column 9): 0 is not in 1-12 or JAN-DEC"},
		{"a day spelt out", "0 0 0 ? * Monday", "day of week (column 11): MONDAY is not in 1-7 or SUN-SAT"},
		{"a Sunday of 0", "0 0 0 ? * 0", "day of week (column 11): 0 is not in 1-7 or SUN-SAT"},
		{"a number and a name in a range", "0 0 0 ? * 2-FRI", "day of week (column 11): 2-FRI mixes a number and a name"},
		{"both days given", "0 0 0 1 * MON", "day of week (column 11): MON with 1 as day of month, want ? in exactly one of day of month and day of week"},
		{"both days open", "0 0 0 ? * ?", "day of week (column 11): ? with ? as day of month, want ? in exactly one of day of month and day of week"},
		{"a question mark as hour", "0 0 ? * * ?", "hour (column 5): ? is allowed only as a whole day field, want 0-23"},
		{"a question mark in a list", "0 0 0 ?,1 * MON", "day of month (column 7): ? must be the whole field"},
		{"a question mark with a step", "0 0 0 ?/2 * MON", "day of month (column 7): ? is allowed only as a whole day field, want 1-31"},
		{"a last day in a list", "0 0 0 1,L * ?", "day of month (column 9): L must be the whole field"},
		{"a weekday in a list", "0 0 0 15W,1 * ?", "day of month (column 7): 15W must be the whole field"},
		{"an offset too large", "0 0 0 L-31 * ?", "day of month (column 9): 31 is not in 1-30"},
		{"an offset of 0", "0 0 0 L-0 * ?", "day of month (column 9): 0 is not in 1-30"},
		{"an offset of nothing", "0 0 0 L-W * ?", "day of month (column 9): a value is missing, want 1-30"},
		{"letters of days the wrong way round", "0 0 0 WL * ?", "day of month (column 7): WL is not in 1-31, L, L-3, LW, L-3W or 15W"},
		{"weekdays of a range", "0 0 0 1-5W * ?", "day of month (column 7): 1-5W is not in 1-31, L, L-3, LW, L-3W or 15W"},
		{"the weekday nearest to no day", "0 0 0 32W * ?", "day of month (column 7): 32 is not in 1-31, L, L-3, LW, L-3W or 15W"},
		{"a sixth Friday", "0 0 0 ? * 6#6", "day of week (column 13): 6 is not in 1-5"},
		{"a nth day in a list", "0 0 0 ? * 2,6#3", "day of week (column 13): 6#3 must be the whole field"},
		{"a last Friday in a list", "0 0 0 ? * 6L,2", "day of week (column 11): 6L must be the whole field"},
		{"a last day of week with an offset", "0 0 0 ? * L-1", "day of week (column 11): L is not in 1-7 or SUN-SAT"},
		{"a last eighth day", "0 0 0 ? * 8L", "day of week (column 11): 8 is not in 1-7 or SUN-SAT"},
		{"a year of two digits", "0 0 0 1 1 ? 26", "year (column 13): 26 is not in 1970-2299"},
		{"a year too late", "0 0 0 1 1 ? 2300", "year (column 13): 2300 is not in 1970-2299"},
		{"years that run backwards", "0 0 0 1 1 ? 2029-2027", "year (column 13): 2029-2027 ends before it starts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.expr)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse(%q): %v, want an *Error", tt.expr, err)
			}
			_, got, _ := strings.Cut(err.Error(), `": `)
			if got != tt.want {
				t.Errorf("Parse(%q):\n %s, want\n %s", tt.expr, got, tt.want)
			}
			if e.Expr != tt.expr || e.Want == "" {
				t.Errorf("Parse(%q): error %+v, want the expression and what is allowed", tt.expr, e)
			}
		})
	}
}

func TestErrorFields(t *testing.T) {
	_, err := Parse("0 0 25 * * ?")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v, want an *Error", err)
	}
	want := Error{"0 0 25 * * ?", "hour", 5, "25 is not in 0-23", "0-23"}
	if *e != want {
		t.Errorf("error %+v, want %+v", *e, want)
	}
	if got, want := err.Error(), `cron "0 0 25 * * ?": hour (column 5): 25 is not in 0-23`; got != want {
		t.Errorf("error %s, want %s", got, want)
	}
}

func TestString(t *testing.T) {
	for _, tt := range []struct{ name, expr, want string }{
		{"spaces become one", "\t 0 0  12\t? * *\n", "0 0 12 ? * *"},
		{"letters become capitals", "0 0 0 ? jAn-mar mon#1", "0 0 0 ? JAN-MAR MON#1"},
		{"leading zeros go", "00 05/010 012,00 L-03 * ?", "0 5/10 12,0 L-3 * ?"},
		{"zeros inside stay", "10 20,30 0 * * ? 2100", "10 20,30 0 * * ? 2100"},
		{"a step gets its star", "/5 1,/10 0 * * ?", "*/5 1,*/10 0 * * ?"},
		{"a year that is any goes", "0 0 0 * * ? *", "0 0 0 * * ?"},
		{"a year that steps stays", "0 0 0 * * ? */2", "0 0 0 * * ? */2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			if s.String() != tt.want {
				t.Errorf("String() = %q, want %q", s, tt.want)
			}
			again, err := Parse(s.String())
			if err != nil {
				t.Fatal(err)
			}
			if *again != *s {
				t.Errorf("Parse(%q) = %+v, want %+v", s, again, s)
			}
		})
	}
}

func TestNever(t *testing.T) {
	for _, tt := range []struct {
		name, expr string
		want       bool
	}{
		{"February has no 30th", "0 0 0 30 2 ?", true},
		{"short months have no 31st", "0 0 0 31 2,4,6,9,11 ?", true},
		{"short months have no weekday nearest to the 31st", "0 0 0 31W 2,4,6,9,11 ?", true},
		{"February has no 30 days before its last", "0 0 0 L-30 2,4 ?", true},
		{"years that are not leap have no 29 February", "0 0 0 29 2 ? 2025-2027,2100,2200", true},
		{"a leap year has", "0 0 0 29 2 ? 2000", false},
		{"February has a fifth Friday now and then", "0 0 0 ? 2 6#5", false},
		{"years that are over are not never", "0 0 0 1 1 ? 1970", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			if s.Never() != tt.want {
				t.Errorf("Never() = %t, want %t", s.Never(), tt.want)
			}
			if next := s.Next(time.Time{}); next.IsZero() != tt.want {
				t.Errorf("Next = %v, want none: %t", next, tt.want)
			}
		})
	}
}
