package calendar_test

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// The oracle computes with package time and goes through all days one by one.
// It shares no code with the package. Its days are numbers since 1970-01-01.
const (
	day        = 24 * 60 * 60
	oracleFrom = 20089 // 2025-01-01
	oracleTo   = 24837 // 2038-01-01
)

// easterSundays are those of the years 2024 to 2040.
var easterSundays = []string{
	"2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2031-04-13", "2032-03-28",
	"2033-04-17", "2034-04-09", "2035-03-25", "2036-04-13", "2037-04-05", "2038-04-25", "2039-04-10", "2040-04-01",
}

var orthodoxEasterSundays = []string{
	"2024-05-05", "2025-04-20", "2026-04-12", "2027-05-02", "2028-04-16", "2029-04-08", "2030-04-28", "2031-04-13", "2032-05-02",
	"2033-04-24", "2034-04-09", "2035-04-29", "2036-04-20", "2037-04-05", "2038-04-25", "2039-04-17", "2040-05-06",
}

func midnight(n int) time.Time { return time.Unix(int64(n)*day, 0).UTC() }

func dayNumber(date string) int {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	return int(t.Unix() / day)
}

// oracleCalendars knows which days are holidays, by the definitions.
type oracleCalendars struct {
	all  []calendar.Calendar
	days map[string][]bool // holidays from oracleFrom on
}

func (o *oracleCalendars) named(name string) *calendar.Calendar {
	for i := range o.all {
		if o.all[i].Name == name {
			return &o.all[i]
		}
	}
	return nil
}

// holidays returns for each day whether it is a holiday.
func (o *oracleCalendars) holidays(name string) []bool {
	if done, ok := o.days[name]; ok {
		return done
	}
	c := o.named(name)
	all := make([]bool, oracleTo-oracleFrom)
	for i := range all {
		n := i + oracleFrom
		is := c.WeeklyHoliday[midnight(n).Weekday()]
		for _, h := range c.Holidays {
			is = is || dayNumber(h.Date.String()) == n
		}
		for _, r := range c.Rules {
			is = is || ruleCovers(r, n)
		}
		for _, other := range c.Include {
			is = is || o.holidays(other)[i]
		}
		for _, other := range c.Intersect {
			is = is && o.holidays(other)[i]
		}
		for _, other := range c.Exclude {
			is = is && !o.holidays(other)[i]
		}
		all[i] = is
	}
	o.days[name] = all
	return all
}

// ruleCovers reports whether a holiday of the rule begins on day n or on one of
// the days before that it lasts.
func ruleCovers(r calendar.Rule, n int) bool {
	for back := range max(r.Length, 1) {
		if ruleBegins(r, n-back) {
			return true
		}
	}
	return false
}

func ruleBegins(r calendar.Rule, n int) bool {
	text := midnight(n).Format(time.DateOnly)
	if !r.Start.IsZero() && text < r.Start.String() || !r.End.IsZero() && text > r.End.String() {
		return false
	}
	for _, d := range r.Except {
		if d.String() == text {
			return false
		}
	}
	switch {
	case r.Yearly != "":
		return text[5:] == r.Yearly
	case r.Easter != nil:
		return slices.Contains(easterSundays, midnight(n-*r.Easter).Format(time.DateOnly))
	case r.OrthodoxEaster != nil:
		return slices.Contains(orthodoxEasterSundays, midnight(n-*r.OrthodoxEaster).Format(time.DateOnly))
	}
	var every int
	if _, err := fmt.Sscanf(r.RRule, "EVERY=%d", &every); err != nil {
		panic(err)
	}
	return (n-dayNumber(r.Start.String()))%every == 0
}

// everyNth is a Recurrence for rules such as EVERY=14, so many days from one
// date to the next.
func everyNth(rule string, start, last calendar.Date, limit int) (all []calendar.Date, err error) {
	var n int
	if _, err := fmt.Sscanf(rule, "EVERY=%d", &n); err != nil || n < 1 {
		return nil, fmt.Errorf("want EVERY=14, got %q", rule)
	}
	for d := start; d <= last; d += calendar.Date(n) {
		if all = append(all, d); len(all) > limit {
			return nil, fmt.Errorf("more than %d dates", limit)
		}
	}
	return all, nil
}

// oracleZone is a table of the periods in which the clocks run evenly.
type oracleZone struct {
	loc    *time.Location
	ends   []int64
	offset []int64
}

func newOracleZone(loc *time.Location) *oracleZone {
	z := &oracleZone{loc: loc}
	for u, last := int64(oracleFrom-3)*day, int64(oracleTo+3)*day; u <= last; u += 600 {
		_, o := time.Unix(u, 0).In(loc).Zone()
		if n := len(z.offset); n == 0 || z.offset[n-1] != int64(o) {
			if n > 0 {
				before := u - 600
				z.ends = append(z.ends, before+int64(sort.Search(600, func(i int) bool {
					_, then := time.Unix(before+int64(i), 0).In(loc).Zone()
					return then == o
				})))
			}
			z.offset = append(z.offset, int64(o))
		}
	}
	z.ends = append(z.ends, 1<<62)
	return z
}

// reach returns the first instant at which the clocks show c or more.
func (z *oracleZone) reach(c int64) int64 {
	start := int64(-1 << 62)
	for i, o := range z.offset {
		if c-o < z.ends[i] {
			return max(c-o, start)
		}
		start = z.ends[i]
	}
	panic("unreachable")
}

// shown returns the instants at which the clocks show c: none, one or two.
func (z *oracleZone) shown(c int64) (all []int64) {
	start := int64(-1 << 62)
	for i, o := range z.offset {
		if u := c - o; start <= u && u < z.ends[i] {
			all = append(all, u)
		}
		start = z.ends[i]
	}
	return all
}

func (z *oracleZone) clock(u int64) int64 {
	i := sort.Search(len(z.ends), func(i int) bool { return u < z.ends[i] })
	return u + z.offset[i]
}
