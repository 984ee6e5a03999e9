package cron

import (
	"errors"
	"testing"
	"time"
)

func FuzzNext(f *testing.F) {
	for i, expr := range []string{
		"0 15 10 ? * 6#3", "*/7 50-10/3 22-2 L-3W FEB,JUL-SEP ?", "0 30 2 * * ? 2026/4", "0 0 0 29 2 ?", "0 0 * LW * ?",
		"0 0 0 ? * FRI-MON", "5 4 3 31 4 ?", "0 0/30 1,2 ? * 1L 2299", "99 0 0 * * ?", "0 0 0 15w nov-feb ?", "? ? ? ? ? ?",
	} {
		f.Add(expr, int64(1_772_000_000)+int64(i)*86_399, uint8(i))
	}
	f.Fuzz(func(t *testing.T, expr string, u int64, where uint8) {
		s, err := Parse(expr)
		if err != nil {
			checkError(t, expr, err)
			return
		}
		again, err := Parse(s.String())
		if err != nil || *again != *s {
			t.Fatalf("Parse(%q) = %v, %v, want the schedule of %q", s, again, err, expr)
		}
		loc := mustZone(t, zones[int(where)%len(zones)])
		from := u % (12_000_000_000) // 1590 to 2350
		for range 5 {
			next := s.Next(time.Unix(from, 0).In(loc))
			checkNext(t, s, loc, from, next)
			if next.IsZero() {
				break
			}
			from = next.Unix()
		}
	})
}

func checkError(t *testing.T, expr string, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Column < 1 || e.Column > len(expr)+1 || e.Problem == "" || e.Want == "" {
		t.Fatalf("Parse(%q): %#v, want an *Error with column, problem and want", expr, err)
	}
}

// checkNext checks that every instant between from and next has the same next
// fire. It samples some of these instants.
func checkNext(t *testing.T, s *Schedule, loc *time.Location, from int64, next time.Time) {
	end := next.Unix()
	if next.IsZero() {
		end = max(from, 0) + 11_000_000_000
	} else {
		checkFire(t, s, next)
	}
	if end <= from {
		t.Fatalf("%v: Next(second %d) = %v, want a later one", s, from, next)
	}
	for _, u := range []int64{from + 1, from + 7199, from + 86_400, from + (end-from)/3, from + (end-from)/2, end - 86_400, end - 3600, end - 1} {
		if u <= from || u >= end {
			continue
		}
		if other := s.Next(time.Unix(u, 999_999_999).In(loc)); !other.Equal(next) {
			t.Fatalf("%v: Next(second %d) = %v, but Next(second %d) = %v", s, from, next, u, other)
		}
	}
}

// checkFire checks that a fire matches the fields, by the calendar of package
// time. Only a fixed hour may fire at a time that does not match: at the end of
// a gap.
func checkFire(t *testing.T, s *Schedule, at time.Time) {
	y, m, d := at.Date()
	first := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	ok := at.Nanosecond() == 0 && s.years.has(y) && s.months.has(int(m)) &&
		s.days.daysOf(int(first.Weekday()), first.AddDate(0, 1, -1).Day())>>d&1 == 1 &&
		s.hours.has(at.Hour()) && s.minutes.has(at.Minute()) && s.seconds.has(at.Second())
	_, before := at.Add(-time.Second).Zone()
	_, after := at.Zone()
	if !ok && !(s.fixed && after > before) {
		t.Fatalf("%v fires at %v, which does not match", s, at)
	}
}
