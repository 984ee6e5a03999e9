package scheduler

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// checkWhy compares why a job did or did not start at a moment with want: an
// outcome, and a part of each text.
func (n *node) checkWhy(what, job string, at time.Time, outcome Outcome, want string) {
	n.t.Helper()
	reasons, err := n.Why(n.t.Context(), "app", job, at)
	if err != nil {
		n.t.Errorf("%s: %v", what, err)
		return
	}
	for _, r := range reasons {
		if r.Outcome == outcome && strings.Contains(r.Text, want) {
			return
		}
	}
	n.t.Errorf("%s: %+v, want %s with %q", what, reasons, outcome, want)
}

func TestWhy(t *testing.T) {
	t.Run("schedules", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now() // 2000-01-01 00:00:00 UTC
			n := w.runNode("bus-1")
			at := func(d time.Duration) time.Time { return start.Add(d) }
			n.createSchedule("often", "0 0/10 * * * ?")
			time.Sleep(15 * time.Minute)
			n.checkWhy("it fired", "often", at(12*time.Minute), OutcomeFired, "2000-01-01 00:10:00 UTC fired as execution 1.")
			n.checkWhy("before the schedule", "often", at(0), OutcomeEdited, "2000-01-01 00:00:00 UTC was before the schedule was stored or resumed at 2000-01-01 00:00:00 UTC")
			n.checkWhy("to come", "often", at(20*time.Minute), OutcomeNotDue, "2000-01-01 00:20:00 UTC is to come: it fires in 5m0s.")
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			n.checkWhy("a pause, before", "often", at(20*time.Minute), OutcomePaused, "is to come, but the schedule is paused since 2000-01-01 00:15:00 UTC")
			time.Sleep(10 * time.Minute)
			n.checkWhy("a pause, after", "often", at(20*time.Minute), OutcomePaused, "00:20:00 UTC did not fire: the schedule is paused since 2000-01-01 00:15:00 UTC")
			n.createSchedule("late", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireSkip; sc.TimeZone = "Asia/Tokyo" })
			n.createSchedule("late/caught", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
			n.stop()
			time.Sleep(time.Hour)
			n.checkWhy("nobody decides", "late", at(35*time.Minute), OutcomeUndecided, "No control bus has decided about 2000-01-01 09:30:00 JST yet")
			next := w.runNode("bus-2")
			time.Sleep(2 * bus.LeaseTTL)
			next.checkWhy("a misfire", "late", at(35*time.Minute), OutcomeSkipped, "2000-01-01 09:30:00 JST was skipped: it was decided 55m0s late, which is a misfire, and with misfire skip it does not fire.")
			next.checkWhy("caught up", "late", at(35*time.Minute), OutcomeCaughtUp, "2000-01-01 00:30:00 UTC fired 55m0s late as execution ")
			next.createSchedule("long", "0 * * * * ?", func(sc *bus.Schedule) { sc.Overlap = bus.OverlapSkip })
			time.Sleep(155 * time.Second)
			next.checkWhy("an overlap", "long", time.Now(), OutcomeSkipped, " had not ended, and the overlap policy is skip.")
			next.createSchedule("queue", "0 * * * * ?", func(sc *bus.Schedule) { sc.Overlap = bus.OverlapQueueOne })
			time.Sleep(155 * time.Second)
			next.checkWhy("a queue", "queue", time.Now().Add(-time.Minute), OutcomeFired, "With overlap queue_one it starts after")
			next.createJob("alone")
			next.checkWhy("nothing starts it", "alone", at(0), OutcomeNone, "no schedule and no triggers")
			next.createSchedule("yearly", "0 0 0 1 1 ? 2001-2010")
			next.checkWhy("no time yet", "yearly", at(time.Hour), OutcomeNotDue, "no time until then; its next one is 2001-01-01 00:00:00 UTC")
		})
	})

	t.Run("triggers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			n.createJob("load")
			n.createTriggered("report", bus.Triggers{Jobs: []bus.Trigger{completed("load")}})
			time.Sleep(time.Minute)
			n.checkWhy("nothing ran", "report", time.Now(), OutcomeUnmet, "Its triggers have started nothing until then: app.load has no execution.")
			n.end(n.execute("load", "", nil), subjects.Failed, "FAILED")
			time.Sleep(time.Minute)
			n.checkWhy("it failed", "report", time.Now(), OutcomeUnmet, "execution 1 of app.load is failed, where completed is wanted.")
			n.end(n.execute("load", "", nil), subjects.Completed, "COMPLETED")
			time.Sleep(time.Minute)
			n.checkWhy("it completed", "report", time.Now(), OutcomeTriggered, "At 2000-01-01 00:02:00 UTC execution 2 of app.load started execution 3.")
			n.checkWhy("the minute before", "report", time.Now().Add(-90*time.Second), OutcomeUnmet, "execution 1 of app.load is failed")
			n.execute("load", "", nil)
			time.Sleep(time.Minute)
			n.checkWhy("it runs again", "report", time.Now(), OutcomeTriggered, "started execution 3. Since then execution 4 of app.load is started, where completed is wanted.")
		})
	})

	t.Run("calendars", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			saturday := time.Now()
			n := w.newNode("bus-1", alwaysLeads)
			key := n.saveCalendar(calendar.Calendar{Name: "c", WeeklyHoliday: [7]bool{time.Saturday: true}})
			n.createSchedule("none", "0 0 1 * * ?", withCalendar(key, calendar.NoSubstitution))
			n.createSchedule("next", "0 0 1 ? * SAT", withCalendar(key, calendar.NextDay))
			time.Sleep(25*time.Hour + time.Second)
			n.walkNow("none")
			n.walkNow("next")
			const holiday = `2000-01-01 01:00:00 UTC does not fire: 2000-01-01 is a Saturday, a weekly holiday (calendar "c")`
			n.checkWhy("a holiday", "none", saturday.Add(12*time.Hour), OutcomeHoliday, holiday+".")
			n.checkWhy("a moved time", "next", saturday.Add(12*time.Hour), OutcomeHoliday, holiday+"; 2000-01-02 01:00:00 UTC fires instead.")
			n.checkWhy("where it moved to", "next", time.Now(), OutcomeFired, " fired as execution 2. It is there in place of 2000-01-01 01:00:00 UTC, which a calendar excludes.")
			n.checkWhy("a business day", "none", time.Now(), OutcomeFired, "2000-01-02 01:00:00 UTC fired as execution 1.")
		})
	})
}
