package scheduler

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestPreview(t *testing.T) {
	const (
		first   = "the clocks show this time twice on that day; this is the first"
		second  = "the clocks show this time twice on that day; this is the second"
		forward = "the clocks go forward by 1h0m0s at this moment; times in the gap fire now"
	)
	for name, tc := range map[string]struct {
		cron, zone, from string
		want             []string
	}{
		"days of a zone":                {"0 0 2 ? * MON-FRI", "Europe/Berlin", "2026-11-27T00:00:00Z", []string{"2026-11-27T02:00:00+01:00 ", "2026-11-30T02:00:00+01:00 "}},
		"the bus's own zone":            {"0 0 2 * * ?", "", "2026-11-27T00:00:00Z", []string{"2026-11-27T02:00:00+09:00 ", "2026-11-28T02:00:00+09:00 "}[1:]},
		"a time in a gap":               {"0 30 2 * * ?", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:00:00+02:00 " + forward, "2026-03-30T02:30:00+02:00 "}},
		"a fixed time that comes twice": {"0 30 2 * * ?", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T02:30:00+02:00 " + first, "2026-10-26T02:30:00+01:00 "}},
		"each hour, through the one that comes twice": {"0 30 * * * ?", "Europe/Berlin", "2026-10-24T23:45:00Z", []string{
			"2026-10-25T02:30:00+02:00 " + first, "2026-10-25T02:30:00+01:00 " + second, "2026-10-25T03:30:00+01:00 "}},
		"the last fire": {"0 0 0 1 1 ? 2027", "UTC", "2026-11-27T00:00:00Z", []string{"2027-01-01T00:00:00Z "}},
	} {
		t.Run(name, func(t *testing.T) {
			tokyo, _ := time.LoadLocation("Asia/Tokyo")
			s := &Scheduler{plans: newPlans(tokyo, nil)}
			from, _ := time.Parse(time.RFC3339, tc.from)
			v, err := s.Preview(t.Context(), bus.Schedule{Cron: tc.cron, TimeZone: tc.zone}, from, max(len(tc.want), 1))
			var got []string
			for _, f := range v.Fires {
				got = append(got, f.Time.Format(time.RFC3339)+" "+f.Note)
			}
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("Preview(%q) = %q, %v, want %q", tc.cron, got, err, tc.want)
			}
		})
	}
	t.Run("a broken schedule is refused", func(t *testing.T) {
		var field *bus.FieldError
		if _, err := (&Scheduler{plans: newPlans(time.UTC, nil)}).Preview(t.Context(), bus.Schedule{Cron: "99 0 0 * * ?"}, time.Now(), 1); !errors.As(err, &field) || field.Path != "/cron_notation" {
			t.Errorf("Preview: %v, want a fault of /cron_notation", err)
		}
	})
}
