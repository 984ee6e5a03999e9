package cron

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCrontabIsRefusedWithASuggestion(t *testing.T) {
	for _, tt := range []struct{ name, expr, meant string }{
		{"every day", "30 2 * * *", "0 30 2 * * ?"},
		{"a question mark for the weekday", "30 2 * * ?", "0 30 2 * * ?"},
		{"a day of the month", "0 12 1,15 */2 *", "0 0 12 1,15 */2 ?"},
		{"numbers of weekdays", "0 9 * * 1-5", "0 0 9 ? * MON-FRI"},
		{"names of weekdays", "0 9 * * mon-fri", "0 0 9 ? * MON-FRI"},
		{"Sunday is 0", "0 9 * * 0", "0 0 9 ? * SUN"},
		{"Sunday is 7", "0 9 * * 7", "0 0 9 ? * SUN"},
		{"Saturday is 6", "0 9 * * 6", "0 0 9 ? * SAT"},
		{"a weekend", "0 9 * * 6,0", "0 0 9 ? * SAT,SUN"},
		{"a range that ends with 7", "0 9 * * 5-7", "0 0 9 ? * FRI-SUN"},
		{"a range of names that ends with Sunday", "0 9 * * FRI-SUN", "0 0 9 ? * FRI-SUN"},
		{"all weekdays", "0 9 * * 0-6", "0 0 9 * * ?"},
		{"a list of ranges", "0 9 * * 1-3,5", "0 0 9 ? * MON-WED,FRI"},
		{"every second weekday begins on Sunday", "0 9 * * */2", "0 0 9 ? * TUE,THU,SAT,SUN"},
		{"a range with a step", "0 9 * * 1-5/2", "0 0 9 ? * MON,WED,FRI"},
		{"a month by name", "0 9 * jan-mar 1", "0 0 9 ? JAN-MAR MON"},
		{"minutes with a step", "*/5 * * * *", "0 */5 * * * ?"},
		{"hourly", "@hourly", "0 0 * * * ?"},
		{"daily", "@daily", "0 0 0 * * ?"},
		{"weekly", "@Weekly", "0 0 0 ? * SUN"},
		{"six fields with a star for both days", "0 30 2 * * *", "0 30 2 * * ?"},
		{"six fields with a star for the weekday", "0 30 2 1 * *", "0 30 2 1 * ?"},
		{"six fields with a weekday by name", "0 30 2 * * mon-fri", "0 30 2 ? * MON-FRI"},
		{"seven fields", "0 30 2 * * * 2030", "0 30 2 * * ? 2030"},
		{"a number of a weekday that could be any", "0 30 2 * * 1", ""},
		{"a step that crontabs do not agree on", "0 9 * * 1/2", ""},
		{"an hour too high", "0 25 * * *", ""},
		{"a weekday too high", "0 9 * * 8", ""},
		{"a weekday spelt out", "0 9 * * MONDAY", ""},
		{"a date that never comes", "0 9 31 2 *", ""},
		{"four fields", "0 9 * *", ""},
		{"another word", "@reboot", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.expr)
			if err == nil {
				t.Fatal("Parse accepted it")
			}
			_, got, _ := strings.Cut(err.Error(), "did you mean ")
			want := ""
			if tt.meant != "" {
				want = fmt.Sprintf("%q", tt.meant)
			}
			if got != want {
				t.Errorf("Parse(%q): %v, want the suggestion %s", tt.expr, err, want)
			}
		})
	}
	t.Run("either day", func(t *testing.T) {
		if _, err := Parse("0 9 1 * 1"); err == nil || !strings.HasSuffix(err.Error(), eitherDay) {
			t.Errorf("Parse: %v, want an error that ends with eitherDay", err)
		}
	})
}

// For each set of weekdays that a crontab can name, the suggested expression
// fires on the same days.
func TestCrontabWeekdays(t *testing.T) {
	sunday := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for set := 1; set < 128; set++ {
		var list []string
		for d := range 7 {
			if set&(1<<d) != 0 {
				list = append(list, fmt.Sprint(d))
			}
		}
		_, week, ok := quartzDays("*", strings.Join(list, ","))
		month := "?"
		if week == "?" {
			month = "*"
		}
		s, err := Parse("0 0 0 " + month + " * " + week)
		if !ok || err != nil {
			t.Fatalf("weekdays %v: %s, %v", list, week, err)
		}
		got := 0
		for at := range s.Between(sunday.Add(-time.Second), sunday.AddDate(0, 0, 6)) {
			got |= 1 << at.Weekday()
		}
		if got != set {
			t.Errorf("weekdays %v became %s, which fires on %b", list, week, got)
		}
	}
}
