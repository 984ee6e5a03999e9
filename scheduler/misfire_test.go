package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// In these tests a bus has been leading all the time.
func TestDue(t *testing.T) {
	const hourly, minutely, secondly = "0 0 * * * ?", "0 * * * * ?", "* * * * * ?"
	day := func(h, m, s int) time.Time { return time.Date(2026, 5, 4, h, m, s, 0, time.UTC) }
	for _, tt := range []struct {
		name, cron, policy string
		from, now          time.Time
		want               string
	}{
		{"nothing is due", hourly, "", day(8, 0, 0), day(8, 59, 59), ""},
		{"a time that is due now fires", hourly, "", day(8, 0, 0), day(9, 0, 0), "9:00"},
		{"a minute late is on time", hourly, bus.MisfireSkip, day(8, 0, 0), day(9, 1, 0), "9:00"},
		{"more than a minute late is a misfire", hourly, bus.MisfireSkip, day(8, 0, 0), day(9, 1, 1), "9:00 misfire"},
		{"fire_once fires the newest", hourly, bus.MisfireFireOnce, day(8, 0, 0), day(11, 30, 0), "9:00 misfire, 10:00 misfire, 11:00 late"},
		{"fire_once is the default", hourly, "", day(8, 0, 0), day(11, 30, 0), "9:00 misfire, 10:00 misfire, 11:00 late"},
		{"fire_once fires a lone one", hourly, "", day(8, 0, 0), day(9, 30, 0), "9:00 late"},
		{"fire_once fires no misfire if one on time follows", hourly, "", day(8, 0, 0), day(11, 0, 30), "9:00 misfire, 10:00 misfire, 11:00"},
		{"fire_all fires each", hourly, bus.MisfireFireAll, day(8, 0, 0), day(11, 0, 30), "9:00 late, 10:00 late, 11:00"},
		{"skip fires none", hourly, bus.MisfireSkip, day(8, 0, 0), day(11, 30, 0), "9:00 misfire, 10:00 misfire, 11:00 misfire"},
		{"skip fires a time that is on time", hourly, bus.MisfireSkip, day(8, 0, 0), day(11, 0, 30), "9:00 misfire, 10:00 misfire, 11:00"},
		{"all times that are on time fire", "0/20 * * * * ?", "", day(8, 0, 0), day(8, 0, 59), "8:00:20, 8:00:40"},
		{"a walk begins after its start", hourly, "", day(9, 0, 0), day(9, 0, 1), ""},
		{"a long run of misfires shares one key", minutely, "", day(8, 0, 0), day(9, 10, 59), "8:01-9:09 misfire x69, 9:10"},
		{"a long run before a misfire that is fired", "0 0/2 * * * ?", "", day(8, 0, 0), day(9, 11, 30), "8:02-9:08 misfire x34, 9:10 late"},
		{"skip turns all misfires into one run", minutely, bus.MisfireSkip, day(8, 0, 0), day(10, 0, 59), "8:01-9:59 misfire x119, 10:00"},
		{"years of every second", secondly, bus.MisfireSkip, day(8, 0, 0).AddDate(-9, 0, 0), day(8, 0, 30),
			"8:00:01-7:59:29 misfire x1000000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newPlan(&bus.Schedule{Cron: tt.cron}, time.UTC, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for s := range p.dueOutcomes(tt.from, tt.now, latenessOf(&bus.Schedule{Misfire: tt.policy}, tt.now, time.Time{}, time.Time{}, atWalk)) {
				if len(got) > 0 && !s.nominal.Before(tt.now.Add(-time.Minute)) && tt.cron == secondly {
					continue // the last minute is on time
				}
				got = append(got, s.String())
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("due: %s, want %s", got, tt.want)
			}
		})
	}
}

// In these tests no time after 8:00 has been decided.
func TestDueUnattended(t *testing.T) {
	day := func(h, m, s int) time.Time { return time.Date(2026, 5, 4, h, m, s, 0, time.UTC) }
	const every10, every20m = "0/10 * * * * ?", "0 0/20 * * * ?"
	for _, tt := range []struct {
		name, cron, policy, after  string
		now, downUntil, unledUntil time.Time
		at                         occasion
		want                       string
	}{
		{"skip skips times that passed while no bus ran", every10, bus.MisfireSkip, "", day(8, 0, 35), day(8, 0, 34), day(8, 0, 34), atWalk,
			"8:00:10 misfire, 8:00:20 misfire, 8:00:30 misfire"},
		{"fire_once fires one of them", every10, "", "", day(8, 0, 35), day(8, 0, 34), day(8, 0, 34), atWalk,
			"8:00:10 misfire, 8:00:20 misfire, 8:00:30 late"},
		{"fire_all fires all of them", every10, bus.MisfireFireAll, "", day(8, 0, 35), day(8, 0, 34), day(8, 0, 34), atWalk,
			"8:00:10 late, 8:00:20 late, 8:00:30 late"},
		{"times after the start are on time", every10, bus.MisfireSkip, "", day(8, 0, 45), day(8, 0, 24), day(8, 0, 24), atWalk,
			"8:00:10 misfire, 8:00:20 misfire, 8:00:30, 8:00:40"},
		{"the newest time that passed while nobody led fires", every10, bus.MisfireSkip, "", day(8, 0, 35), day(7, 0, 0), day(8, 0, 34), atWalk,
			"8:00:10 misfire, 8:00:20 misfire, 8:00:30"},
		{"fire_all fires each time that passed while nobody led", every10, bus.MisfireFireAll, "", day(8, 0, 35), day(7, 0, 0), day(8, 0, 34), atWalk,
			"8:00:10, 8:00:20, 8:00:30"},
		{"no bus ran, then nobody led", every10, bus.MisfireSkip, "", day(8, 0, 35), day(8, 0, 15), day(8, 0, 34), atWalk,
			"8:00:10 misfire, 8:00:20 misfire, 8:00:30"},
		{"a longer misfire_after", every20m, bus.MisfireSkip, "30m", day(8, 45, 0), day(7, 0, 0), day(7, 0, 0), atWalk,
			"8:20, 8:40"},
		{"a shorter misfire_after", every10, bus.MisfireSkip, "5s", day(8, 0, 36), day(7, 0, 0), day(7, 0, 0), atWalk,
			"8:00:10 misfire, 8:00:20 misfire, 8:00:30 misfire"},
		{"an edit skips times that passed while no bus ran", every10, bus.MisfireFireAll, "", day(8, 0, 45), day(8, 0, 24), day(8, 0, 24), atEdit,
			"8:00:10 edited, 8:00:20 edited, 8:00:30, 8:00:40"},
		{"an edit skips times that are too late", every20m, "", "", day(9, 0, 30), day(7, 0, 0), day(7, 0, 0), atEdit,
			"8:20 edited, 8:40 edited, 9:00"},
		{"an edit at a bus that does not lead", every10, bus.MisfireFireAll, "", day(8, 0, 35), day(7, 0, 0), day(8, 0, 34), atEdit,
			"8:00:10 edited, 8:00:20 edited, 8:00:30"},
		{"the deletion of the job fires nothing", every10, bus.MisfireFireAll, "", day(8, 0, 30), day(8, 0, 14), day(8, 0, 14), atDeletion,
			"8:00:10 deleted, 8:00:20 deleted, 8:00:30 deleted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newPlan(&bus.Schedule{Cron: tt.cron}, time.UTC, nil)
			if err != nil {
				t.Fatal(err)
			}
			sc := &bus.Schedule{Misfire: tt.policy, After: tt.after}
			var got []string
			for s := range p.dueOutcomes(day(8, 0, 0), tt.now, latenessOf(sc, tt.now, tt.downUntil, tt.unledUntil, tt.at)) {
				got = append(got, s.String())
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("due: %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFireAllIsBounded(t *testing.T) {
	p, err := newPlan(&bus.Schedule{Cron: "* * * * * ?"}, time.UTC, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	var skipped, late, onTime int
	var last time.Time
	for s := range p.dueOutcomes(now.Add(-time.Hour), now, latenessOf(&bus.Schedule{Misfire: bus.MisfireFireAll}, now, time.Time{}, time.Time{}, atWalk)) {
		if !s.nominal.After(last) {
			t.Errorf("%v comes after %v", s.nominal, last)
		}
		last = s.nominal
		switch {
		case s.skipped != "":
			skipped += s.skippedCount
		case s.caughtUp:
			late++
		default:
			onTime++
		}
	}
	if skipped != 3600-61-1000 || late != 1000 || onTime != 61 {
		t.Errorf("%d skipped, %d late, %d on time, want 2539, 1000, 61", skipped, late, onTime)
	}
}

func (s outcome) String() string {
	short := func(t time.Time) string { return strings.TrimSuffix(t.Format("3:04:05"), ":00") }
	text := short(s.nominal)
	if s.skippedCount > 1 {
		text = short(s.skippedFrom) + "-" + text
	}
	if s.skipped != "" {
		text += " " + s.skipped
	}
	if s.skippedCount > 1 {
		text += fmt.Sprintf(" x%d", s.skippedCount)
	}
	if s.caughtUp {
		text += " late"
	}
	return text
}

func TestPausedTimes(t *testing.T) {
	day := func(h, m, s int) time.Time { return time.Date(2026, 5, 4, h, m, s, 0, time.UTC) }
	for _, tt := range []struct {
		name, cron string
		now        time.Time
		at         occasion
		want       string
	}{
		{"an edit skips the times of a pause", "0 0/20 * * * ?", day(8, 45, 0), atEdit, "8:20 paused, 8:40 paused"},
		{"a walk of a bus that has not heard of the pause decides nothing", "0 0/20 * * * ?", day(8, 45, 0), atWalk, ""},
		{"a long run has the key of its newest time", "0 0/2 * * * ?", day(9, 31, 30), atEdit, "8:02-9:30 paused x45"},
	} {
		p, err := newPlan(&bus.Schedule{Cron: tt.cron}, time.UTC, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for s := range p.decisions(&bus.Schedule{}, day(8, 0, 0), moment{now: tt.now, occasion: tt.at}) {
			got = append(got, s.String())
		}
		if got := strings.Join(got, ", "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
