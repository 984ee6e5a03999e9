package calendar_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// oracleSchedule is a schedule that the oracle understands without parsing.
type oracleSchedule struct {
	cron    string
	fixed   bool // the hours are fixed: each clock time fires once
	clocks  []int64
	days    func(t time.Time) bool
	move    calendar.Substitution
	zone    *oracleZone
	times   []nominal
	counted *calendar.BusinessDays // instead of cron
}

// nominal is a time of a schedule: the instant, and the clock time that the
// schedule names.
type nominal struct{ at, named int64 }

func randomSchedule(r *rand.Rand, zones []*oracleZone) *oracleSchedule {
	s := &oracleSchedule{zone: zones[r.IntN(len(zones))], move: calendar.Substitutions()[r.IntN(4)]}
	if r.IntN(8) == 0 {
		s.counted = randomBusinessDays(r)
		return s
	}
	minutes := randomValues(r, 60, 1+r.IntN(4)/3)
	hourText, hours := "", []int(nil)
	if s.fixed = r.IntN(10) > 0; s.fixed {
		// Most clocks change between midnight and four.
		hours = randomValues(r, []int{24, 4}[r.IntN(2)], 1+r.IntN(3))
		hourText = listText(hours)
	} else {
		step := 2 + r.IntN(9)
		for h := r.IntN(3); h < 24; h += step {
			hours = append(hours, h)
		}
		hourText = fmt.Sprintf("%d/%d", hours[0], step)
	}
	for _, h := range hours {
		for _, m := range minutes {
			s.clocks = append(s.clocks, int64(h*60+m)*60)
		}
	}
	days := s.randomDays(r)
	s.cron = fmt.Sprintf("0 %s %s %s", listText(minutes), hourText, days)
	s.times = s.allTimes()
	return s
}

// randomDays sets the days of the schedule and returns the cron fields for day,
// month and weekday.
func (s *oracleSchedule) randomDays(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		s.days = func(time.Time) bool { return true }
		return "* * ?"
	case 1, 2, 3:
		on := randomValues(r, 28, 1+r.IntN(4))
		s.days = func(t time.Time) bool { return slices.Contains(on, t.Day()-1) }
		return listText(addOne(on)) + " * ?"
	case 4, 5, 6:
		on := randomValues(r, 7, 1+r.IntN(3))
		s.days = func(t time.Time) bool { return slices.Contains(on, int(t.Weekday())) }
		return "? * " + listText(addOne(on))
	case 7, 8, 9:
		weekday, nth := r.IntN(7), r.IntN(4)
		s.days = func(t time.Time) bool { return int(t.Weekday()) == weekday && (t.Day()-1)/7 == nth }
		return fmt.Sprintf("? * %d#%d", weekday+1, nth+1)
	}
	months := randomValues(r, 12, 1+r.IntN(6))
	s.days = func(t time.Time) bool {
		return slices.Contains(months, int(t.Month())-1) && t.AddDate(0, 0, 1).Day() == 1
	}
	return "L " + listText(addOne(months)) + " ?"
}

func randomValues(r *rand.Rand, limit, n int) []int {
	v := r.Perm(limit)[:n]
	slices.Sort(v)
	return v
}

func addOne(v []int) (all []int) {
	for _, n := range v {
		all = append(all, n+1)
	}
	return all
}

func listText(v []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", ",")
}

// allTimes returns all times of the schedule: for each day and each clock time
// of the day the instants at which it fires.
func (s *oracleSchedule) allTimes() (all []nominal) {
	for n := oracleFrom; n < oracleTo; n++ {
		if !s.days(midnight(n)) {
			continue
		}
		for _, sec := range s.clocks {
			c := int64(n)*day + sec
			instants := []int64{s.zone.reach(c)}
			if !s.fixed {
				instants = s.zone.shown(c)
			}
			for _, at := range instants {
				all = append(all, nominal{at, c})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b nominal) int { return cmp.Compare(a.at, b.at) })
	return s.mergeTimes(all)
}

// mergeTimes joins the times of one instant. They name what the clocks show, if
// one of them does, or else the first.
func (s *oracleSchedule) mergeTimes(all []nominal) (merged []nominal) {
	for _, t := range all {
		if n := len(merged); n > 0 && merged[n-1].at == t.at {
			if t.named == s.zone.clock(t.at) {
				merged[n-1] = t
			}
			continue
		}
		merged = append(merged, t)
	}
	return merged
}

// decision is what the oracle expects about a time, in Unix seconds.
type decision struct {
	at, from, to   int64
	fires, stoodIn bool
	date           int
}

// oracleDays are the business days of a calendar in a zone.
type oracleDays struct {
	closed []bool
	start  int64   // seconds after midnight
	starts []int64 // when each business day begins, from oracleFrom on
}

func newOracleDays(closed []bool, start int64, z *oracleZone) *oracleDays {
	d := &oracleDays{closed: closed, start: start}
	for n := oracleFrom; n < oracleTo; n++ {
		d.starts = append(d.starts, z.reach(int64(n)*day+start))
	}
	return d
}

// expect returns all decisions about a schedule.
func (d *oracleDays) expect(s *oracleSchedule) []decision {
	var all []decision
	moved := map[int64]decision{}
	own := map[int64]bool{}
	date := d.datesOf(s.times)
	for i, t := range s.times {
		if date[i] < 0 {
			continue
		}
		if !d.closed[date[i]] {
			own[t.at] = true
			all = append(all, decision{at: t.at, fires: true, date: date[i]})
			continue
		}
		e := decision{at: t.at, date: date[i]}
		if to, target, ok := d.movedTo(s, t, date[i]); ok {
			e.to = to
			next := i + 1
			for next < len(date) && d.closed[date[next]] {
				next++
			}
			if s.move == calendar.NextUnlessDue && next < len(date) && s.times[next].at < to {
				e.to, e.stoodIn = s.times[next].at, true
			} else if _, found := moved[to]; !found {
				moved[to] = decision{at: to, from: t.at, fires: true, date: target}
			}
		}
		all = append(all, e)
	}
	for at, e := range moved {
		if !own[at] {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b decision) int { return cmp.Compare(a.at, b.at) })
	return all
}

// datesOf returns the business date of each time, as an index, or -1 before the
// first.
func (d *oracleDays) datesOf(times []nominal) []int {
	dates, n := make([]int, len(times)), -1
	for i, t := range times {
		for n+1 < len(d.starts) && d.starts[n+1] <= t.at {
			n++
		}
		dates[i] = n
	}
	return dates
}

// movedTo returns when a time on a holiday fires, and on which date.
func (d *oracleDays) movedTo(s *oracleSchedule, t nominal, date int) (at int64, target int, ok bool) {
	step := 1
	switch s.move {
	case calendar.NoSubstitution:
		return 0, 0, false
	case calendar.PreviousDay:
		step = -1
	}
	for target = date; d.closed[target]; {
		if target += step; target < 0 || target >= len(d.closed) {
			return 0, 0, false
		}
	}
	into := max(0, t.named-(int64(date+oracleFrom)*day+d.start))
	return s.zone.reach(int64(target+oracleFrom)*day + d.start + into), target, true
}
