package scheduler

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// This file computes the nominal times of schedules by going through all days
// one by one. It shares no code with what the scheduler does: it knows nothing
// of the packages cron and clock, and of package calendar only the types of
// definitions. Its days are numbers since 1970, and its clock times are the
// seconds that a wall clock has counted since 1970.

const daySeconds = 24 * 60 * 60

// simZone is a table of the periods in which the clocks of a time zone run
// evenly.
type simZone struct {
	name   string
	loc    *time.Location
	ends   []int64
	offset []int64
	first  int64 // days
	last   int64
}

func newSimZone(name string, from, to int64) *simZone {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	z := &simZone{name: name, loc: loc, first: from / daySeconds, last: to / daySeconds}
	offsetAt := func(u int64) int64 { _, o := time.Unix(u, 0).In(loc).Zone(); return int64(o) }
	for u := from - 5*daySeconds; u <= to+5*daySeconds; u += 600 {
		o := offsetAt(u)
		if n := len(z.offset); n == 0 || z.offset[n-1] != o {
			if n > 0 {
				z.ends = append(z.ends, u-600+int64(sort.Search(600, func(i int) bool { return offsetAt(u-600+int64(i)) == o })))
			}
			z.offset = append(z.offset, o)
		}
	}
	z.ends = append(z.ends, math.MaxInt64)
	return z
}

// reach returns the first second at which the clocks show c or a later time.
func (z *simZone) reach(c int64) int64 {
	start := int64(math.MinInt64)
	for i, o := range z.offset {
		if c-o < z.ends[i] {
			return max(c-o, start)
		}
		start = z.ends[i]
	}
	panic("unreachable")
}

// shown returns the seconds at which the clocks show c: none, one or two.
func (z *simZone) shown(c int64) (all []int64) {
	start := int64(math.MinInt64)
	for i, o := range z.offset {
		if u := c - o; start <= u && u < z.ends[i] {
			all = append(all, u)
		}
		start = z.ends[i]
	}
	return all
}

// clock returns what the clocks show.
func (z *simZone) clock(u int64) int64 {
	return u + z.offset[sort.Search(len(z.ends), func(i int) bool { return u < z.ends[i] })]
}

// simCalendars are the days of calendars, by their definitions.
type simCalendars struct {
	all   map[string]*calendar.Calendar
	since map[string]simMillis

	mu     sync.Mutex
	closed map[string][]bool
}

func (c *simCalendars) with(key string, v *calendar.Calendar, since simMillis) *simCalendars {
	n := &simCalendars{all: map[string]*calendar.Calendar{}, since: map[string]simMillis{}}
	maps.Copy(n.all, c.all)
	maps.Copy(n.since, c.since)
	n.all[key], n.since[key] = v, since
	return n
}

// isHoliday reports whether a day is a holiday in a calendar.
func (c *simCalendars) isHoliday(key string, n int64) bool {
	def := c.all[key]
	day := time.Unix(n*daySeconds, 0).UTC()
	is := def.WeeklyHoliday[day.Weekday()]
	for _, h := range def.Holidays {
		is = is || h.Date.String() == day.Format(time.DateOnly)
	}
	for _, r := range def.Rules {
		is = is || r.Yearly == day.Format("01-02")
	}
	for _, other := range def.Include {
		is = is || c.isHoliday(other, n)
	}
	for _, other := range def.Exclude {
		is = is && !c.isHoliday(other, n)
	}
	return is
}

// closedDays returns whether each day of a range is a holiday. The range is the
// same at each call.
func (c *simCalendars) closedDays(key string, first, last int64) []bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed[key] == nil {
		closed := make([]bool, last-first+1)
		for i := range closed {
			closed[i] = c.isHoliday(key, first+int64(i))
		}
		if c.closed == nil {
			c.closed = map[string][]bool{}
		}
		c.closed[key] = closed
	}
	return c.closed[key]
}

// parts returns the calendar and those that it is made of.
func (c *simCalendars) parts(key string) []string {
	all := []string{key}
	for _, other := range slices.Concat(c.all[key].Include, c.all[key].Exclude) {
		all = append(all, c.parts(other)...)
	}
	return all
}

// lastChange returns when the calendar or one of its parts last changed.
func (c *simCalendars) lastChange(key string) (since simMillis) {
	for _, part := range c.parts(key) {
		since = max(since, c.since[part])
	}
	return since
}

// simDefinition is a schedule with a description of its times that needs no
// parser.
type simDefinition struct {
	bus.Schedule
	zone   *simZone
	clocks []int64 // seconds of the day
	fixed  bool    // the clocks are times of the day, not a repetition in real time
	both   bool    // the times of fixed clocks fire in both passes
	days   func(t time.Time) bool
	every  int64 // seconds from anchor
	anchor int64
	once   int64     // the only time, if it has an offset
	counts []int     // business days of each month, or from the day of the month of
	of     int       // 0: none; 31: the last day
	bounds [2]*int64 // the first and the last second

	misfireAfter, window simMillis // window 0: none
	limit                int
}

// simTime is a time of a schedule: the second, and the clock time that the
// schedule names.
type simTime struct{ at, named int64 }

// rawTimes returns all times of the schedule, whatever its calendar is.
func (d *simDefinition) rawTimes() (all []simTime) {
	switch {
	case d.once != 0:
		all = []simTime{{d.once, d.zone.clock(d.once)}}
	case d.every != 0:
		from, to := d.zone.first*daySeconds, d.zone.last*daySeconds
		if d.bounds[0] != nil {
			from = max(from, *d.bounds[0])
		}
		if d.bounds[1] != nil {
			to = min(to, *d.bounds[1])
		}
		for u := d.anchor + max(0, (from-d.anchor)/d.every)*d.every; u <= to; u += d.every {
			all = append(all, simTime{u, d.zone.clock(u)})
		}
	default:
		for n := d.zone.first; n <= d.zone.last; n++ {
			if d.isOutside(n) || !d.days(time.Unix(n*daySeconds, 0).UTC()) {
				continue
			}
			for _, sec := range d.clocks {
				c := n*daySeconds + sec
				for _, at := range d.secondsOf(c) {
					all = append(all, simTime{at, c})
				}
			}
		}
	}
	return d.mergeTimes(slices.DeleteFunc(all, func(t simTime) bool {
		return d.bounds[0] != nil && t.at < *d.bounds[0] || d.bounds[1] != nil && t.at > *d.bounds[1]
	}))
}

// isOutside reports whether a day is far from the bounds.
func (d *simDefinition) isOutside(n int64) bool {
	return d.bounds[0] != nil && n < *d.bounds[0]/daySeconds-2 || d.bounds[1] != nil && n > *d.bounds[1]/daySeconds+2
}

// secondsOf returns the seconds at which the schedule fires for a clock time.
func (d *simDefinition) secondsOf(c int64) []int64 {
	switch shown := d.zone.shown(c); {
	case !d.fixed:
		return shown
	case d.both && len(shown) > 0:
		return shown
	}
	return []int64{d.zone.reach(c)}
}

// mergeTimes sorts times, and joins those of one second. They name what the
// clocks show, if one of them does, or else the first.
func (d *simDefinition) mergeTimes(all []simTime) (merged []simTime) {
	slices.SortStableFunc(all, func(a, b simTime) int { return cmp.Compare(a.at, b.at) })
	for _, t := range all {
		n := len(merged)
		switch {
		case n == 0 || merged[n-1].at != t.at:
			merged = append(merged, t)
		case t.named == d.zone.clock(t.at):
			merged[n-1] = t
		}
	}
	return merged
}

// simNominal is a nominal time: when, from which times it was moved if it is not
// a time of the schedule itself, and its business date.
type simNominal struct {
	at   int64
	from []int64
	date int64
}

// nominalTimes returns the nominal times of the schedule.
func (d *simDefinition) nominalTimes(calendars *simCalendars) []simNominal {
	if len(d.counts) > 0 {
		return d.countedTimes(calendars)
	}
	raw := d.rawTimes()
	if d.Calendar == "" {
		all := make([]simNominal, len(raw))
		for i, t := range raw {
			all[i] = simNominal{at: t.at, date: floorDay(d.zone.clock(t.at))}
		}
		return all
	}
	return d.movedTimes(raw, calendars)
}

func floorDay(c int64) int64 { return int64(math.Floor(float64(c) / daySeconds)) }

// countedTimes returns the times of a schedule by business days.
func (d *simDefinition) countedTimes(calendars *simCalendars) (all []simNominal) {
	first := d.zone.first - 2
	closed := make([]bool, d.zone.last+2-first+1)
	if d.Calendar != "" {
		closed = calendars.closedDays(d.Calendar, first, d.zone.last+2)
	}
	for i := range closed {
		if d.Calendar == "" {
			w := time.Unix((first+int64(i))*daySeconds, 0).UTC().Weekday()
			closed[i] = w == time.Saturday || w == time.Sunday
		}
	}
	for i := range closed {
		n := first + int64(i)
		if closed[i] || !d.isCounted(i, closed) {
			continue
		}
		at := d.zone.reach(n*daySeconds + d.clocks[0])
		if (d.bounds[0] == nil || at >= *d.bounds[0]) && (d.bounds[1] == nil || at <= *d.bounds[1]) {
			all = append(all, simNominal{at: at, date: n})
		}
	}
	return all
}

// isCounted reports whether a business day is one of those that the schedule
// counts.
func (d *simDefinition) isCounted(i int, closed []bool) bool {
	dayOf := func(i int) time.Time { return time.Unix((d.zone.first-2+int64(i))*daySeconds, 0).UTC() }
	for _, count := range d.counts {
		step, left := 1, count
		if count < 0 {
			step, left = -1, -count
		}
		// Go back from the day to where the count begins.
		for j := i; j >= 0 && j < len(closed) && left >= 0; j -= step {
			if d.of == 0 && dayOf(j).Month() != dayOf(i).Month() {
				if left == 0 {
					return true
				}
				break
			}
			if d.of != 0 && left == 0 && d.isOrigin(dayOf(j)) {
				return true
			}
			if !closed[j] {
				left--
			}
		}
	}
	return false
}

// isOrigin reports whether the schedule counts from a date.
func (d *simDefinition) isOrigin(t time.Time) bool {
	if d.of == 31 {
		return t.AddDate(0, 0, 1).Day() == 1
	}
	return t.Day() == d.of
}

// movedTimes returns the times on business days, and those that were moved off
// holidays.
func (d *simDefinition) movedTimes(raw []simTime, calendars *simCalendars) (all []simNominal) {
	first, last := d.zone.first-2, d.zone.last+2
	closed := calendars.closedDays(d.Calendar, first, last)
	start := int64(0)
	if text := calendars.all[d.Calendar].DayStart; text != "" {
		var h, m int64
		if _, err := fmt.Sscanf(text, "%d:%d", &h, &m); err != nil {
			panic(err)
		}
		start = h*3600 + m*60
	}
	begins := make([]int64, len(closed))
	for i := range begins {
		begins[i] = d.zone.reach((first+int64(i))*daySeconds + start)
	}
	dates, day := make([]int, len(raw)), 0
	for i, t := range raw {
		for day+1 < len(begins) && begins[day+1] <= t.at {
			day++
		}
		dates[i] = day
	}
	own := map[int64]bool{}
	moved := map[int64]*simNominal{}
	for i, t := range raw {
		if !closed[dates[i]] {
			own[t.at] = true
			all = append(all, simNominal{at: t.at, date: first + int64(dates[i])})
			continue
		}
		step := map[bus.Substitution]int{"next": 1, "true": 1, "previous": -1}[d.Substitution]
		target := dates[i]
		for step != 0 && target >= 0 && target < len(closed) && closed[target] {
			target += step
		}
		if step == 0 || target < 0 || target >= len(closed) {
			continue
		}
		into := max(0, t.named-((first+int64(dates[i]))*daySeconds+start))
		to := d.zone.reach((first+int64(target))*daySeconds + start + into)
		if d.Substitution == "true" {
			following := i + 1
			for following < len(raw) && closed[dates[following]] {
				following++
			}
			if following < len(raw) && raw[following].at < to {
				continue // it stands in for this time
			}
		}
		if moved[to] == nil {
			moved[to] = &simNominal{at: to, date: first + int64(target)}
		}
		moved[to].from = append(moved[to].from, t.at)
	}
	for at, m := range moved {
		if !own[at] {
			all = append(all, *m)
		}
	}
	slices.SortFunc(all, func(a, b simNominal) int { return cmp.Compare(a.at, b.at) })
	return all
}
