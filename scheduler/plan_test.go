package scheduler

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		sc   bus.Schedule
		want string
	}{
		{"a schedule", bus.Schedule{Cron: "0 0 3 * * ?", TimeZone: "Asia/Tokyo", Misfire: bus.MisfireSkip}, ""},
		{"a schedule with an expression only", bus.Schedule{Cron: "0 0 3 * * ?"}, ""},
		{"an hour too high names the column", bus.Schedule{Cron: "0 0 25 * * ?"},
			"/cron_notation: want a Quartz cron expression: hour (column 5): 25 is not in 0-23, got 0 0 25 * * ?"},
		{"nothing", bus.Schedule{},
			`/cron_notation: want a Quartz cron expression: column 1: 0 fields, want 6 or 7 fields (second minute hour day-of-month month day-of-week [year]), got ""`},
		{"a date that never comes", bus.Schedule{Cron: "0 0 0 31 2 ?"},
			"/cron_notation: want an expression that fires: no date matches, got 0 0 0 31 2 ?"},
		{"an unknown zone", bus.Schedule{Cron: "0 0 3 * * ?", TimeZone: "Mars/Base"},
			"/time_zone: want an IANA time zone such as Europe/Berlin, got Mars/Base"},
		{"a zone that differs between buses", bus.Schedule{Cron: "0 0 3 * * ?", TimeZone: "Local"},
			"/time_zone: want an IANA time zone such as Europe/Berlin, got Local"},
		{"a calendar", bus.Schedule{Cron: "0 0 3 * * ?", Calendar: "de"},
			"/calendar: want no calendar: calendars are not supported yet, got de"},
		{"an unknown policy", bus.Schedule{Cron: "0 0 3 * * ?", Misfire: "panic"},
			"/misfire: want fire_once, fire_all or skip, got panic"},
		{"a time without a unit", bus.Schedule{Cron: "0 0 3 * * ?", After: "60"},
			"/misfire_after: want a duration from 1s to 24h, such as 60s or 5m, got 60"},
		{"less than a second", bus.Schedule{Cron: "0 0 3 * * ?", After: "0s"},
			"/misfire_after: want a duration from 1s to 24h, such as 60s or 5m, got 0s"},
		{"a misfire_after of a day", bus.Schedule{Cron: "0 0 3 * * ?", After: "24h"}, ""},
		{"a crontab", bus.Schedule{Cron: "30 2 * * 1-5"},
			"/cron_notation: want a Quartz cron expression: column 13: 5 fields, want 6 or 7 fields " +
				`(second minute hour day-of-month month day-of-week [year]); did you mean "0 30 2 ? * MON-FRI", got 30 2 * * 1-5`},
		{"all at once", bus.Schedule{Cron: "0 0 0 31 2 ?", TimeZone: "Local", Misfire: "panic"},
			"/cron_notation: want an expression that fires: no date matches, got 0 0 0 31 2 ?\n" +
				"/time_zone: want an IANA time zone such as Europe/Berlin, got Local\n/misfire: want fire_once, fire_all or skip, got panic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []string
			for _, f := range Faults(tt.sc) {
				all = append(all, f.Error())
			}
			if got := strings.Join(all, "\n"); got != tt.want {
				t.Errorf("Faults:\n %v, want\n %v", got, tt.want)
			}
		})
	}
}

func TestNewestBetween(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	for _, expr := range []string{"* * * * * ?", "0 0/7 * * * ?", "0 30 2 * * ?", "0 0 0 29 2 ?", "* * * 1 3 ? 2026"} {
		p, err := newPlan(&bus.Schedule{Cron: expr, TimeZone: "Europe/Berlin"}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		for range 15 {
			from, n := at.Add(-time.Duration(rand.Int64N(int64(36*time.Hour)))), rand.IntN(70)+1
			all := slices.Collect(p.timesBetween(from, at))
			want := all[max(0, len(all)-n):]
			if got := p.newestBetween(from, at, n); !slices.Equal(got, want) {
				t.Errorf("%s: newest(%v, %v, %d) = %v, want %v", expr, from, at, n, got, want)
			}
		}
	}
}
