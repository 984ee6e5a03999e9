package cron_test

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the examples name time zones

	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

func mustParse(expr string) *cron.Schedule {
	s, err := cron.Parse(expr)
	if err != nil {
		panic(err)
	}
	return s
}

func mustZone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

// A job at 10:15 on the third Friday of each month.
func Example() {
	s, err := cron.Parse("0 15 10 ? * 6#3")
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := range s.Between(from, from.AddDate(0, 3, 0)) {
		fmt.Println(at.Format("Mon 2 Jan 2006 15:04"))
	}
	// Output:
	// Fri 16 Jan 2026 10:15
	// Fri 20 Feb 2026 10:15
	// Fri 20 Mar 2026 10:15
}

// Days that are counted from the end of the month, or moved to a weekday.
func Example_specialDays() {
	from := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ days, meaning string }{
		{"L * ?", "the last day of the month"},
		{"L-2 * ?", "two days before the last day"},
		{"LW * ?", "the last weekday, Monday to Friday"},
		{"15W * ?", "the weekday nearest to the 15th"},
		{"? * 6L", "the last Friday"},
		{"? * MON#1", "the first Monday"},
	} {
		at := mustParse("0 0 9 " + tt.days).Next(from)
		fmt.Printf("%-10s %-35s %s\n", tt.days, tt.meaning, at.Format("Mon 2 Jan"))
	}
	// Output:
	// L * ?      the last day of the month           Sat 28 Feb
	// L-2 * ?    two days before the last day        Thu 26 Feb
	// LW * ?     the last weekday, Monday to Friday  Fri 27 Feb
	// 15W * ?    the weekday nearest to the 15th     Mon 16 Feb
	// ? * 6L     the last Friday                     Fri 27 Feb
	// ? * MON#1  the first Monday                    Mon 2 Feb
}

// The error names the field, the column, and the values that are allowed.
func ExampleParse() {
	_, err := cron.Parse("0 0 25 * * ?")
	fmt.Println(err)
	// Output: cron "0 0 25 * * ?": hour (column 5): 25 is not in 0-23
}

// For a line of a crontab the error suggests the same schedule in Quartz
// syntax.
func ExampleParse_crontab() {
	_, err := cron.Parse("30 2 * * 1-5")
	var e *cron.Error
	if errors.As(err, &e) {
		fmt.Println("column:", e.Column)
		_, suggestion, _ := strings.Cut(e.Problem, "; ")
		fmt.Println(suggestion)
	}
	// Output:
	// column: 13
	// did you mean "0 30 2 ? * MON-FRI"
}

// The clocks of Berlin are set forward from 2:00 to 3:00 on 29 March 2026. A
// job with a fixed hour does not lose that day.
func ExampleSchedule_Next() {
	s := mustParse("0 30 2 * * ?")
	at := time.Date(2026, 3, 27, 12, 0, 0, 0, mustZone("Europe/Berlin"))
	for range 3 {
		at = s.Next(at)
		fmt.Println(at.Format("Mon 2 Jan 15:04 MST"))
	}
	// Output:
	// Sat 28 Mar 02:30 CET
	// Sun 29 Mar 03:00 CEST
	// Mon 30 Mar 02:30 CEST
}

// The clocks of Berlin are set back from 3:00 to 2:00 on 25 October 2026. A
// job every half hour follows real time; a job at 2:30 fires once.
func ExampleSchedule_Between() {
	from := time.Date(2026, 10, 25, 1, 45, 0, 0, mustZone("Europe/Berlin"))
	for _, expr := range []string{"0 0/30 * * * ?", "0 30 2 * * ?"} {
		fmt.Println(expr)
		for at := range mustParse(expr).Between(from, from.Add(2*time.Hour)) {
			fmt.Println(at.Format("  15:04 MST"))
		}
	}
	// Output:
	// 0 0/30 * * * ?
	//   02:00 CEST
	//   02:30 CEST
	//   02:00 CET
	//   02:30 CET
	// 0 30 2 * * ?
	//   02:30 CEST
}

// February has no 31st, so the schedule never fires.
func ExampleSchedule_Never() {
	fmt.Println(mustParse("0 0 0 31 FEB ?").Never())
	// Output: true
}

// Expressions that differ only in their spelling have the same normal form.
func ExampleSchedule_String() {
	fmt.Println(mustParse("00  /15 08-18 ? * mon-fri *"))
	// Output: 0 */15 8-18 ? * MON-FRI
}
