package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// weekendOff is a calendar without work on Saturdays and Sundays.
var weekendOff = calendar.Calendar{Name: "c", WeeklyHoliday: [7]bool{time.Saturday: true, time.Sunday: true}}

// saveCalendar stores a calendar, and returns its key.
func (n *node) saveCalendar(c calendar.Calendar) string {
	n.t.Helper()
	e, _, err := n.catalog().SaveCalendar(context.Background(), c.Name, nil, func(*calendar.Calendar) (calendar.Calendar, error) { return c, nil })
	if err != nil {
		n.t.Fatal(err)
	}
	return e.Key
}

func (n *node) catalog() *catalog.Catalog {
	return catalog.New(catalog.Config{Bus: n.bus, Index: n.index.Index, Schedules: n.Scheduler})
}

func withCalendar(key string, s calendar.Substitution) func(*bus.Schedule) {
	return func(sc *bus.Schedule) { sc.Calendar, sc.Substitution = key, bus.Substitution(s) }
}

const day, nine = 24 * 60 * 60, 9 * 60 * 60 // seconds

// The clock of a bubble begins on Saturday, 1 January 2000.
func TestHolidaysDoNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saturday := time.Now()
		n := w.newNode("bus", alwaysLeads)
		key := n.saveCalendar(weekendOff)
		n.createSchedule("none", "0 0 9 * * ?", withCalendar(key, calendar.NoSubstitution))
		n.createSchedule("next", "0 0 9 ? * SUN", withCalendar(key, calendar.NextDay))
		n.createSchedule("counted", "", func(sc *bus.Schedule) { sc.BusinessDays, sc.At = []int{1, 3}, "09:00" })
		if next := n.Next(keyOf("none"), 2); len(next) != 2 || next[0].Unix()-saturday.Unix() != 2*day+nine {
			t.Errorf("next fires %v", next)
		}
		time.Sleep(nine * time.Second)
		for range 3 {
			for _, job := range []string{"none", "next", "counted"} {
				n.walkNow(job)
			}
			time.Sleep(24 * time.Hour)
		}
		n.checkFired("none", saturday, 2*day+nine)
		n.checkFired("next", saturday, 2*day+nine)
		n.checkFired("counted", saturday, 2*day+nine)
		f := n.decisions("next")[saturday.Unix()+2*day+nine]
		if f.Date != "2000-01-03" || f.From.Std().Unix() != saturday.Unix()+day+nine {
			t.Errorf("the moved fire %+v, want it to name Sunday", f)
		}
		if all := n.decisions("none"); len(all) != 1 {
			t.Errorf("%d decisions, want none for a holiday", len(all))
		}
	})
}

// What passed before a change of the calendar was decided by the old one, also
// if it did not fire. After it, timers go by the new one.
func TestChangedCalendar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saturday := time.Now()
		n, other := w.runNode("bus", alwaysLeads), w.newNode("other")
		part := other.saveCalendar(calendar.Calendar{Name: "part"})
		whole := weekendOff
		whole.Include = []string{"part"}
		key := other.saveCalendar(whole)
		n.createSchedule("hourly", "3 0 * * * ?", withCalendar(key, calendar.NoSubstitution), func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		time.Sleep(150 * time.Minute)
		other.saveCalendar(calendar.Calendar{Name: "c", Include: []string{"part"}}) // no weekend any more
		time.Sleep(2 * time.Hour)
		n.checkFired("hourly", saturday, 3*60*60+3, 4*60*60+3)
		for second, f := range n.decisions("hourly") {
			if late := f.Time.Std().Unix() - second; late > 1 { // a renewal of the lease finds it later
				t.Errorf("a fire was decided %d s late, want it by a timer", late)
			}
		}
		today := calendar.Holiday{Date: calendar.DateAt(2000, 1, 1)}
		other.saveCalendar(calendar.Calendar{Name: "part", Holidays: []calendar.Holiday{today}})
		time.Sleep(2 * time.Hour)
		n.checkFired("hourly", saturday, 3*60*60+3, 4*60*60+3)
		if part == key {
			t.Error("two calendars have one key")
		}
	})
}

// A due time that is undecided at a change is decided by the old calendar.
func TestChangeDecidesWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saturday := time.Now()
		n := w.newNode("bus", alwaysLeads) // it starts no walk
		key := n.saveCalendar(calendar.Calendar{Name: "c"})
		n.createSchedule("on-time", "30 0 9 * * ?", withCalendar(key, calendar.NoSubstitution))
		n.createSchedule("late", "0 0 8 * * ?", withCalendar(key, calendar.NoSubstitution))
		n.createSchedule("other", "30 0 9 * * ?")
		n.createSchedule("not-due", "30 0 9 * * ?", withCalendar(key, calendar.NoSubstitution), func(sc *bus.Schedule) { sc.Jitter = "24h" })
		time.Sleep(9*time.Hour + 40*time.Second)
		n.renewLease()
		n.saveCalendar(weekendOff)
		n.checkFired("on-time", saturday, nine+30)
		n.checkFired("not-due", saturday, nine+30)
		n.checkFired("other", saturday)
		if f := n.decisions("late")[saturday.Unix()+8*60*60]; f.Skipped != skippedEdited {
			t.Errorf("the late time: %+v, want it skipped as edited", f)
		}
		time.Sleep(15 * time.Hour)
		n.walkNow("on-time")
		n.checkFired("on-time", saturday, nine+30)
	})
}

// The times of a pause are those by the calendar at its end, also if it changed
// during the pause.
func TestChangeDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saturday := time.Now()
		n := w.newNode("bus", alwaysLeads)
		key := n.saveCalendar(calendar.Calendar{Name: "c"})
		for _, job := range []string{"skipped", "fired"} {
			n.createSchedule(job, "0 0 8,9 * * ?", withCalendar(key, calendar.NoSubstitution), func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
			if err := n.Pause(t.Context(), keyOf(job), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Hour)
		n.renewLease()
		n.saveCalendar(calendar.Calendar{Name: "c", Holidays: []calendar.Holiday{{Date: calendar.DateAt(2000, 1, 2)}}})
		time.Sleep(time.Hour)
		n.renewLease()
		for job, catchUp := range map[string]bool{"skipped": false, "fired": true} {
			if _, err := n.Resume(t.Context(), keyOf(job), catchUp); err != nil {
				t.Fatal(err)
			}
			n.walkNow(job)
		}
		n.checkFired("fired", saturday, nine-60*60, nine)
		for _, second := range []int64{nine - 60*60, nine} {
			if f := n.decisions("skipped")[saturday.Unix()+second]; f.Skipped != skippedPaused {
				t.Errorf("a time of the pause: %+v, want it skipped as paused", f)
			}
		}
	})
}

// A time that fired before it became a holiday does not fire again on the next
// business day.
func TestTimeThatFiredIsNotMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saturday := time.Now()
		n := w.newNode("bus", alwaysLeads)
		key := n.saveCalendar(calendar.Calendar{Name: "c"})
		n.createSchedule("fired", "0 0 9 ? * SAT", withCalendar(key, calendar.NextDay))
		n.createSchedule("both", "0 0 9 ? * SAT,SUN", withCalendar(key, calendar.NextDay))
		time.Sleep(nine * time.Second)
		n.walkNow("fired")
		n.walkNow("both")
		time.Sleep(15 * time.Hour)
		n.renewLease()
		n.saveCalendar(weekendOff) // on Sunday
		n.createSchedule("new", "0 0 9 ? * SAT", withCalendar(key, calendar.NextDay))
		time.Sleep((day + nine) * time.Second)
		for _, job := range []string{"fired", "both", "new"} {
			n.walkNow(job)
		}
		n.checkFired("fired", saturday, nine)
		n.checkFired("both", saturday, nine, 2*day+nine) // for Sunday
		n.checkFired("new", saturday, 2*day+nine)
		if f := n.decisions("fired")[saturday.Unix()+2*day+nine]; f.Skipped != skippedDecided {
			t.Errorf("the moved time: %+v, want it skipped as decided", f)
		}
	})
}

// laggingIndex is a read model that has not seen the last change of a calendar.
type laggingIndex struct {
	*watchedIndex
	stale atomic.Pointer[calendars.Set]
}

func (l *laggingIndex) Calendars() *calendars.Set {
	if s := l.stale.Load(); s != nil {
		return s
	}
	return l.watchedIndex.Calendars()
}

func (l *laggingIndex) PutCalendar(key string, v *bus.Calendar, rev uint64) {
	l.stale.Store(nil)
	l.watchedIndex.PutCalendar(key, v, rev)
}

func TestBusThatMissedAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saturday := time.Now()
		other := w.newNode("other")
		key := other.saveCalendar(calendar.Calendar{Name: "c"})
		other.createSchedule("job", "0 0 9 * * ?", withCalendar(key, calendar.NoSubstitution))
		lag := &laggingIndex{}
		n := w.newNode("bus", alwaysLeads, func(n *node) {
			lag.watchedIndex = n.index
			n.Scheduler = New(Config{Bus: n.bus, Index: lag, Submit: n.records})
			alwaysLeads(n)
		})
		lag.stale.Store(n.index.Calendars())
		other.saveCalendar(weekendOff)
		synctest.Wait()
		time.Sleep(10 * time.Hour)
		n.walkNow("job")
		n.checkFired("job", saturday)
	})
}

func TestSchedulesWithCalendarsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newWorld(t).newNode("bus")
		key := n.saveCalendar(weekendOff)
		n.createJob("job")
		for _, tt := range []struct {
			sc   bus.Schedule
			want string
		}{
			{bus.Schedule{Cron: "0 0 9 * * ?", Calendar: "none"}, "/calendar: want the name of a calendar that exists, got none"},
			{bus.Schedule{Cron: "0 0 9 ? * SUN", Calendar: key}, "/calendar: want a calendar with which the schedule fires: all its times are on holidays, got c"},
			{bus.Schedule{Cron: "0 0 9 ? * SUN", Calendar: key, Substitution: "previous"}, ""},
			{bus.Schedule{BusinessDays: []int{23}, Months: []int{2}, Calendar: key}, "/business_days: want business days to come: there is none, got [23]"},
			{bus.Schedule{BusinessDays: []int{23}, Calendar: key}, ""},
		} {
			tt.sc.App, tt.sc.Job = "app", "job"
			_, err := n.Set(t.Context(), tt.sc)
			if got := fmt.Sprint(err); err == nil && tt.want != "" || err != nil && got != tt.want {
				t.Errorf("Set(%+v): %v, want %s", tt.sc, err, tt.want)
			}
		}
	})
}

// Whatever happens at once, no schedule is left with a calendar that was
// deleted.
func TestDeletionOfACalendarInARace(t *testing.T) {
	w := newWorld(t)
	one, two := w.newNode("one"), w.newNode("two")
	one.createJob("job")
	won := map[string]int{}
	for range 30 {
		key := two.saveCalendar(weekendOff)
		var deleted, saved error
		var both sync.WaitGroup
		both.Go(func() { deleted = two.catalog().DeleteCalendar(context.Background(), "c", nil) })
		both.Go(func() {
			_, saved = one.Set(context.Background(), bus.Schedule{App: "app", Job: "job", Cron: "0 0 9 * * ?", Calendar: key, Active: true})
		})
		both.Wait()
		_, err := one.bus.Calendars.Get(t.Context(), key)
		sc, err2 := one.bus.Schedules.Get(t.Context(), keyOf("job").String())
		there, used := err == nil, err2 == nil && sc.Value.Calendar == key
		won[fmt.Sprint(there, used)]++
		var field *bus.FieldError
		switch {
		case used && !there:
			t.Fatalf("the schedule has a calendar that was deleted: %v, %v", deleted, saved)
		case (deleted == nil) == there, (saved == nil) != used:
			t.Fatalf("deleted: %v, there: %v; saved: %v, used: %v", deleted, there, saved, used)
		case deleted != nil && !bus.HasCode(deleted, bus.CodeCalendarInUse), saved != nil && !errors.As(saved, &field):
			t.Fatalf("deleted: %v; saved: %v", deleted, saved)
		}
		if used {
			if err := one.Remove(context.Background(), keyOf("job")); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Log("calendar there, used:", won)
}

func TestPreviewWithACalendar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newWorld(t).newNode("bus")
		key := n.saveCalendar(weekendOff)
		v, err := n.Preview(t.Context(), bus.Schedule{Cron: "0 0 9 ? * SUN", Calendar: key, Substitution: "next"}, time.Now(), 1)
		if err != nil || len(v.Fires) != 1 || len(v.Skipped) != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		const why = `2000-01-02 is a Sunday, a weekly holiday (calendar "c")`
		fire, skipped := v.Fires[0], v.Skipped[0]
		if fire.Time.Weekday() != time.Monday || fire.From.Weekday() != time.Sunday || fire.Why.String() != why || !skipped.To.Equal(fire.Time) || skipped.Why.String() != why {
			t.Errorf("fires %+v, skipped %+v", fire, skipped)
		}
	})
}
