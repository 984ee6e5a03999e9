package calendar_test

import (
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

var oracleSeed = flag.Uint64("oracle-seed", 1, "seed of the calendars and schedules that the oracle looks at")

// TestOracle compares all decisions of many schedules by many calendars with an
// oracle that goes through all days.
func TestOracle(t *testing.T) {
	calendars, schedules, from, to := 20, 500, dayNumber("2026-07-01"), dayNumber("2036-07-01")
	if testing.Short() {
		schedules, to = 60, dayNumber("2028-07-01")
	}
	t.Logf("-oracle-seed=%d", *oracleSeed)
	r := rand.New(rand.NewPCG(*oracleSeed, 0))
	var zones []*oracleZone
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Tokyo"} {
		zones = append(zones, newOracleZone(mustZone(t, name)))
	}
	o := &oracleCalendars{randomCalendars(r, calendars), map[string][]bool{}}
	var all []*oracleSchedule
	for range schedules {
		all = append(all, randomSchedule(r, zones))
	}
	window := oracleWindow{time.Unix(int64(from)*day, 0), time.Unix(int64(to)*day, 0)}
	var decisions int
	var mu sync.Mutex
	t.Run("calendars", func(t *testing.T) {
		for i := range o.all {
			c := &o.all[i]
			closed := o.holidays(c.Name)
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				days := compileOrSkip(t, c, o)
				checkDays(t, days, closed)
				n := window.compareAll(t, c, days, closed, all)
				mu.Lock()
				defer mu.Unlock()
				decisions += n
			})
		}
	})
	t.Logf("%d calendars, %d schedules, %d decisions", calendars, schedules, decisions)
	if decisions < 10_000 {
		t.Errorf("%d decisions were compared, want 10,000 or more", decisions)
	}
}

func compileOrSkip(t *testing.T, c *calendar.Calendar, o *oracleCalendars) *calendar.Days {
	t.Helper()
	days, err := calendar.Compile(c, calendar.Sources{
		Calendar:   func(name string) (*calendar.Calendar, error) { return o.named(name), nil },
		Recurrence: everyNth,
	})
	if err != nil {
		t.Fatalf("Compile(%+v): %v", c, err)
	}
	return days
}

// checkDays compares the queries for each day.
func checkDays(t *testing.T, days *calendar.Days, closed []bool) {
	t.Helper()
	month, inMonth := 0, 0
	for i, isHoliday := range closed[:len(closed)-400] {
		n := i + oracleFrom
		d := calendar.FirstDate + calendar.Date(n)
		if days.IsBusinessDay(d) == isHoliday {
			t.Fatalf("IsBusinessDay(%v) = %t", d, !isHoliday)
		}
		if why, found := days.Holiday(d); found != isHoliday || found && why.Calendar == "" {
			t.Fatalf("Holiday(%v) = %v, %t", d, why, found)
		}
		if m := int(midnight(n).Month()); m != month {
			month, inMonth = m, 0
		}
		if !isHoliday {
			inMonth++
			y := midnight(n).Year()
			if got := days.InMonth(y, month, inMonth); got != d && y > 2025 {
				t.Fatalf("InMonth(%d, %d, %d) = %v, want %v", y, month, inMonth, got, d)
			}
		}
		if i > 400 && i%7 == 0 {
			checkAdd(t, days, closed, i)
		}
	}
}

// checkAdd compares Add with a count of days.
func checkAdd(t *testing.T, days *calendar.Days, closed []bool, from int) {
	t.Helper()
	for _, step := range []int{1, -1} {
		count := 0
		for i := from + step; count < 30 && i >= 0 && i < len(closed); i += step {
			if closed[i] {
				continue
			}
			count++
			d, want := calendar.FirstDate+calendar.Date(from+oracleFrom), calendar.FirstDate+calendar.Date(i+oracleFrom)
			if got := days.Add(d, count*step); got != want {
				t.Fatalf("Add(%v, %d) = %v, want %v", d, count*step, got, want)
			}
		}
	}
}

type oracleWindow struct{ from, to time.Time }

// compareAll compares the decisions of all schedules by one calendar, and
// returns how many there were.
func (w oracleWindow) compareAll(t *testing.T, c *calendar.Calendar, days *calendar.Days, closed []bool, all []*oracleSchedule) (n int) {
	t.Helper()
	byZone := map[*oracleZone]*oracleDays{}
	for _, s := range all {
		od := byZone[s.zone]
		if od == nil {
			od = newOracleDays(closed, startOf(c), s.zone)
			byZone[s.zone] = od
		}
		want := od.expect(s)
		var got iter.Seq[calendar.Decision]
		if s.counted != nil {
			want = od.expectCounted(s)
			p, err := s.counted.Plan(days, s.zone.loc)
			if err != nil {
				t.Fatal(err)
			}
			got = p.Decisions(w.from, w.to)
		} else {
			got = (&calendar.Plan{Schedule: mustParse(t, s.cron).Next, Days: days, Zone: s.zone.loc, Substitution: s.move}).Decisions(w.from, w.to)
		}
		want = slices.DeleteFunc(want, func(d decision) bool { return d.at <= w.from.Unix() || d.at > w.to.Unix() })
		n += len(want)
		if diff := firstDifference(got, want); diff != "" {
			t.Errorf("%s in %v, substitution %s, calendar %+v: %s", s, s.zone.loc, s.move, *c, diff)
			return n
		}
	}
	return n
}

func (s *oracleSchedule) String() string {
	if s.counted != nil {
		return fmt.Sprintf("%+v", *s.counted)
	}
	return s.cron
}

// startOf returns the day start of a calendar in seconds.
func startOf(c *calendar.Calendar) int64 {
	var h, m int64
	if c.DayStart != "" {
		if _, err := fmt.Sscanf(c.DayStart, "%d:%d", &h, &m); err != nil {
			panic(err)
		}
	}
	return (h*60 + m) * 60
}

// firstDifference returns how got differs from want, or nothing.
func firstDifference(got iter.Seq[calendar.Decision], want []decision) string {
	for d := range got {
		if len(want) == 0 {
			return fmt.Sprintf("%v is one decision too many", decisionText(d))
		}
		w := want[0]
		want = want[1:]
		if d.Time.Unix() != w.at || d.Fires != w.fires || unixOrZero(d.From) != w.from || unixOrZero(d.To) != w.to || d.StoodIn != w.stoodIn ||
			int(d.Date-calendar.FirstDate) != w.date+oracleFrom || (d.Why == nil) != (w.fires && w.from == 0) {
			return fmt.Sprintf("got %s, want %s", decisionText(d), expectedText(w, d.Time.Location()))
		}
	}
	if len(want) > 0 {
		return fmt.Sprintf("no decision %s", expectedText(want[0], time.UTC))
	}
	return ""
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func decisionText(d calendar.Decision) string {
	return fmt.Sprintf("{%v of %v fires:%t from:%v to:%v stoodIn:%t why:%v}", d.Time, d.Date, d.Fires, d.From, d.To, d.StoodIn, d.Why)
}

func expectedText(w decision, loc *time.Location) string {
	at := func(u int64) time.Time { return time.Unix(u, 0).In(loc) }
	return fmt.Sprintf("{%v of %s fires:%t from:%v to:%v stoodIn:%t}", at(w.at), midnight(w.date+oracleFrom).Format(time.DateOnly), w.fires, at(w.from), at(w.to), w.stoodIn)
}

func mustParse(t testing.TB, expr string) *cron.Schedule {
	t.Helper()
	s, err := cron.Parse(expr)
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
