package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (n *node) pauseGroup(app string) {
	n.t.Helper()
	if _, err := n.PauseGroup(context.Background(), app, bus.Pause{By: "ann", Reason: "maintenance"}); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) resumeGroup(app string, catchUp bool) GroupResumed {
	n.t.Helper()
	done, err := n.ResumeGroup(context.Background(), app, "bob", catchUp)
	if err != nil {
		n.t.Fatal(err)
	}
	return done
}

func TestPauseOfAGroup(t *testing.T) {
	for _, tt := range []struct {
		name    string
		app     string
		misfire string
		catchUp bool
		want    []int64 // fired, in seconds
		skipped int     // as paused
	}{
		{"the times of a pause of all are skipped", "", bus.MisfireFireAll, false, []int64{600, 3600}, 4},
		{"the times of a pause of the application are skipped", "app", bus.MisfireFireAll, false, []int64{600, 3600}, 4},
		{"a pause of another application holds nothing", "other", bus.MisfireFireAll, false, []int64{600, 1200, 1800, 2400, 3000, 3600}, 0},
		{"all of them fire afterwards", "app", bus.MisfireFireAll, true, []int64{600, 1200, 1800, 2400, 3000, 3600}, 0},
		{"one of them fires afterwards", "", bus.MisfireFireOnce, true, []int64{600, 3000, 3600}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				n := w.runNode("bus-1")
				n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = tt.misfire })
				time.Sleep(15 * time.Minute)
				n.pauseGroup(tt.app)
				again, err := n.PauseGroup(t.Context(), tt.app, bus.Pause{By: "eve"}) // it is paused already
				if err != nil || again.By != "ann" || again.Reason != "maintenance" || again.From.Std().Sub(start) != 15*time.Minute {
					t.Errorf("paused again: %+v, %v", again, err)
				}
				held := tt.app != "other"
				if next := n.Next(keyOf("often"), 1); (len(next) == 0) != held {
					t.Errorf("next fire during the pause: %v", next)
				}
				if fires, _ := n.Forecast(time.Now(), time.Now().Add(time.Hour), func(string) bool { return true }, 10); (len(fires) == 0) != held {
					t.Errorf("forecast during the pause: %v", fires)
				}
				time.Sleep(20 * time.Minute)
				n.stop()
				time.Sleep(time.Minute) // no bus runs; two times have passed, two are to come
				n = w.runNode("bus-1")
				time.Sleep(17 * time.Minute)
				if held {
					n.checkFired("often", start, 600)
				}
				done := n.resumeGroup(tt.app, tt.catchUp)
				wantCount := map[bool]int{true: 4}[held]
				if done.Count != wantCount || done.Schedules != min(wantCount, 1) || done.Capped || done.By != "ann" || done.EndedBy != "bob" ||
					done.To.Std().Sub(done.From.Std()) != 38*time.Minute || len(done.On) != 0 {
					t.Errorf("resumed: %+v", done)
				}
				if again := n.resumeGroup(tt.app, true); again.Count != 0 || again.From != 0 {
					t.Errorf("resumed again: %+v", again)
				}
				time.Sleep(time.Second) // walks begin at once
				n.checkFired("often", start, tt.want[:len(tt.want)-1]...)
				time.Sleep(8 * time.Minute)
				n.checkFired("often", start, tt.want...)
				skipped := 0
				for _, f := range n.decisions("often") {
					if f.Skipped == skippedPaused {
						skipped++
					}
				}
				if skipped != tt.skipped || len(n.decisions("often")) != 6 {
					t.Errorf("%d times are skipped as paused, want %d; decided: %+v", skipped, tt.skipped, n.decisions("often"))
				}
			})
		})
	}

	t.Run("a schedule fires only if nothing pauses it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("own", "0 * * * * ?")
			n.createSchedule("edited", "0 * * * * ?")
			n.createSchedule("free", "0 * * * * ?")
			if err := n.Pause(t.Context(), keyOf("own"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(90 * time.Second)
			n.pauseGroup("app")
			n.pauseGroup("")
			time.Sleep(time.Minute) // 120 passes
			n.setSchedule(bus.Schedule{App: "app", Job: "edited", Cron: "30 * * * * ?", Active: true})
			if f := n.decisions("edited")[start.Unix()+120]; f.Skipped != skippedPaused {
				t.Errorf("a time that passed before an edit: %+v", f)
			}
			if on := n.resumeGroup("", false).On; len(on) != 1 || on[0].App != "app" {
				t.Errorf("pauses that are still on: %+v", on)
			}
			time.Sleep(time.Minute) // 180 and 210 pass
			n.resumeGroup("app", false)
			time.Sleep(65 * time.Second) // 240 and 270 pass
			n.checkFired("free", start, 60, 240)
			n.checkFired("edited", start, 60, 270)
			n.checkFired("own", start)
			if err := n.resumeNow(keyOf("own")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			n.checkFired("own", start, 300)
		})
	})

	t.Run("a walk asks for pauses that its read model does not know yet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			late := w.newNode("late", alwaysLeads, func(n *node) { n.index.lags = true })
			late.createSchedule("often", "0 * * * * ?")
			n := w.newNode("other")
			n.pauseGroup("app")
			time.Sleep(61 * time.Second)
			if late.index.Pauses() != nil {
				t.Fatal("the read model knows the pause")
			}
			late.walkNow("often")
			late.checkFired("often", start)
			if len(late.decisions("often")) != 0 {
				t.Errorf("decided during a pause: %+v", late.decisions("often"))
			}
		})
	})

	t.Run("triggers wait for the end of a pause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.runNode("bus-1")
			n.createTriggered("report", bus.Triggers{Jobs: []bus.Trigger{completed("load")}})
			n.pauseGroup("app")
			e := n.execute("load", "2000-01-01", nil)
			time.Sleep(time.Second)
			n.end(e, subjects.Completed, "COMPLETED")
			time.Sleep(2 * time.Minute)
			n.checkStarted("during the pause", "report", "")
			n.resumeGroup("app", false)
			time.Sleep(time.Second)
			n.checkStarted("after the pause", "report", "2000-01-01")
		})
	})
}

func TestEventsOfGroupPauses(t *testing.T) {
	w := newWorld(t)
	n := w.newNode("bus-1")
	sub, err := n.bus.NC.SubscribeSync("jobstreamer.event.schedule.>")
	if err != nil {
		t.Fatal(err)
	}
	n.pauseGroup("")
	n.pauseGroup("") // changes nothing
	n.pauseGroup("shop")
	n.resumeGroup("shop", true)
	n.resumeGroup("shop", true)
	n.resumeGroup("", false)
	for _, want := range []struct{ subject, of, what string }{
		{"jobstreamer.event.schedule.all", "all", "paused"}, {"jobstreamer.event.schedule.app.shop", "app.shop", "paused"},
		{"jobstreamer.event.schedule.app.shop", "app.shop", "resumed"}, {"jobstreamer.event.schedule.all", "all", "resumed"},
	} {
		m, err := sub.NextMsg(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var e subjects.Event
		var p bus.PausePeriod
		if err := errors.Join(json.Unmarshal(m.Data, &e), json.Unmarshal(e.Detail, &p)); err != nil {
			t.Fatal(err)
		}
		if m.Subject != want.subject || e.Subject != want.of || e.What != want.what || p.By != "ann" || p.Reason != "maintenance" || p.IsOn() != (want.what == "paused") {
			t.Errorf("event on %s: %+v, want %+v", m.Subject, e, want)
		}
	}
	if m, err := sub.NextMsg(time.Millisecond); err == nil {
		t.Errorf("one more event: %s", m.Data)
	}
}

func TestPausesThatStillMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.runNode("bus-1")
		start := time.Now()
		n.createSchedule("often", "0/10 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		n.createSchedule("own", "0/10 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		time.Sleep(5 * time.Second)
		if err := n.Pause(t.Context(), keyOf("own"), bus.Pause{}); err != nil {
			t.Fatal(err)
		}
		for range maxPeriods + 10 { // all of them during the pause of a schedule
			n.pauseGroup("app")
			time.Sleep(6 * time.Second)
			n.resumeGroup("app", false)
			time.Sleep(4 * time.Second)
		}
		if got := len(n.index.Pauses().Of("app").Periods); got != maxPeriods+10 {
			t.Errorf("%d pauses are kept while a schedule may still be caught up, want %d", got, maxPeriods+10)
		}
		if _, err := n.Resume(t.Context(), keyOf("own"), true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		n.checkFired("own", start) // all of its times were during pauses of the application
		n.pauseGroup("app")
		n.resumeGroup("app", false)
		if got := len(n.index.Pauses().Of("app").Periods); got != maxPeriods {
			t.Errorf("%d pauses are kept, want %d", got, maxPeriods)
		}
	})
}

func TestPauseWithTwoBuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		one := w.runNode("bus-1")
		two := w.runNode("bus-2")
		one.createSchedule("often", "0 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		time.Sleep(90 * time.Second)
		two.pauseGroup("")
		time.Sleep(time.Minute)
		one.die()
		time.Sleep(time.Minute) // two leads; 120 and 180 have passed
		two.resumeGroup("", true)
		time.Sleep(time.Minute)
		two.checkFired("often", start, 60, 120, 180, 240)
	})
}

// A calendar counts from its change on, so what was due before is decided then.
func TestChangeOfACalendarDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		n := w.newNode("bus", alwaysLeads)
		key := n.saveCalendar(calendar.Calendar{Name: "c"})
		n.createSchedule("often", "0 0/10 * * * ?", withCalendar(key, calendar.NoSubstitution), func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		n.pauseGroup("")
		time.Sleep(25 * time.Minute) // two times pass
		n.walkNow("often")
		n.saveCalendar(weekendOff)   // today is Saturday
		time.Sleep(15 * time.Minute) // one more time passes, on a holiday
		n.resumeGroup("", true)
		n.walkNow("often")
		n.checkFired("often", start)
		all := n.decisions("often")
		for _, passed := range []int64{600, 1200} {
			if f := all[start.Unix()+passed]; f.Skipped != skippedPaused {
				t.Errorf("a time before the change of the calendar: %+v", f)
			}
		}
		if len(all) != 2 {
			t.Errorf("%d decisions, want 2", len(all))
		}
	})
}

func TestSharedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r sharedRead
		reads := 0
		read := func(context.Context) error {
			time.Sleep(time.Second)
			reads++
			return errors.New("failed")
		}
		begin := time.Now()
		for i := range 10 {
			go func() {
				if i > 0 {
					time.Sleep(time.Second / 2) // the first read has begun, so it may be too old
				}
				if err := r.share(t.Context(), read); err == nil || err.Error() != "failed" {
					t.Errorf("error: %v", err)
				}
				if took := time.Since(begin); i > 0 && took != 2*time.Second {
					t.Errorf("an answer came after %v, want 2s", took)
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if reads != 2 {
			t.Errorf("%d reads, want 2", reads)
		}
	})
}
