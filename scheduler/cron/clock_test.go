package cron

import (
	"slices"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// zones have clocks that change in every way known since 1970: by half an hour,
// two hours or a day, at midnight, before midnight, by seconds, and with
// seasons that overlap Ramadan.
var zones = []string{
	"Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia", "America/Asuncion", "America/Caracas", "America/Havana",
	"America/New_York", "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Antarctica/Casey",
	"Antarctica/Troll", "Asia/Beirut", "Asia/Dhaka", "Asia/Gaza", "Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran",
	"Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Chatham",
	"Pacific/Kwajalein", "UTC",
}

// clockCases pair an expression with a function that says whether it matches a
// second of the clock. The tests call that function for every second.
var clockCases = []struct {
	expr    string
	fixed   bool
	matches func(c time.Time) bool
}{
	{"0 0/7 * * * ?", false, func(c time.Time) bool { return c.Second() == 0 && c.Minute()%7 == 0 }},
	{"*/20 30 22-2 * * ?", false, func(c time.Time) bool {
		return c.Second()%20 == 0 && c.Minute() == 30 && (c.Hour() >= 22 || c.Hour() <= 2)
	}},
	{"5 15,45 0/2 ? * SUN", false, func(c time.Time) bool {
		return c.Second() == 5 && c.Minute()%30 == 15 && c.Hour()%2 == 0 && c.Weekday() == 0
	}},
	{"0 10 0,2-3 * * ?", false, func(c time.Time) bool {
		return c.Second() == 0 && c.Minute() == 10 && (c.Hour() == 0 || c.Hour() == 2 || c.Hour() == 3)
	}},
	{"0 0 0 * * ?", true, func(c time.Time) bool { return c.Second() == 0 && c.Minute() == 0 && c.Hour() == 0 }},
	{"1 30 1 * * ?", true, func(c time.Time) bool { return c.Second() == 1 && c.Minute() == 30 && c.Hour() == 1 }},
	{"0 30 2 * * ?", true, func(c time.Time) bool { return c.Second() == 0 && c.Minute() == 30 && c.Hour() == 2 }},
	{"0 0 2,3 * * ?", true, func(c time.Time) bool {
		return c.Second() == 0 && c.Minute() == 0 && (c.Hour() == 2 || c.Hour() == 3)
	}},
	{"15/20 0/20 0,1,2,3,23 * * ?", true, func(c time.Time) bool {
		return c.Second()%20 == 15 && c.Minute()%20 == 0 && (c.Hour() <= 3 || c.Hour() == 23)
	}},
	{"* 59 0,1,2,23 ? * SUN,SAT", true, func(c time.Time) bool {
		return c.Minute() == 59 && (c.Hour() <= 2 || c.Hour() == 23) && (c.Weekday() == 0 || c.Weekday() == 6)
	}},
	{"0 0 0,12 1,30,31 * ?", true, func(c time.Time) bool {
		return c.Second() == 0 && c.Minute() == 0 && c.Hour()%12 == 0 && (c.Day() == 1 || c.Day() >= 30)
	}},
}

// The test walks through a change of the clocks of every kind, second by
// second. Package time says what the clocks show, and the two rules of the
// package comment say what fires.
func TestChangesOfClocks(t *testing.T) {
	changes := 0
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			loc := mustZone(t, name)
			for _, at := range changesOf(loc) {
				changes++
				w := walkChange(loc, at)
				for _, tt := range clockCases {
					want := w.expectedFires(tt.fixed, tt.matches)
					checkWindow(t, mustParse(t, tt.expr), loc, w, want)
				}
			}
		})
	}
	t.Logf("%d changes of clocks in %d zones", changes, len(zones))
	if changes < 200 {
		t.Errorf("%d changes of clocks were tested, want 200 or more", changes)
	}
}

// checkWindow compares all fires of the schedule in a window with want. It also
// calls Next for many instants of the window.
func checkWindow(t *testing.T, s *Schedule, loc *time.Location, w window, want []int64) {
	t.Helper()
	var got []int64
	for at := range s.Between(time.Unix(w.start, 0).In(loc), time.Unix(w.lastSecond(), 0)) {
		got = append(got, at.Unix())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v around %v: fires %v, want %v", s, time.Unix(w.start, 0).In(loc), clockTexts(loc, got), clockTexts(loc, want))
		return
	}
	for u := w.start; len(want) > 0; u += 331 {
		for len(want) > 0 && want[0] <= u {
			want = want[1:]
		}
		if len(want) == 0 {
			return
		}
		if next := s.Next(time.Unix(u, 0).In(loc)); next.Unix() != want[0] {
			t.Errorf("%v: Next(%v) = %v, want %v", s, time.Unix(u, 0).In(loc), next, clockTexts(loc, want[:1]))
			return
		}
	}
}

func clockTexts(loc *time.Location, at []int64) (s []string) {
	for _, u := range at {
		s = append(s, time.Unix(u, 0).In(loc).Format(time.RFC3339))
	}
	return s
}

// changesOf returns one change of the clocks of each kind in each decade. A
// kind is given by the offsets before and after, and by the time of the day.
func changesOf(loc *time.Location) []int64 {
	type kind struct{ before, after, clock, decade int }
	offset := func(u int64) int {
		_, offset := time.Unix(u, 0).In(loc).Zone()
		return offset
	}
	seen := map[kind]bool{}
	var all []int64
	const step = 12 * 60 * 60
	for u := int64(step); u < 2_300_000_000; u += step { // to 2042
		if offset(u) == offset(u-step) {
			continue
		}
		low, high := u-step, u
		for high-low > 1 {
			if mid := (low + high) / 2; offset(mid) == offset(low) {
				low = mid
			} else {
				high = mid
			}
		}
		k := kind{offset(low), offset(high), (int(high) + offset(low)) % clock.SecondsPerDay, time.Unix(u, 0).Year() / 10}
		if !seen[k] {
			seen[k] = true
			all = append(all, high)
		}
	}
	return all
}

// window holds what the clocks of a location show in each second, as Unix
// seconds of a clock without a zone.
type window struct {
	start int64
	shows []int64
	days  map[int64]bool // days that the location has, at least in part
}

func (w window) lastSecond() int64 { return w.start + int64(len(w.shows)) - 1 }

// walkChange returns the window from three hours before a change to three hours
// after the change and its overlap.
func walkChange(loc *time.Location, change int64) window {
	show := func(u int64) int64 {
		t := time.Unix(u, 0).In(loc)
		y, m, d := t.Date()
		h, mi, s := t.Clock()
		return time.Date(y, m, d, h, mi, s, 0, time.UTC).Unix()
	}
	const before = 3 * 60 * 60
	overlap := max(0, show(change-1)-show(change))
	w := window{start: change - before, days: map[int64]bool{}}
	for u := w.start; u < change+before+overlap; u++ {
		c := show(u)
		w.shows = append(w.shows, c)
		w.days[c/clock.SecondsPerDay] = true
	}
	return w
}

// expectedFires returns the seconds after the first at which an expression
// fires.
func (w window) expectedFires(fixed bool, matches func(time.Time) bool) (at []int64) {
	reached := w.shows[0]
	for i, c := range w.shows[1:] {
		from := c
		if fixed {
			from = reached + 1
		}
		reached = max(reached, c)
		for ; from <= c; from++ {
			if w.days[from/clock.SecondsPerDay] && matches(time.Unix(from, 0).UTC()) {
				at = append(at, w.start+int64(i)+1)
				break
			}
		}
	}
	return at
}
