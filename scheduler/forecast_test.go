package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestForecast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		n := w.newNode("bus", alwaysLeads)
		n.createSchedule("ten", "0 0/10 * * * ?")
		n.createSchedule("ten/more", "0 5/15 * * * ?")
		n.createSchedule("paused", "* * * * * ?", func(sc *bus.Schedule) { sc.Active = false })
		n.createSchedule("late", "0 0 * * * ?", func(sc *bus.Schedule) { sc.Jitter = "10m" })
		synctest.Wait()
		list := func(from, to time.Duration, limit int) (all []string, more bool) {
			fires, more := n.Forecast(start.Add(from), start.Add(to), func(app string) bool { return app == "app" }, limit)
			for _, f := range fires {
				if f.Schedule.Job() == "late" {
					if d := f.Due.Sub(f.Nominal); d < 0 || d >= 10*time.Minute || f.Nominal.Minute() != 0 {
						t.Errorf("late is due at %v for %v", f.Due, f.Nominal)
					}
					continue
				}
				all = append(all, fmt.Sprint(f.Schedule, " ", f.Due.Sub(start)))
			}
			return all, more
		}
		want := []string{"app.ten 10m0s", "app.ten 20m0s", "app.ten.more 20m0s", "app.ten 30m0s", "app.ten.more 35m0s"}
		if got, more := list(10*time.Minute, 40*time.Minute, 100); !slices.Equal(got, want) || more {
			t.Errorf("forecast %q, %v; want %q", got, more, want)
		}
		if got, more := list(10*time.Minute, 40*time.Minute, 2); !slices.Equal(got, want[:2]) || !more {
			t.Errorf("the first two: %q, %v", got, more)
		}
		if got, more := list(time.Minute, time.Hour+10*time.Minute, 1000); len(got) < 8 || more {
			t.Errorf("an hour: %q, %v", got, more)
		}
		if fires, _ := n.Forecast(start, start.Add(time.Hour), func(string) bool { return false }, 10); fires != nil {
			t.Errorf("of no application: %v", fires)
		}
	})
}
