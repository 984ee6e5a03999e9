package calendar_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// randomBusinessDays returns a schedule that counts business days.
func randomBusinessDays(r *rand.Rand) *calendar.BusinessDays {
	b := &calendar.BusinessDays{
		Of: []string{"", "", "15", "31", "last", "12-24", "02-29", "easter", "easter+39", "easter-2", "2030-03-31"}[r.IntN(11)],
		At: fmt.Sprintf("%02d:%02d", r.IntN(48), r.IntN(60)),
	}
	for range 1 + r.IntN(3) {
		b.Counts = append(b.Counts, (1+r.IntN(12))*(1-2*r.IntN(2)))
	}
	if r.IntN(3) == 0 {
		b.Months = addOne(randomValues(r, 12, 1+r.IntN(6)))
	}
	return b
}

// expectCounted returns the fires of a schedule that counts business days.
func (d *oracleDays) expectCounted(s *oracleSchedule) (all []decision) {
	b := s.counted
	var h, m int64
	if _, err := fmt.Sscanf(b.At, "%d:%d", &h, &m); err != nil {
		panic(err)
	}
	for i := 400; i < len(d.closed)-400; i++ {
		if !d.closed[i] && d.isCounted(b, i) {
			all = append(all, decision{at: s.zone.reach(int64(i+oracleFrom)*day + (h*60+m)*60), fires: true, date: i})
		}
	}
	return all
}

// isCounted reports whether one of the numbers of b leads to business day i.
func (d *oracleDays) isCounted(b *calendar.BusinessDays, i int) bool {
	inMonths := func(t time.Time) bool { return len(b.Months) == 0 || slices.Contains(b.Months, int(t.Month())) }
	for _, n := range b.Counts {
		if b.Of == "" {
			if inMonths(midnight(i+oracleFrom)) && d.countInMonth(i, n) {
				return true
			}
			continue
		}
		// The dates from which n business days lead to i: those between the
		// business day before the first of them and the first.
		step := -1
		if n < 0 {
			step = 1
		}
		between := 0
		for j := i + step; j > 0 && j < len(d.closed); j += step {
			if between == max(n, -n)-1 && isOrigin(b.Of, j+oracleFrom) && inMonths(midnight(j+oracleFrom)) {
				return true
			}
			if !d.closed[j] {
				if between++; between == max(n, -n) {
					break
				}
			}
		}
	}
	return false
}

// countInMonth reports whether i is the nth business day of its month.
func (d *oracleDays) countInMonth(i, n int) bool {
	step := -1
	if n < 0 {
		step = 1
	}
	month, count := midnight(i+oracleFrom).Month(), 0
	for j := i; midnight(j+oracleFrom).Month() == month; j += step {
		if !d.closed[j] {
			count++
		}
	}
	return count == max(n, -n)
}

// isOrigin reports whether a text such as 15, last or easter+39 means day n.
func isOrigin(of string, n int) bool {
	t := midnight(n)
	if offset, found := strings.CutPrefix(of, "easter"); found {
		days, _ := strconv.Atoi(offset)
		return slices.Contains(easterSundays, midnight(n-days).Format(time.DateOnly))
	}
	switch {
	case of == "last":
		return t.AddDate(0, 0, 1).Day() == 1
	case len(of) == 2:
		return t.Format("02") == of
	case len(of) == 5:
		return t.Format("01-02") == of
	}
	return t.Format(time.DateOnly) == of
}
