package calendar_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// randomCalendars returns calendars of which some are made of those before.
func randomCalendars(r *rand.Rand, count int) []calendar.Calendar {
	all := []calendar.Calendar{
		{Name: "weekends", WeeklyHoliday: [7]bool{true, false, false, false, false, false, true}},
		{Name: "none"},
	}
	for len(all) < count {
		c := calendar.Calendar{Name: fmt.Sprintf("calendar %d", len(all))}
		for i := range c.WeeklyHoliday {
			c.WeeklyHoliday[i] = r.IntN(5) == 0 || r.IntN(3) > 0 && (i == 0 || i == 6)
		}
		c.WeeklyHoliday[1+r.IntN(5)] = false
		for range r.IntN(60) {
			c.Holidays = append(c.Holidays, calendar.Holiday{Date: randomDate(r), Name: "date"})
		}
		for range r.IntN(8) {
			c.Rules = append(c.Rules, randomRule(r))
		}
		for _, list := range []*[]string{&c.Include, &c.Intersect, &c.Exclude} {
			for range max(0, r.IntN(4)-2) {
				*list = append(*list, all[r.IntN(len(all))].Name)
			}
		}
		if r.IntN(2) == 0 {
			c.DayStart = fmt.Sprintf("%02d:%02d", []int{1, 2, 3, 5, 7, 23}[r.IntN(6)], []int{0, 30}[r.IntN(2)])
		}
		all = append(all, c)
	}
	return all
}

func randomDate(r *rand.Rand) calendar.Date {
	return calendar.FirstDate + calendar.Date(oracleFrom+r.IntN(oracleTo-oracleFrom))
}

func randomRule(r *rand.Rand) calendar.Rule {
	rule := calendar.Rule{Name: "rule", Length: []int{0, 1, 2, 9}[r.IntN(4)]}
	offset := r.IntN(120) - 60
	switch r.IntN(5) {
	case 0:
		rule.Easter = &offset
	case 1:
		rule.OrthodoxEaster = &offset
	case 2:
		rule.Length = 0
		rule.RRule, rule.Start = fmt.Sprintf("EVERY=%d", 2+r.IntN(40)), randomDate(r)
	default:
		rule.Yearly = time.Date(2024, 1, 1+r.IntN(366), 0, 0, 0, 0, time.UTC).Format("01-02")
	}
	if r.IntN(3) == 0 {
		rule.End = max(rule.Start, randomDate(r))
	}
	if rule.Start == 0 && r.IntN(3) == 0 {
		rule.Start = min(max(rule.End, calendar.FirstDate), randomDate(r))
	}
	for range 10 * r.IntN(2) {
		rule.Except = append(rule.Except, randomDate(r))
	}
	return rule
}
