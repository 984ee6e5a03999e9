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
		{"a calendar", bus.Schedule{Cron: "0 0 3 * * ?", Calendar: "de", Substitution: "next"}, ""},
		{"a substitution of earlier versions", bus.Schedule{Cron: "0 0 3 * * ?", Substitution: "true"}, ""},
		{"an unknown substitution", bus.Schedule{Cron: "0 0 3 * * ?", Substitution: "later"}, "/substitution: want none, next, previous or true, got later"},
		{"business days", bus.Schedule{BusinessDays: []int{1, -1}, At: "06:00", Months: []int{3}}, ""},
		{"business days of a date", bus.Schedule{BusinessDays: []int{-2}, Of: "easter-2"}, ""},
		{"business days and cron", bus.Schedule{BusinessDays: []int{1}, Cron: "0 0 3 * * ?"}, "/cron_notation: want no cron_notation beside business_days, got 0 0 3 * * ?"},
		{"business days that are moved", bus.Schedule{BusinessDays: []int{1}, Substitution: "next"}, "/substitution: want none: business days are no holidays, got next"},
		{"months without business days", bus.Schedule{Cron: "0 0 3 * * ?", Months: []int{3}}, "/business_days: want numbers of business days such as [1, -1]: of and months belong to them"},
		{"wrong business days", bus.Schedule{BusinessDays: []int{0, 40}, At: "6", Of: "never"},
			"/of: want 15 (a day of each month), last, 12-24 (a date of each year), easter, easter-2, easter+39, or a date such as 2027-03-31, got \"never\"\n" +
				"/business_days/0: want a number from 1 to 366 or from -1 to -366, got 0\n/at: want a time from 00:00 to 47:59, got \"6\""},
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
		{"a macro", bus.Schedule{Cron: "@weekly", DST: bus.DSTBoth, Jitter: "5m", Start: "2026-12-01", End: "2026-12-31T12:00+01:00"}, ""},
		{"an unknown macro", bus.Schedule{Cron: "@reboot"},
			"/cron_notation: want @annually, @daily, @hourly, @midnight, @monthly, @weekly, @yearly, @every and a duration of whole seconds from 1s to 8784h, such as @every 90s, got @reboot"},
		{"an interval", bus.Schedule{Cron: "@every 90s"}, ""},
		{"an interval of less than a second", bus.Schedule{Cron: "@every 1500ms"},
			"/cron_notation: want @every and a duration of whole seconds from 1s to 8784h, such as @every 90s, got @every 1500ms"},
		{"an interval on a wall clock", bus.Schedule{Cron: "@every 1h", DST: bus.DSTBoth},
			"/dst: want no dst: @every does not follow the clocks of a zone, got both"},
		{"a single time", bus.Schedule{At: "2026-12-31T23:00", DST: bus.DSTBoth, TimeZone: "Europe/Berlin"}, ""},
		{"a single time with an offset", bus.Schedule{At: "2026-12-31T23:00:00+01:00"}, ""},
		{"a single time that occurs once", bus.Schedule{At: "2026-12-31T23:00:00+01:00", DST: bus.DSTBoth},
			"/dst: want no dst: a time with an offset occurs once, got both"},
		{"a single time that is a date", bus.Schedule{At: "2026-12-31"},
			"/at: want a time such as 2026-12-31T23:00, or with an offset 2026-12-31T23:00:00+01:00, got 2026-12-31"},
		{"a single time besides an expression", bus.Schedule{At: "2026-12-31T23:00", Cron: "@daily"},
			"/at: want either at or cron_notation, not both, got 2026-12-31T23:00"},
		{"a single time with an end", bus.Schedule{At: "2026-12-31T23:00", End: "2027-01-01"},
			"/end: want no start and no end beside at, got 2027-01-01"},
		{"an end before the start", bus.Schedule{Cron: "@daily", Start: "2026-12-02", End: "2026-12-01"},
			"/end: want a time that is not before start, got 2026-12-01"},
		{"bounds that are none", bus.Schedule{Cron: "@daily", Start: "tomorrow", End: "2026-02-30"},
			"/start: want " + wantBound + ", got tomorrow\n/end: want " + wantBound + ", got 2026-02-30"},
		{"a jitter of nothing", bus.Schedule{Cron: "@daily", Jitter: "0s"}, "/jitter: want a duration from 1s to 24h, such as 5m, got 0s"},
		{"an unknown rule for clocks", bus.Schedule{Cron: "@daily", DST: "twice"}, "/dst: want once or both, got twice"},
		{"an unknown overlap", bus.Schedule{Cron: "@daily", Overlap: "stack"},
			"/overlap: want allow, skip, queue_one, queue_all, cancel_running, got stack"},
		{"a limit without anything to limit", bus.Schedule{Cron: "@daily", CatchUpLimit: 5},
			"/catch_up_limit: want no limit unless misfire is fire_all, got 5"},
		{"a window that never opens", bus.Schedule{Cron: "@daily", CatchUpWindow: "1h", Misfire: bus.MisfireSkip},
			"/catch_up_window: want no window with misfire skip, which fires no misfire, got 1h"},
		{"a pool that no subject can name", bus.Schedule{Cron: "@daily", Pool: "my.pool"}, "/pool: want 1 to 128 characters from A-Z a-z 0-9 _ -, got my.pool"},
		{"an unknown priority", bus.Schedule{Cron: "@daily", Priority: "urgent"}, "/priority: want high, normal or low, got urgent"},
		{"parameters that are one variable", bus.Schedule{Cron: "@daily", Parameters: map[string]string{"a.b": "1", "a_b": "2"}},
			`/parameters/a_b: want a name that maps to another variable than JOBSTREAMER_PARAM_A_B, which is that of the parameter "a.b", got "a_b"`},
		{"a name that is a path", bus.Schedule{Cron: "@daily", Name: "pause"},
			"/name: want 1 to 64 characters from A-Z a-z 0-9 _ -, and not pause or resume, got pause"},
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
		p, err := newPlan(&bus.Schedule{Cron: expr, TimeZone: "Europe/Berlin"}, time.UTC, nil)
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
