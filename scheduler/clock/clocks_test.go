package clock_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// The test reads the clocks minute by minute around each change, and compares
// Clocks with what it read. The zones have gaps and overlaps of half an hour,
// an hour, two hours and a day, some of them across midnight.
func TestClocks(t *testing.T) {
	for _, name := range []string{
		"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll", "Pacific/Apia", "America/St_Johns", "UTC",
	} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, year := range []int{2005, 2011, 2026, 2096} {
				checkYear(t, loc, year)
			}
		})
	}
}

// checkYear checks the days around each change of the clocks in a year.
func checkYear(t *testing.T, loc *time.Location, year int) {
	t.Helper()
	last := time.Date(year, 1, 1, 12, 0, 0, 0, time.UTC)
	changes := []time.Time{last}
	for at := last; at.Year() <= year; at = at.AddDate(0, 0, 1) {
		_, before := last.In(loc).Zone()
		_, now := at.In(loc).Zone()
		if before != now {
			changes = append(changes, at)
		}
		last = at
	}
	latest, first := clock.ClocksOf(loc), clock.ClocksOf(loc)
	for _, at := range changes {
		checkMinutes(t, &latest, &first, loc, at.Unix()-3*clock.SecondsPerDay)
	}
}

// checkMinutes checks five days from start in a random order.
func checkMinutes(t *testing.T, forLatest, forFirst *clock.Clocks, loc *time.Location, start int64) {
	t.Helper()
	const minutes = 5 * 24 * 60
	var latest [minutes]clock.Civil
	for i := range latest {
		at := time.Unix(start+int64(i)*60, 0).In(loc)
		y, m, d := at.Date()
		shown := clock.Civil(time.Date(y, m, d, at.Hour(), at.Minute(), 0, 0, time.UTC).Unix())
		latest[i] = max(shown, latest[max(i, 1)-1])
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(minutes) {
		if i == 0 {
			continue
		}
		u := start + int64(i)*60
		if got := forLatest.LatestShown(u); i > 2*24*60 && got/60 != latest[i]/60 {
			t.Fatalf("LatestShown(%v) = %v, want %v", time.Unix(u, 0).In(loc), got, latest[i])
		}
		if latest[i] == latest[i-1] {
			continue
		}
		// All times after the latest one before are shown first, or are in a
		// gap that ends, at u.
		for _, c := range []clock.Civil{latest[i], latest[i-1] + 60} {
			if got, z := forFirst.FirstShown(c); got != u || z.ClockAt(u) != latest[i] {
				t.Fatalf("FirstShown(%d) = %v, want %v", c, time.Unix(got, 0).In(loc), time.Unix(u, 0).In(loc))
			}
		}
	}
}
