package cron_test

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

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

func ExampleParse() {
	_, err := cron.Parse("0 0 25 * * ?")
	fmt.Println(err)
	// Output: cron "0 0 25 * * ?": hour (column 5): 25 is not in 0-23
}

func ExampleSchedule_Never() {
	s, _ := cron.Parse("0 0 0 31 FEB ?")
	fmt.Println(s.Never())
	// Output: true
}
