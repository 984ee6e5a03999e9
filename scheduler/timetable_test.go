package scheduler

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
)

func TestNominalTimes(t *testing.T) {
	for _, tt := range []struct {
		name string
		sc   bus.Schedule
		from string
		want []string
	}{
		{"each hour", bus.Schedule{Cron: "@hourly"}, "2026-12-01T10:30:00Z", []string{"2026-12-01T11:00:00Z", "2026-12-01T12:00:00Z"}},
		{"each week", bus.Schedule{Cron: "@weekly"}, "2026-12-01T10:30:00Z", []string{"2026-12-06T00:00:00Z"}},
		{"each year", bus.Schedule{Cron: "@annually"}, "2026-12-01T10:30:00Z", []string{"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"}},
		{"an interval counts from 1970", bus.Schedule{Cron: "@every 90s"}, "1970-01-01T00:02:00Z",
			[]string{"1970-01-01T00:03:00Z", "1970-01-01T00:04:30Z"}},
		{"an interval counts from the start, which is a time of it", bus.Schedule{Cron: "@every 25h", Start: "2026-03-28T12:00", TimeZone: "Europe/Berlin"},
			"2026-03-01T00:00:00Z", []string{"2026-03-28T12:00:00+01:00", "2026-03-29T14:00:00+02:00", "2026-03-30T15:00:00+02:00"}},
		{"an interval between two times of it", bus.Schedule{Cron: "@every 1m30s", Start: "2026-12-01T00:00:10Z"}, "2026-12-01T00:01:40Z",
			[]string{"2026-12-01T00:03:10Z"}},
		{"a single time", bus.Schedule{At: "2026-12-31T23:00", TimeZone: "Europe/Berlin"}, "2026-12-01T00:00:00Z", []string{"2026-12-31T23:00:00+01:00", ""}},
		{"a single time with an offset", bus.Schedule{At: "2026-12-31T23:00:30Z", TimeZone: "Europe/Berlin"}, "2026-12-01T00:00:00Z", []string{"2027-01-01T00:00:30+01:00", ""}},
		{"a single time that has passed", bus.Schedule{At: "2026-12-31T23:00:30Z"}, "2026-12-31T23:00:30Z", []string{""}},
		{"a single time in a gap", bus.Schedule{At: "2026-03-29T02:30", TimeZone: "Europe/Berlin"}, "2026-03-01T00:00:00Z", []string{"2026-03-29T03:00:00+02:00", ""}},
		{"a single time that occurs twice", bus.Schedule{At: "2026-10-25T02:30", TimeZone: "Europe/Berlin"}, "2026-10-01T00:00:00Z", []string{"2026-10-25T02:30:00+02:00", ""}},
		{"a single time in both passes", bus.Schedule{At: "2026-10-25T02:30", TimeZone: "Europe/Berlin", DST: bus.DSTBoth}, "2026-10-01T00:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", ""}},
		{"both passes of a fixed hour", bus.Schedule{Cron: "0 30 2 * * ?", TimeZone: "Europe/Berlin", DST: bus.DSTBoth}, "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		{"both passes do not change a gap", bus.Schedule{Cron: "0 30 2 * * ?", TimeZone: "Europe/Berlin", DST: bus.DSTBoth}, "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"days between dates, both included", bus.Schedule{Cron: "0 0 23 * * ?", TimeZone: "Asia/Tokyo", Start: "2026-12-30", End: "2026-12-31"}, "2026-12-01T00:00:00Z",
			[]string{"2026-12-30T23:00:00+09:00", "2026-12-31T23:00:00+09:00", ""}},
		{"times between times, both included", bus.Schedule{Cron: "@hourly", Start: "2026-12-30T01:00Z", End: "2026-12-30T02:00Z"}, "2026-12-01T00:00:00Z",
			[]string{"2026-12-30T01:00:00Z", "2026-12-30T02:00:00Z", ""}},
		{"a start at a midnight that does not exist", bus.Schedule{Cron: "@hourly", TimeZone: "America/Havana", Start: "2026-03-08"}, "2026-03-08T01:00:00Z",
			[]string{"2026-03-08T01:00:00-04:00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if wrong := Faults(tt.sc); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			p, err := newPlan(&tt.sc, time.UTC, nil)
			if err != nil {
				t.Fatal(err)
			}
			from, err := time.Parse(time.RFC3339, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for at := p.nextAfter(from); len(got) < len(tt.want); at = p.nextAfter(at) {
				if at.IsZero() {
					got = append(got, "")
					break
				}
				got = append(got, at.Format(time.RFC3339))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("times %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	t.Run("the shift is less than the jitter, and differs between schedules", func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for _, job := range []string{"a", "b", "c", "d", "e", "f"} {
			sc := bus.Schedule{App: "app", Job: job, Jitter: "1h"}
			shift := shiftOf(&sc)
			if shift < 0 || shift >= time.Hour || shift%time.Second != 0 || shift != shiftOf(&sc) {
				t.Errorf("shift of %s: %v", job, shift)
			}
			seen[shift] = true
		}
		if len(seen) < 5 {
			t.Errorf("six schedules have the shifts %v", seen)
		}
	})

	t.Run("a fire comes late by the shift, for its nominal time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Jitter, sc.Misfire = "5m", bus.MisfireSkip })
			sc := n.readSchedule("often")
			shift := shiftOf(&sc)
			if shift == 0 {
				t.Fatal("the schedule has no shift: take another name")
			}
			time.Sleep(10*time.Minute + shift - time.Second)
			n.checkFired("often", start)
			if next := n.Next(keyOf("often"), 1); len(next) != 1 || !next[0].Equal(start.Add(10*time.Minute)) {
				t.Errorf("next %v, want the nominal time that is not due yet", next)
			}
			time.Sleep(2 * time.Second)
			n.checkFired("often", start, 600)
			time.Sleep(time.Hour)
			n.checkExactly("often", "0 0/10 * * * ?", start, start.Add(time.Hour+10*time.Minute))
		})
	})

	for _, tt := range []struct {
		name string
		edit func(n *node, sc bus.Schedule) error
		want []int64
	}{
		{"a change fires the time that waits", func(n *node, sc bus.Schedule) error {
			sc.Jitter = ""
			_, err := n.Set(n.ctx, sc)
			return err
		}, []int64{600, 1200}},
		{"a pause does not fire it", func(n *node, _ bus.Schedule) error {
			if err := n.Pause(n.ctx, keyOf("often"), bus.Pause{}); err != nil {
				return err
			}
			return n.resumeNow(keyOf("often"))
		}, []int64{1200}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				n := w.runNode("bus-1")
				n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Jitter = "5m" })
				time.Sleep(10*time.Minute + time.Second)
				sc := n.readSchedule("often")
				if err := tt.edit(n, sc); err != nil {
					t.Fatal(err)
				}
				time.Sleep(15 * time.Minute)
				n.checkFired("often", start, tt.want...)
				if f, ok := n.decisions("often")[start.Unix()+600]; !ok {
					t.Errorf("the time that waited has no decision: %+v", f)
				}
			})
		})
	}
}

func TestParametersOfASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.newNode("bus-1", alwaysLeads)
		n.createSchedule("often", "30 * * * * ?", func(sc *bus.Schedule) {
			sc.Parameters, sc.Priority = map[string]string{"scope": "month"}, "high"
		})
		var sent []execution.Submission
		n.records.before = func(sub execution.Submission) error {
			sent = append(sent, sub)
			return errDied
		}
		time.Sleep(31 * time.Second)
		n.walkNow("often")
		// The fire was decided with these parameters, whatever the schedule has now.
		n.setSchedule(bus.Schedule{App: "app", Job: "often", Cron: "30 * * * * ?", Active: true})
		time.Sleep(maxBackoff)
		n.renewLease()
		_ = n.walkSchedule(t.Context(), keyOf("often"))
		if len(sent) < 2 {
			t.Fatalf("submitted %d times", len(sent))
		}
		for _, sub := range sent[:2] {
			if sub.Parameters["scope"] != "month" || sub.Priority != "high" {
				t.Errorf("submitted %+v", sub)
			}
		}
	})
}

func TestScheduleThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		n := w.runNode("bus-1")
		n.createJob("once")
		sc := bus.Schedule{App: "app", Job: "once", At: "2000-01-01T00:10", Active: true}
		n.setSchedule(sc)
		time.Sleep(time.Hour)
		n.checkFired("once", start, 600)
		n.setSchedule(sc) // as a file says it again
		for _, tt := range []struct {
			sc   bus.Schedule
			path string
		}{
			{bus.Schedule{At: "2000-01-01T00:20"}, "/at"},
			{bus.Schedule{Cron: "@daily", End: "2000-01-01"}, "/end"},
			{bus.Schedule{Cron: "0 0 0 1 1 ? 1999"}, "/cron_notation"},
		} {
			tt.sc.App, tt.sc.Job, tt.sc.Active = "app", "once", true
			var field *bus.FieldError
			if _, err := n.Set(t.Context(), tt.sc); !errors.As(err, &field) || field.Path != tt.path {
				t.Errorf("Set of %+v: %v, want a fault of %s", tt.sc, err, tt.path)
			}
		}
	})
}
