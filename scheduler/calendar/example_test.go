package calendar_test

import (
	"fmt"
	"time"
	_ "time/tzdata" // the examples name time zones

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

func compileExample(c calendar.Calendar) *calendar.Days {
	days, err := calendar.Compile(&c, calendar.Sources{})
	if err != nil {
		panic(err)
	}
	return days
}

func dateOf(text string) calendar.Date {
	d, err := calendar.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

// A calendar with weekends, Good Friday and Easter Monday, and a date.
func ExampleCompile() {
	friday, monday := -2, 1
	days := compileExample(calendar.Calendar{
		Name:          "bank",
		WeeklyHoliday: [7]bool{time.Sunday: true, time.Saturday: true},
		Rules:         []calendar.Rule{{Name: "Good Friday", Easter: &friday}, {Name: "Easter Monday", Easter: &monday}},
		Holidays:      []calendar.Holiday{{Date: dateOf("2026-04-07"), Name: "stocktaking"}},
	})
	for d := dateOf("2026-04-02"); d <= dateOf("2026-04-08"); d++ {
		if why, ok := days.Holiday(d); ok {
			fmt.Println(why)
		} else {
			fmt.Println(d, "is a business day")
		}
	}
	// Output:
	// 2026-04-02 is a business day
	// 2026-04-03 is Good Friday (calendar "bank")
	// 2026-04-04 is a Saturday, a weekly holiday (calendar "bank")
	// 2026-04-05 is a Sunday, a weekly holiday (calendar "bank")
	// 2026-04-06 is Easter Monday (calendar "bank")
	// 2026-04-07 is stocktaking (calendar "bank")
	// 2026-04-08 is a business day
}

// A business day that begins at two o'clock: half past one on Saturday morning
// belongs to Friday.
func ExampleDays_BusinessDate() {
	days := compileExample(calendar.Calendar{Name: "shop", DayStart: "02:00"})
	for _, clock := range []string{"01:30", "02:00"} {
		t, _ := time.ParseInLocation("2006-01-02 15:04", "2026-11-28 "+clock, time.UTC)
		fmt.Println(clock, days.BusinessDate(t, time.UTC))
	}
	// Output:
	// 01:30 2026-11-27
	// 02:00 2026-11-28
}

// The 25th at nine, moved to the next business day.
func ExamplePlan_Next() {
	days := compileExample(calendar.Calendar{Name: "bank", WeeklyHoliday: [7]bool{time.Sunday: true, time.Saturday: true}})
	s, err := cron.Parse("0 0 9 25 * ?")
	if err != nil {
		panic(err)
	}
	p := calendar.Plan{Schedule: s.Next, Days: days, Zone: time.UTC, Substitution: calendar.NextDay}
	at := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	for range 3 {
		d, ok := p.Next(at)
		if !ok {
			break
		}
		at = d.Time
		fmt.Println(d.Time.Format("Mon 2 Jan 15:04"))
		if d.Why != nil {
			fmt.Println("  moved:", d.Why)
		}
	}
	// Output:
	// Mon 27 Apr 09:00
	//   moved: 2026-04-25 is a Saturday, a weekly holiday (calendar "bank")
	// Mon 25 May 09:00
	// Thu 25 Jun 09:00
}

// Times that do not fire, with the reason.
func ExamplePlan_Decisions() {
	days := compileExample(calendar.Calendar{Name: "bank", WeeklyHoliday: [7]bool{time.Sunday: true, time.Saturday: true}})
	s, err := cron.Parse("0 0 9 * * ?")
	if err != nil {
		panic(err)
	}
	p := calendar.Plan{Schedule: s.Next, Days: days, Zone: time.UTC, Substitution: calendar.NoSubstitution}
	from := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for d := range p.Decisions(from, from.AddDate(0, 0, 4)) {
		if d.Fires {
			fmt.Println(d.Date, "fires")
		} else {
			fmt.Println(d.Date, "is skipped:", d.Why)
		}
	}
	// Output:
	// 2026-11-27 fires
	// 2026-11-28 is skipped: 2026-11-28 is a Saturday, a weekly holiday (calendar "bank")
	// 2026-11-29 is skipped: 2026-11-29 is a Sunday, a weekly holiday (calendar "bank")
	// 2026-11-30 fires
}

// The first and the last business day of each month, at six.
func ExampleBusinessDays() {
	days := compileExample(calendar.Calendar{Name: "bank", WeeklyHoliday: [7]bool{time.Sunday: true, time.Saturday: true}})
	b := calendar.BusinessDays{Counts: []int{1, -1}, At: "06:00"}
	p, err := b.Plan(days, time.UTC)
	if err != nil {
		panic(err)
	}
	from := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for d := range p.Decisions(from, from.AddDate(0, 2, 0)) {
		fmt.Println(d.Time.Format("Mon 2 Jan 15:04"))
	}
	// Output:
	// Fri 1 Jan 06:00
	// Fri 29 Jan 06:00
	// Mon 1 Feb 06:00
	// Fri 26 Feb 06:00
}
