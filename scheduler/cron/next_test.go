package cron

import (
	"math"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // for machines without time zone files
)

func mustParse(t testing.TB, expr string) *Schedule {
	t.Helper()
	s, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name, expr, zone, from string
		want                   []string
	}{
		{"a fire is strictly after", "0 0 12 * * ?", "UTC", "2026-01-01T12:00:00Z",
			[]string{"2026-01-02T12:00:00Z"}},
		{"a fraction of a second counts", "* * * * * ?", "UTC", "2026-01-01T12:00:00.999999999Z",
			[]string{"2026-01-01T12:00:01Z"}},
		{"the third Friday", "0 15 10 ? * 6#3", "UTC", "2026-01-01T00:00:00Z",
			[]string{"2026-01-16T10:15:00Z", "2026-02-20T10:15:00Z"}},
		{"a range that wraps", "0 0 22-2/2 ? * SAT-SUN", "UTC", "2026-11-28T00:30:00Z",
			[]string{"2026-11-28T02:00:00Z", "2026-11-28T22:00:00Z", "2026-11-29T00:00:00Z"}},
		{"a leap day waits past 2100", "0 0 0 29 2 ?", "UTC", "2096-03-01T00:00:00Z",
			[]string{"2104-02-29T00:00:00Z"}},
		{"years end", "0 0 0 1 1 ? 2027,2299", "UTC", "2026-03-01T00:00:00Z",
			[]string{"2027-01-01T00:00:00Z", "2299-01-01T00:00:00Z", ""}},
		{"the last second of all", "59 59 23 31 12 ? 2299", "Asia/Tokyo", "2026-01-01T00:00:00Z",
			[]string{"2299-12-31T23:59:59+09:00", ""}},
		{"nothing fires before 1970", "0 0 0 1 1 ?", "Asia/Tokyo", "1900-01-01T00:00:00Z",
			[]string{"1970-01-01T00:00:00+09:00"}},
		{"nothing repeats before 1970", "0 0 * 1 1 ?", "America/New_York", "1900-01-01T00:00:00Z",
			[]string{"1970-01-01T00:00:00-05:00", "1970-01-01T01:00:00-05:00"}},

		{"the first second of all", "* * * * * ?", "UTC", "1969-12-31T23:58:20Z",
			[]string{"1970-01-01T00:00:00Z"}},

		// On the last day of a leap year, package time returns a span that has
		// already ended.
		{"the end of a leap year by real time", "0 0 * * * ?", "Europe/Berlin", "2064-12-31T12:10:00Z",
			[]string{"2064-12-31T14:00:00+01:00"}},
		{"the end of a leap year with a fixed hour", "0 0 12 1 6 ?", "Europe/Berlin", "2064-12-31T12:10:00Z",
			[]string{"2065-06-01T12:00:00+02:00"}},
		{"half an hour before a change after other changes", "0 30 1 ? 3 1L", "Europe/Berlin", "2025-06-01T00:00:00Z",
			[]string{"2026-03-29T01:30:00+01:00"}},

		{"a gap moves a fixed hour to its end", "0 30 2 * * ?", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"fires moved by a gap collapse", "0/10 0/5 2 * * ?", "America/New_York", "2026-03-08T06:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
		{"a fire moved onto another fires once", "0 0 2,3 * * ?", "America/New_York", "2026-03-08T06:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
		{"a midnight that does not exist", "0 0 0 * * ?", "America/Havana", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00"}},
		{"a gap of half an hour", "0 15 2 * * ?", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"a monthly fire in a gap does not wait a month", "0 30 2 ? * 1#2", "America/New_York", "2026-03-01T12:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-04-12T02:30:00-04:00"}},
		{"a gap of a day has no fire", "0 0 12 * * ?", "Pacific/Apia", "2011-12-29T00:00:00-10:00",
			[]string{"2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"}},
		{"a day that never was", "0 0 12 30 12 ? 2011-2012", "Pacific/Apia", "2011-12-01T00:00:00-10:00",
			[]string{"2012-12-30T12:00:00+14:00"}},
		{"a gap over midnight belongs to the day before", "0 45 23 19 6 ?", "Asia/Dhaka", "2009-06-19T00:00:00Z",
			[]string{"2009-06-20T00:00:00+07:00", "2010-06-19T23:45:00+06:00"}},
		{"an hour by steps skips a gap", "0 0/30 * * * ?", "America/New_York", "2026-03-08T06:10:00Z",
			[]string{"2026-03-08T01:30:00-05:00", "2026-03-08T03:00:00-04:00"}},
		{"an hour by range skips a gap", "0 30 2-2 * * ?", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-09T02:30:00-04:00"}},

		{"an overlap fires a fixed hour in the first pass", "0 30 1 * * ?", "America/New_York", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"the second pass is over for a fixed hour", "0 30 1 * * ?", "America/New_York", "2026-11-01T01:10:00-05:00",
			[]string{"2026-11-02T01:30:00-05:00"}},
		{"a fixed hour at the end of an overlap", "0 0 1,2 * * ?", "America/New_York", "2026-11-01T01:10:00-05:00",
			[]string{"2026-11-01T02:00:00-05:00"}},
		{"an overlap before midnight", "0 30 23 * * ?", "America/Sao_Paulo", "2018-02-17T12:00:00Z",
			[]string{"2018-02-17T23:30:00-02:00", "2018-02-18T23:30:00-03:00"}},
		{"an hour by steps fires in both passes", "0 0/30 * * * ?", "America/New_York", "2026-11-01T00:40:00-04:00",
			[]string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00", "2026-11-01T02:00:00-05:00"}},
		{"a last hour of the year that comes twice", "0 30 23-23 31 10 ? 1982", "America/New_York", "1982-10-31T00:00:00Z",
			[]string{"1982-10-31T23:30:00-05:00", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, at := mustParse(t, tt.expr), mustTime(t, tt.from).In(mustZone(t, tt.zone))
			for _, want := range tt.want {
				from := at
				at = s.Next(at)
				got := ""
				if !at.IsZero() {
					got = at.Format(time.RFC3339Nano)
				}
				if got != want {
					t.Fatalf("Next(%v) = %v, want %v", from, got, want)
				}
			}
		})
	}
}

func mustTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNextFromFarAway(t *testing.T) {
	for _, expr := range []string{"0 0 0 1 1 ?", "0 0 * 1 1 ?"} {
		for _, name := range []string{"UTC", "America/New_York", "Asia/Tokyo"} {
			for _, u := range []int64{math.MinInt64, math.MinInt64 / 4, -1 << 50, 1 << 40, math.MaxInt64 / 4, math.MaxInt64} {
				next := mustParse(t, expr).Next(time.Unix(u, 0).In(mustZone(t, name)))
				if u < 0 && next.Year() != 1970 || u > 0 && !next.IsZero() {
					t.Errorf("%s in %s: Next(second %d) = %v, want 1970 or none", expr, name, u, next)
				}
			}
		}
	}
}

func TestBetween(t *testing.T) {
	s := mustParse(t, "0 0 * * * ?")
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t.Run("the start is out and the end is in", func(t *testing.T) {
		got := slices.Collect(s.Between(from, from.Add(2*time.Hour)))
		want := []time.Time{from.Add(time.Hour), from.Add(2 * time.Hour)}
		if !slices.Equal(got, want) {
			t.Errorf("Between = %v, want %v", got, want)
		}
	})
	t.Run("a loop may stop early", func(t *testing.T) {
		for at := range s.Between(from, from.AddDate(100, 0, 0)) {
			if at.Hour() == 2 {
				return
			}
		}
	})
	t.Run("a window that is empty has no fires", func(t *testing.T) {
		if got := slices.Collect(s.Between(from, from)); got != nil {
			t.Errorf("Between = %v, want none", got)
		}
	})
	t.Run("a schedule that ends ends", func(t *testing.T) {
		s := mustParse(t, "0 0 0 1 1 ? 2027")
		if got := slices.Collect(s.Between(from, from.AddDate(200, 0, 0))); len(got) != 1 {
			t.Errorf("Between = %v, want one fire", got)
		}
	})
}

// A search must end for every expression. Many of these never fire.
func TestNextIsBounded(t *testing.T) {
	from := time.Date(1970, 1, 1, 0, 0, 0, 0, mustZone(t, "Europe/Berlin"))
	for expr, want := range map[string]time.Time{
		"0 0 0 31 4 ?": {}, "0 0 * 31 4 ?": {}, "0 0 0 29 2 ? 2025-2027": {}, "* * * 30 2 ?": {}, "0 0 0 ? 2 6#5 2299": {},
		"0 0 * 1 1 ? 2299": time.Date(2299, 1, 1, 0, 0, 0, 0, from.Location()),
	} {
		if got := mustParse(t, expr).Next(from); !got.Equal(want) {
			t.Errorf("%q: Next(%v) = %v, want %v", expr, from, got, want)
		}
	}
}
