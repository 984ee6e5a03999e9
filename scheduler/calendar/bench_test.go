package calendar_test

import (
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// benchCalendar has weekends, some dates, and the public holidays of another
// calendar.
func benchCalendar(b *testing.B) *calendar.Days {
	easter := func(n int) *int { return &n }
	public := calendar.Calendar{Name: "public", Rules: []calendar.Rule{
		{Yearly: "01-01"}, {Easter: easter(-2)}, {Easter: easter(1)}, {Yearly: "05-01"}, {Easter: easter(39)}, {Easter: easter(50)},
		{Yearly: "10-03"}, {Yearly: "12-25", Length: 2},
	}}
	c := calendar.Calendar{Name: "c", WeeklyHoliday: weekends, Include: []string{"public"}, DayStart: "02:00"}
	for i := range 100 {
		c.Holidays = append(c.Holidays, calendar.Holiday{Date: mustDate(b, "2026-01-01") + calendar.Date(i*37)})
	}
	return mustCompile(b, c, public)
}

func BenchmarkNext(b *testing.B) {
	days := benchCalendar(b)
	for _, zone := range []string{"UTC", "Europe/Berlin"} {
		for _, move := range calendar.Substitutions() {
			for _, expr := range []string{"0 0/5 * * * ?", "0 0 3 * * ?", "0 0 9 1,15 * ?"} {
				b.Run(zone+" "+string(move)+" "+expr, func(b *testing.B) {
					p := &calendar.Plan{Schedule: mustParse(b, expr).Next, Days: days, Zone: mustZone(b, zone), Substitution: move}
					from := time.Date(2026, 1, 1, 0, 0, 0, 0, p.Zone)
					at := from
					for b.Loop() {
						d, ok := p.Next(at)
						if at = d.Time; !ok {
							at = from
						}
					}
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fires/s")
				})
			}
		}
	}
}

func BenchmarkBusinessDays(b *testing.B) {
	days := benchCalendar(b)
	for _, s := range []calendar.BusinessDays{{Counts: []int{1, -1}, At: "06:00"}, {Counts: []int{-2}, Of: "15", At: "06:00"}} {
		b.Run("of "+s.Of, func(b *testing.B) {
			p, err := s.Plan(days, mustZone(b, "Europe/Berlin"))
			if err != nil {
				b.Fatal(err)
			}
			from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			at := from
			for b.Loop() {
				d, ok := p.Next(at)
				if at = d.Time; !ok {
					at = from
				}
			}
		})
	}
}

func BenchmarkBusinessDate(b *testing.B) {
	days, loc := benchCalendar(b), mustZone(b, "Europe/Berlin")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
	for b.Loop() {
		days.BusinessDate(at, loc)
		at = at.Add(time.Hour)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchCalendar(b)
	}
}
