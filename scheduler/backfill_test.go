package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// String returns the times that fire, and those that are left out.
func (b *Backfilled) String() string {
	var all []string
	for _, f := range b.Fires {
		text := f.Time.Format("15:04")
		if f.Was != "" {
			text += " after " + f.Was
		}
		if !f.From.IsZero() {
			text += " from " + f.From.Format("Mon")
		}
		all = append(all, text)
	}
	for _, l := range b.LeftOut {
		text := "not " + l.Time.Format("15:04") + " " + l.Reason
		if l.Execution != 0 {
			text += fmt.Sprintf(" %d", l.Execution)
		}
		all = append(all, text)
	}
	if !b.Next.IsZero() {
		all = append(all, "next "+b.Next.Format("15:04"))
	}
	return strings.Join(all, ", ")
}

func TestPlanBackfill(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse("2006-01-02T15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const day = "2026-05-04T" // a Monday
	weekend, err := calendar.Compile(&weekendOff, calendar.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	off := &calendars.Compiled{Days: weekend}
	past := func(of map[string]pastDecision, runs ...skippedRun) *pastDecisions {
		p := &pastDecisions{at: map[int64]pastDecision{}, runs: runs}
		for text, d := range of {
			p.at[at(text).Unix()] = d
		}
		return p
	}
	for _, tt := range []struct {
		name     string
		sc       bus.Schedule
		c        *calendars.Compiled
		from, to string
		past     *pastDecisions
		limit    int
		want     string
	}{
		{"nothing was decided, and the end is excluded", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "11:00", past(nil), 10, "08:00, 09:00, 10:00"},
		{"the oldest fire up to the limit", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "12:00", past(nil), 2, "08:00, 09:00, next 10:00"},
		{"the limit is just enough", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "10:00", past(nil), 2, "08:00, 09:00"},
		{"a time with an execution does not fire again", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "11:00",
			past(map[string]pastDecision{day + "09:00": {execution: 7}, day + "10:00": {execution: 8, closed: true}}), 10, "08:00, not 09:00 fired 7, not 10:00 fired 8"},
		{"a fire that waits does not fire again", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "09:00",
			past(map[string]pastDecision{day + "08:00": {execution: 7, waits: true}}), 10, "not 08:00 waiting 7"},
		{"a skipped time fires", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "10:00",
			past(map[string]pastDecision{day + "08:00": {skipped: "misfire"}, day + "09:00": {execution: 7, closed: true, skipped: "cancelled"}}), 10, "08:00 after misfire, 09:00 after cancelled"},
		{"a fire whose execution was deleted while it was submitted", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "09:00",
			past(map[string]pastDecision{day + "08:00": {execution: 7, closed: true, skipped: bus.CodeNoSuchExecution}}), 10, "not 08:00 fired 7"},
		{"a time within a run of skipped times", bus.Schedule{Cron: "@hourly"}, nil, day + "08:00", day + "11:00",
			past(nil, skippedRun{at(day + "00:00").Unix(), at(day + "07:30").Unix(), "paused"}, skippedRun{at(day + "08:30").Unix(), at(day + "09:30").Unix(), "misfire"}),
			10, "08:00, 09:00 after misfire, 10:00"},
		{"jitter delays a time until later", bus.Schedule{App: "a", Job: "j", Cron: "@hourly", Jitter: "24h"}, nil, day + "10:00", day + "12:00", past(nil), 10, "not 10:00 not_due, not 11:00 not_due"},
		{"times on holidays are left out", bus.Schedule{Cron: "@daily", Calendar: "c"}, off, "2026-05-02T00:00", "2026-05-05T00:00", past(nil), 10, "00:00, not 00:00 holiday, not 00:00 holiday"},
		{"moved times fire when they were moved to", bus.Schedule{Cron: "0 0 9 ? * SAT", Calendar: "c", Substitution: "next"}, off, "2026-05-01T00:00", "2026-05-05T00:00", past(nil), 10, "09:00 from Sat, not 09:00 holiday"},
		{"a moved time whose origin fired before", bus.Schedule{Cron: "0 0 9 ? * SAT", Calendar: "c", Substitution: "next"}, off, "2026-05-04T00:00", "2026-05-05T00:00",
			past(map[string]pastDecision{"2026-05-02T09:00": {execution: 5}}), 10, "not 09:00 decided 5"},
		{"a moved time whose origin was skipped before", bus.Schedule{Cron: "0 0 9 ? * SAT", Calendar: "c", Substitution: "next"}, off, "2026-05-04T00:00", "2026-05-05T00:00",
			past(map[string]pastDecision{"2026-05-02T09:00": {skipped: "misfire"}}), 10, "09:00 from Sat"},
		{"no time", bus.Schedule{Cron: "@yearly"}, nil, day + "08:00", day + "11:00", past(nil), 10, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newPlan(&tt.sc, time.UTC, tt.c)
			if err != nil {
				t.Fatal(err)
			}
			got := p.planBackfill(at(tt.from), at(tt.to), at(day+"12:00"), tt.limit, tt.past)
			if got.String() != tt.want {
				t.Errorf("fires %s, want %s", got.String(), tt.want)
			}
		})
	}
}

func TestBoundsOfABackfill(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ from, to, want string }{
		{"2026-11-01", "2026-11-03", "2026-10-31T23:00:00Z 2026-11-03T23:00:00Z"},
		{"2026-11-01T06:00", "2026-11-01T07:00:30", "2026-11-01T05:00:00Z 2026-11-01T06:00:30Z"},
		{"2026-11-01T06:00:00.5Z", "2026-11-01T07:00:00+02:00", "/from: want a time before to, got 2026-11-01T06:00:00.5Z"},
		{"2026-11-28T00:00:00Z", "2026-11-29", "2026-11-28T00:00:00Z 2026-11-29T12:00:00Z"}, // today
		{"2026-11-28", "2026-11-30", "/to: want a time that is not to come: the schedule itself fires at those, got 2026-11-30"},
		{"2025-11-01", "2026-11-03", "/from: want a time at most a year before to, got 2025-11-01"},
		{"", "2026-11-03", "/from: want " + WantBackfillTime},
		{"2026-11-01", "noon", "/to: want " + WantBackfillTime + ", got noon"},
		{"1969-11-01T00:00:00Z", "1969-12-01T00:00:00Z", "/from: want " + WantBackfillTime + ", got 1969-11-01T00:00:00Z"},
	} {
		from, to, err := (&BackfillQuery{From: tt.from, To: tt.to}).bounds(berlin, now)
		got := from.UTC().Format(time.RFC3339) + " " + to.UTC().Format(time.RFC3339)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("from %q to %q: %s, want %s", tt.from, tt.to, got, tt.want)
		}
	}
}

// backfill fires times of a schedule, from and to in seconds after start, and
// returns them in the same way.
func (n *node) backfill(schedule string, start time.Time, from, to int64, set ...func(*BackfillQuery)) (fires []int64, out Backfilled) {
	n.t.Helper()
	q := BackfillQuery{From: start.Add(time.Duration(from) * time.Second).Format(time.RFC3339), To: start.Add(time.Duration(to) * time.Second).Format(time.RFC3339)}
	for _, f := range set {
		f(&q)
	}
	out, err := n.Backfill(n.t.Context(), keyOf(schedule), q)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range out.Fires {
		fires = append(fires, f.Time.Unix()-start.Unix())
	}
	return fires, out
}

func atOnce(concurrency int) func(*BackfillQuery) {
	return func(q *BackfillQuery) { q.Concurrency = concurrency }
}

func TestBackfill(t *testing.T) {
	t.Run("as many executions run as were asked for, the oldest first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(time.Hour)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Parameters = map[string]string{"k": "v"} })
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			if fires, _ := n.backfill("often", start, -3600, 0, func(q *BackfillQuery) { q.DryRun = true }); !slices.Equal(fires, []int64{-3600, -3000, -2400, -1800, -1200, -600}) {
				t.Errorf("a dry run says %v", fires)
			}
			if d := n.decisions("often"); len(d) != 0 {
				t.Errorf("a dry run decided %+v", d)
			}
			fires, out := n.backfill("often", start, -3600, 0, atOnce(2), func(q *BackfillQuery) { q.Limit, q.By = 4, "ann" })
			if !slices.Equal(fires, []int64{-3600, -3000, -2400, -1800}) || out.ID == 0 || out.Next.Unix() != start.Unix()-1200 {
				t.Errorf("fires %v, %+v", fires, out)
			}
			time.Sleep(time.Minute)
			n.checkFired("often", start, -3600, -3000)
			n.endExecution("often", start, -3000)
			time.Sleep(time.Second)
			n.checkFired("often", start, -3600, -3000, -2400)
			n.endExecution("often", start, -3600)
			n.endExecution("often", start, -2400)
			time.Sleep(time.Minute)
			n.checkFired("often", start, -3600, -3000, -2400, -1800)
			all, err := n.Backfills(t.Context(), "app", "often")
			if err != nil || len(all) != 1 || all[0].ID != out.ID || all[0].Completed != 3 || all[0].Running != 1 || all[0].Fires() != 4 || all[0].By != "ann" {
				t.Errorf("backfills %+v, %v", all, err)
			}
			e, err := n.bus.Executions.Get(t.Context(), bus.ExecutionKey("app", "often", out.Fires[0].Execution))
			if err != nil || e.Value.Backfill != out.ID || e.Value.ScheduledFor.Std().Unix() != start.Unix()-3600 || e.Value.ScheduledDate != "2000-01-01" || e.Value.Parameters["k"] != "v" {
				t.Errorf("execution %+v, %v", e.Value, err)
			}
			n.checkWhy("a time of a backfill", "often", start.Add(-time.Hour), OutcomeFired,
				fmt.Sprintf("2000-01-01 00:00:00 UTC fired as execution %d. Backfill %d ordered it at 2000-01-01 01:00:00 UTC by ann.", out.Fires[0].Execution, out.ID))
			// What has an execution does not get another one.
			if fires, out := n.backfill("often", start, -3600, 0, atOnce(9)); !slices.Equal(fires, []int64{-1200, -600}) || out.LeftOutCount != 4 || out.LeftOut[0].Reason != leftFired {
				t.Errorf("fires %v, %+v", fires, out)
			}
			time.Sleep(time.Minute)
			n.checkFired("often", start, -3600, -3000, -2400, -1800, -1200, -600)
		})
	})

	t.Run("two backfills and a walk at the same moment", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(time.Hour)
			start := time.Now()
			walk := w.newNode("walk", alwaysLeads)
			walk.createSchedule("often", "0 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
			one, two := w.runNode("bus-1", withLeads(false)), w.newNode("bus-2")
			time.Sleep(10*time.Minute + time.Second)
			var g sync.WaitGroup
			var mu sync.Mutex
			fired := map[int64]int{}
			for _, n := range []*node{one, two} {
				g.Go(func() {
					fires, _ := n.backfill("often", start, -3600, 601, atOnce(100))
					mu.Lock()
					defer mu.Unlock()
					for _, second := range fires {
						fired[second]++
					}
				})
			}
			g.Go(func() { walk.walkNow("often") })
			g.Wait()
			time.Sleep(time.Second)
			synctest.Wait()
			walk.walkNow("often")
			for second := int64(-3600); second <= 600; second += 60 {
				if fired[second] > 1 || second < 0 && fired[second] == 0 {
					t.Errorf("%d backfills say that they fire %d", fired[second], second)
				}
			}
			walk.checkExactly("often", "0 * * * * ?", start.Add(-time.Hour-1), start.Add(10*time.Minute))
		})
	})

	t.Run("overlap does not count them, and they do not wait for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(time.Hour)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", "0 0/10 * * * ?", overlapping(bus.OverlapSkip))
			n.backfill("often", start, -1800, 0)
			time.Sleep(11 * time.Minute)
			n.checkFired("often", start, -1800, 600)
			time.Sleep(10 * time.Minute)
			n.checkFired("often", start, -1800, 600) // the execution of 600 runs
			n.endExecution("often", start, -1800)
			time.Sleep(time.Second)
			n.checkFired("often", start, -1800, -1200, 600)
		})
	})

	t.Run("a failed execution that awaits its retry counts as running", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(time.Hour)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", "0 0/10 * * * ?")
			_, out := n.backfill("often", start, -1200, 0)
			time.Sleep(6 * time.Second)
			change := func(id int64, change func(e *bus.Execution)) {
				t.Helper()
				_, err := n.bus.Executions.Change(t.Context(), bus.ExecutionKey("app", "often", id), func(e *bus.Execution) (*bus.Execution, error) {
					change(e)
					return e, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			first := out.Fires[0].Execution
			change(first, func(e *bus.Execution) {
				e.BatchStatus, e.EndTime, e.RetryDue = subjects.Failed, subjects.Now(), subjects.TimeOf(time.Now().Add(time.Hour))
			})
			time.Sleep(time.Minute)
			n.checkFired("often", start, -1200)
			change(first, func(e *bus.Execution) { e.RestartedBy = first + 1000 })
			time.Sleep(time.Minute)
			n.checkFired("often", start, -1200)
			restart := bus.Execution{Execution: subjects.Execution{ID: first + 1000, InstanceID: first, App: "app", Job: "often", RestartOf: first, BatchStatus: subjects.Completed, EndTime: subjects.Now()}, Backfill: out.ID}
			if _, err := n.bus.Executions.Create(t.Context(), restart.Key(), restart); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			n.checkFired("often", start, -1200, -600)
			if all, err := n.Backfills(t.Context(), "app", "often"); err != nil || len(all) != 1 || all[0].Completed != 1 || all[0].Running != 1 {
				t.Errorf("backfills %+v, %v", all, err)
			}
		})
	})
}

// withLeads makes the lease of a bus give this answer.
func withLeads(leads bool) func(*node) { return func(n *node) { n.leases = always{leads} } }

func TestBackfillSurvivesABus(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(n *node)
	}{
		{"it dies before it submits the first fire", func(n *node) {
			n.records.before = func(execution.Submission) error { n.die(); return errDied }
		}},
		{"it dies after it submitted the first fire", func(n *node) {
			n.records.after = func(execution.Submission) error { n.die(); return errDied }
		}},
		{"it does not lead any more", func(n *node) { n.leases = always{false} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				time.Sleep(time.Hour)
				start := time.Now()
				one := w.runNode("bus-1", tt.set)
				one.createSchedule("often", "0 0/10 * * * ?")
				one.backfill("often", start, -1800, 0)
				time.Sleep(6 * time.Second)
				two := w.runNode("bus-2")
				time.Sleep(time.Minute)
				two.checkFired("often", start, -1800)
				two.endExecution("often", start, -1800)
				time.Sleep(10 * time.Second)
				two.checkFired("often", start, -1800, -1200)
				two.endExecution("often", start, -1200)
				time.Sleep(10 * time.Second)
				two.checkFired("often", start, -1800, -1200, -600)
			})
		})
	}
	t.Run("the bus that stores the fires dies, and they are ordered again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(time.Hour)
			start := time.Now()
			two := w.runNode("bus-2")
			made := 0
			var mu sync.Mutex
			one := w.newNode("bus-1", func(n *node) {
				n.fires = faultyStore{fireStore: n.fires, after: func(string) error {
					mu.Lock()
					defer mu.Unlock()
					if made++; made == 20 {
						n.die()
						return errDied
					}
					return nil
				}}
			})
			two.createSchedule("often", "0 * * * * ?")
			q := BackfillQuery{From: start.Add(-time.Hour).Format(time.RFC3339), To: start.Format(time.RFC3339), Concurrency: 100}
			if _, err := one.Backfill(t.Context(), keyOf("often"), q); err == nil || !strings.Contains(err.Error(), "of 60 times; send it again for the others") {
				t.Errorf("error %v", err)
			}
			if _, err := two.Backfill(t.Context(), keyOf("often"), q); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
			two.checkExactly("often", "0 * * * * ?", start.Add(-time.Hour-1), start.Add(-1))
		})
	})
}

// The key of a backfill must not move where a walk begins.
func TestWalkIgnoresKeysOfBackfills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		n := w.newNode("bus-1", alwaysLeads)
		n.createSchedule("often", "0 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		time.Sleep(10*time.Minute + time.Second) // the walk is late
		n.backfill("often", start, 300, 541, atOnce(100))
		n.walkNow("often")
		n.walkNow("often")
		n.checkExactly("often", "0 * * * * ?", start, start.Add(10*time.Minute))
		for second, f := range n.decisions("often") {
			if f.Generation != 1 {
				t.Errorf("generation %d of %d, want that of the walk", f.Generation, second-start.Unix())
			}
		}
	})
}

func TestBackfillOfSkippedTimes(t *testing.T) {
	t.Run("single times, and what a bus does that starts afterwards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.newNode("bus-1", alwaysLeads)
			n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = bus.MisfireSkip })
			time.Sleep(time.Hour + 5*time.Minute)
			n.walkNow("often")
			n.checkFired("often", start)
			fires, out := n.backfill("often", start, 1800, 3601, atOnce(10))
			if !slices.Equal(fires, []int64{1800, 2400, 3000, 3600}) || out.Fires[0].Was != skippedMisfire {
				t.Errorf("fires %v, %+v", fires, out)
			}
			decided := n.decisions("often") // a walk begins where they say
			n.stop()
			two := w.runNode("bus-2")
			time.Sleep(time.Minute)
			two.checkFired("often", start, 1800, 2400, 3000, 3600)
			for second, f := range decided {
				if (f.Skipped == "") != (second-start.Unix() >= 1800) || f.Generation != 1 {
					t.Errorf("decided at %d: %+v", second-start.Unix(), f)
				}
			}
		})
	})

	t.Run("times of a run that share a key", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.newNode("bus-1", alwaysLeads)
			n.createSchedule("often", "0 * * * * ?")
			time.Sleep(time.Hour + 30*time.Second)
			n.walkNow("often") // a run up to 3540, and 3600 fires late
			n.checkFired("often", start, 3600)
			run := n.decisions("often")[start.Unix()+3540]
			if run.SkippedCount != 59 {
				t.Fatalf("decided %+v, want a run of 59", run)
			}
			fires, out := n.backfill("often", start, 3300, 3541, atOnce(100))
			if !slices.Equal(fires, []int64{3300, 3360, 3420, 3480, 3540}) || out.Fires[0].Was != skippedMisfire || out.Fires[4].Was != skippedMisfire {
				t.Errorf("fires %v, %+v", fires, out)
			}
			n.stop()
			two := w.runNode("bus-2")
			time.Sleep(time.Minute)
			two.checkFired("often", start, 3300, 3360, 3420, 3480, 3540, 3600, 3660)
			for second, want := range map[int64]string{3540: "fired", 3480: "fired", 3240: "59 misfire", 3300: "fired", 60: "59 misfire"} {
				d, err := two.decisionAbout(t.Context(), keyOf("often"), start.Add(time.Duration(second)*time.Second))
				if err != nil || d == nil {
					t.Fatalf("no decision about %d: %v", second, err)
				}
				got := "fired"
				if d.Skipped != "" {
					got = fmt.Sprintf("%d %s", d.SkippedCount, d.Skipped)
				}
				if got != want {
					t.Errorf("about %d: %s, want %s", second, got, want)
				}
			}
			all, err := two.Fires(t.Context(), "app", "often", "", FireQuery{Limit: 100})
			if err != nil || len(all) != 8 { // seven fires, and the run
				t.Errorf("%d decisions, %v: %+v", len(all), err, all)
			}
			early, err := two.Fires(t.Context(), "app", "often", "", FireQuery{From: start, To: start.Add(10 * time.Minute), Limit: 100})
			if err != nil || len(early) != 1 || early[0].SkippedCount != 59 || early[0].SkippedFrom.Std().Unix() != start.Unix()+60 {
				t.Errorf("decisions %+v, %v, want the run", early, err)
			}
		})
	})

	t.Run("a pause ends after a backfill of its times", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.runNode("bus-1")
			n.createSchedule("often", "0 * * * * ?")
			time.Sleep(30 * time.Second)
			if err := n.Pause(t.Context(), keyOf("often"), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour - 30*time.Second) // up to a nominal time
			n.backfill("often", start, 3540, 3600, atOnce(100))
			out, err := n.Backfill(t.Context(), keyOf("often"), BackfillQuery{From: start.Add(time.Hour).Format(time.RFC3339), To: start.Add(time.Hour).Format("2006-01-02T15:04:05.001Z07:00")})
			if err == nil {
				t.Errorf("a time to come was accepted: %+v", out)
			}
			time.Sleep(time.Second)
			n.backfill("often", start, 3600, 3601, atOnce(100))
			time.Sleep(6 * time.Second)
			n.checkFired("often", start, 3540, 3600)
			if err := n.resumeNow(keyOf("often")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			n.checkFired("often", start, 3540, 3600, 3660)
			n.checkWhy("a time of the pause", "often", start.Add(30*time.Minute), OutcomeSkipped, "2000-01-01 00:30:00 UTC was skipped: the schedule was paused; the pause ended, or the schedule changed during it, at 2000-01-01 01:00:07 UTC.")
		})
	})

	t.Run("a run whose last time a backfill has fired already", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.newNode("bus-1", alwaysLeads)
			n.createSchedule("often", "0 * * * * ?")
			time.Sleep(time.Hour + 30*time.Second)
			n.backfill("often", start, 3540, 3541)
			n.walkNow("often") // a run up to 3540, and 3600 fires late
			f := n.decisions("often")[start.Unix()+3540]
			if f.SkippedCount != 59 || f.Skipped != "" || f.Backfill.Was != skippedMisfire || f.Generation != 1 {
				t.Errorf("decided %+v, want the fire with the run", f)
			}
			n.walkNow("often")
			n.checkFired("often", start, 3540, 3600)
		})
	})
}

func TestCancelledBackfill(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		cancel       func(n *node, id int64) error
	}{
		{"somebody cancels it", skippedCancelled, func(n *node, id int64) error {
			if _, err := n.CancelBackfill(n.t.Context(), "app", "often", id+1000); codeOf(err) != bus.CodeNoSuchBackfill {
				return fmt.Errorf("cancelled another backfill: %w", err)
			}
			closed, err := n.CancelBackfill(n.t.Context(), "app", "often", id)
			if closed != 2 {
				return errors.Join(fmt.Errorf("closed %d", closed), err)
			}
			return err
		}},
		{"somebody cancels all", skippedCancelled, func(n *node, _ int64) error {
			_, err := n.CancelBackfill(n.t.Context(), "app", "often", 0)
			return err
		}},
		{"the job is deleted", skippedDeleted, func(n *node, _ int64) error { return n.CloseSchedules(n.t.Context(), "app", "often") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				time.Sleep(time.Hour)
				start := time.Now()
				n := w.runNode("bus-1")
				n.createSchedule("often", "0 0/10 * * * ?")
				_, out := n.backfill("often", start, -1800, 0)
				time.Sleep(time.Second)
				if err := tt.cancel(n, out.ID); err != nil {
					t.Fatal(err)
				}
				n.endExecution("often", start, -1800)
				time.Sleep(time.Minute)
				n.checkFired("often", start, -1800)
				for _, second := range []int64{-1200, -600} {
					if f := n.decisions("often")[start.Unix()+second]; f.Skipped != tt.reason {
						t.Errorf("decided %+v", f)
					}
				}
				if tt.reason != skippedCancelled {
					return
				}
				all, err := n.Backfills(t.Context(), "app", "often")
				if err != nil || len(all) != 1 || all[0].Cancelled != 2 || all[0].Completed != 1 {
					t.Errorf("backfills %+v, %v", all, err)
				}
				n.checkWhy("a cancelled time", "often", start.Add(-20*time.Minute), OutcomeSkipped,
					fmt.Sprintf("2000-01-01 00:40:00 UTC was skipped: backfill %d was to fire it, but was cancelled while it waited.", out.ID))
				// The times can be ordered again.
				n.backfill("often", start, -1800, 0, atOnce(2))
				time.Sleep(time.Minute)
				n.checkFired("often", start, -1800, -1200, -600)
			})
		})
	}
}

func TestBackfillOfTimesWhoseDecisionsAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.retention = bus.Retention{Fires: 24 * time.Hour}
		n := w.newNode("bus-1", alwaysLeads)
		n.createSchedule("nightly", "0 0 * * * ?")
		time.Sleep(72 * time.Hour)
		now := time.Now()
		q := BackfillQuery{From: now.Add(-25 * time.Hour).Format(time.RFC3339), To: now.Format(time.RFC3339), DryRun: true}
		_, err := n.Backfill(t.Context(), keyOf("nightly"), q)
		var wrong *bus.FieldError
		if !errors.As(err, &wrong) || wrong.Path != "/from" || !strings.Contains(wrong.Want, "a time after 2000-01-03T00:10:00Z: decisions about earlier times are not kept") {
			t.Errorf("error %v", err)
		}
		q.From = now.Add(-23 * time.Hour).Format(time.RFC3339)
		if out, err := n.Backfill(t.Context(), keyOf("nightly"), q); err != nil || len(out.Fires) != 23 {
			t.Errorf("%+v, %v", out, err)
		}
		// Nothing was decided about a job that is new.
		if _, err := n.bus.Jobs.Create(t.Context(), "app.young", bus.Job{App: "app", Name: "young", Definition: []byte(definition), CreateTime: subjects.Now()}); err != nil {
			t.Fatal(err)
		}
		n.setSchedule(bus.Schedule{App: "app", Job: "young", Cron: "0 0 * * * ?", Active: true})
		q.From = now.Add(-25 * time.Hour).Format(time.RFC3339)
		if out, err := n.Backfill(t.Context(), keyOf("young"), q); err != nil || len(out.Fires) != 25 {
			t.Errorf("%+v, %v", out, err)
		}
		if _, err := n.Backfill(t.Context(), keyOf("young/other"), q); codeOf(err) != bus.CodeNoSuchSchedule {
			t.Errorf("a schedule that does not exist: %v", err)
		}
	})
}

// A backfill of an exclusive job waits for executions that it did not start:
// its fires would end as abandoned.
func TestBackfillOfAnExclusiveJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(time.Hour)
		start := time.Now()
		n := w.runNode("bus-1")
		if _, err := n.bus.Jobs.Create(t.Context(), "app.alone", bus.Job{App: "app", Name: "alone", Definition: []byte(`{"exclusive":true,` + definition[1:])}); err != nil {
			t.Fatal(err)
		}
		n.setSchedule(bus.Schedule{App: "app", Job: "alone", Cron: "0 0/10 * * * ?", Active: true})
		rev, err := n.bus.Locks.Create(t.Context(), bus.JobKey("app", "alone"), 4711)
		if err != nil {
			t.Fatal(err)
		}
		n.backfill("alone", start, -1200, 0)
		time.Sleep(time.Minute)
		n.checkFired("alone", start)
		if err := n.bus.Locks.Delete(t.Context(), bus.JobKey("app", "alone"), rev); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		n.checkFired("alone", start, -1200)
	})
}
