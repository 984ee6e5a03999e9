package clock_test

import (
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

func TestChangeAt(t *testing.T) {
	for _, tt := range []struct {
		zone, at string
		want     clock.Change
	}{
		{"UTC", "2026-03-29T01:00:00Z", clock.NoChange},
		{"Europe/Berlin", "2026-03-29T01:59:59+01:00", clock.NoChange},
		{"Europe/Berlin", "2026-03-29T03:00:00+02:00", clock.GapEnd},
		{"Europe/Berlin", "2026-03-29T03:00:01+02:00", clock.NoChange},
		{"Europe/Berlin", "2026-10-25T01:59:59+02:00", clock.NoChange},
		{"Europe/Berlin", "2026-10-25T02:00:00+02:00", clock.FirstPass},
		{"Europe/Berlin", "2026-10-25T02:59:59+02:00", clock.FirstPass},
		{"Europe/Berlin", "2026-10-25T02:00:00+01:00", clock.SecondPass},
		{"Europe/Berlin", "2026-10-25T02:59:59+01:00", clock.SecondPass},
		{"Europe/Berlin", "2026-10-25T03:00:00+01:00", clock.NoChange},
		{"Australia/Lord_Howe", "2026-04-05T01:29:59+11:00", clock.NoChange},
		{"Australia/Lord_Howe", "2026-04-05T01:30:00+11:00", clock.FirstPass},
		{"Australia/Lord_Howe", "2026-04-05T01:59:59+10:30", clock.SecondPass},
		{"Australia/Lord_Howe", "2026-04-05T02:00:00+10:30", clock.NoChange},
		{"Pacific/Apia", "2011-12-31T00:00:00+14:00", clock.GapEnd},
	} {
		loc, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		clocks := clock.ClocksOf(loc)
		if got := clocks.ChangeAt(at.Unix()); got != tt.want {
			t.Errorf("ChangeAt(%s) in %s = %q, want %q", tt.at, tt.zone, got, tt.want)
		}
	}
}
