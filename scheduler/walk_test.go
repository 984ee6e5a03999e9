package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Each of the following tests has the name of a rule of the verified protocol.

func TestWalkFinishesFiresWithoutARecord(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(n *node)
	}{
		{"a bus dies after it created the key", func(n *node) {
			n.records.before = func(execution.Submission) error { n.die(); return errDied }
		}},
		{"a bus dies when the key is created but not acknowledged", func(n *node) {
			n.fires = faultyStore{fireStore: n.fires, after: func(string) error { n.die(); return errDied }}
		}},
		{"a bus dies after it created the record", func(n *node) {
			n.records.after = func(execution.Submission) error { n.die(); return errDied }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				one := w.runNode("bus-1", tt.set)
				one.createSchedule("nightly", "10 0 0 * * ?")
				time.Sleep(11 * time.Second)
				two := w.runNode("bus-2")
				time.Sleep(30 * time.Second)
				two.checkFired("nightly", start, 10)
				d, made := two.decisions("nightly"), two.executions("nightly")[start.Unix()+10]
				if len(d) != 1 || !slices.Equal(made, []int64{d[start.Unix()+10].Execution}) {
					t.Errorf("decided %+v, but the executions are %v", d, made)
				}
			})
		})
	}
	t.Run("an acknowledgement is lost and the bus lives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			var lost atomic.Int64
			n := w.runNode("bus-1", func(n *node) {
				n.fires = faultyStore{fireStore: n.fires, after: func(string) error {
					lost.Add(1)
					return fmt.Errorf("time-out: %w", bus.ErrAway)
				}}
			})
			n.createSchedule("often", "0/10 * * * * ?")
			time.Sleep(59 * time.Second)
			n.checkFired("often", start, 10, 20, 30, 40, 50)
			if lost.Load() != 5 {
				t.Errorf("%d keys were made, want 5", lost.Load())
			}
		})
	})
	t.Run("the fire belongs to a deleted schedule", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			var mended atomic.Bool
			n := w.runNode("bus-1", func(n *node) {
				n.records.before = func(execution.Submission) error {
					if !mended.Load() {
						return bus.ErrUnknown
					}
					return nil
				}
			})
			n.createSchedule("nightly", "10 0 0 * * ?")
			time.Sleep(11 * time.Second)
			if err := n.Remove(t.Context(), keyOf("nightly")); err != nil {
				t.Fatal(err)
			}
			mended.Store(true)
			time.Sleep(6 * time.Second)
			n.checkFired("nightly", start, 10)
		})
	})
}

func TestOneKeyForAllGenerations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		late, one := w.newNode("late", alwaysLeads), w.newNode("bus-1", alwaysLeads)
		one.createSchedule("often", "30 * * * * ?")
		synctest.Wait()
		read := one.readSchedule("often")
		one.setSchedule(bus.Schedule{App: "app", Job: "often", Cron: "10,20,30,40 * * * * ?", Active: true})
		time.Sleep(35 * time.Second)

		late.renewLease()
		if err := late.decideDue(t.Context(), &read, subjects.Now(), atWalk); err != nil { // by the old plan
			t.Fatal(err)
		}
		synctest.Wait()
		one.walkNow("often")
		one.checkFired("often", start, 10, 20, 30)
		if d := one.decisions("often"); d[start.Unix()+30].Generation != 1 || d[start.Unix()+20].Generation != 2 {
			t.Errorf("decided %+v, want :30 by generation 1 and :20 by 2", d)
		}
	})
}

// A late bus creates a key of the old generation that the walk of the new one
// has not reached yet.
func TestWalkBeginsAtTheNewestKeyOfItsGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		late, one := w.newNode("late", alwaysLeads), w.newNode("bus-1", alwaysLeads)
		one.createSchedule("often", "50 * * * * ?")
		synctest.Wait()
		read := one.readSchedule("often")
		one.setSchedule(bus.Schedule{App: "app", Job: "often", Cron: "20,40 * * * * ?", Active: true})
		time.Sleep(55 * time.Second)
		late.renewLease()
		if err := late.decideDue(t.Context(), &read, subjects.Now(), atWalk); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		one.walkNow("often")
		one.checkFired("often", start, 20, 40, 50)
	})
}

func TestEditDecidesWhatIsDue(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(n *node) error
		want []int64
	}{
		{"an edit", func(n *node) error {
			_, err := n.Set(context.Background(), bus.Schedule{App: "app", Job: "often", Cron: "15,50 * * * * ?", Active: true})
			return err
		}, []int64{10, 30, 50}},
		{"a pause", func(n *node) error { return n.Pause(context.Background(), keyOf("often"), bus.Pause{}) }, []int64{10, 30}},
		{"a deletion", func(n *node) error { return n.Remove(context.Background(), keyOf("often")) }, []int64{10, 30}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				n, leader := w.newNode("bus-1", alwaysLeads), w.newNode("bus-2", alwaysLeads)
				n.createSchedule("often", "10,30 * * * * ?")
				time.Sleep(35 * time.Second) // the leader is slow
				n.renewLease()
				if err := tt.edit(n); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second)
				leader.walkNow("often")
				n.checkFired("often", start, tt.want...)
			})
		})
	}
}

func TestFireKeyClosedBeforeItsRecordGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		n := w.runNode("bus-1")
		n.createSchedule("nightly", "10 0 0 * * ?")
		time.Sleep(15 * time.Second)
		n.checkFired("nightly", start, 10)
		n.purgeExecution("nightly", start.Unix()+10)
		time.Sleep(time.Minute)
		n.checkFired("nightly", start)
		n.stop()
		two := w.runNode("bus-2")
		time.Sleep(time.Minute)
		two.checkFired("nightly", start)
	})
	t.Run("the record is removed while the bus looks for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			n := w.newNode("bus-1", alwaysLeads)
			n.createSchedule("nightly", "10 0 0 * * ?")
			time.Sleep(15 * time.Second)
			n.walkNow("nightly")
			second := start.Unix() + 10
			f := n.decisions("nightly")[second]
			n.ledger.addDecision(keyOf("nightly").FireKey(second), &f) // as after a restart
			n.index.find = func(int64) bool { n.purgeExecution("nightly", second); return false }
			n.walkNow("nightly")
			n.checkFired("nightly", start)
		})
	})
}

// purgeExecution removes an old record as the janitor does.
func (n *node) purgeExecution(job string, second int64) {
	n.t.Helper()
	ctx := context.Background()
	key := keyOf(job).FireKey(second)
	f, err := n.bus.Fires.Get(ctx, key)
	if err != nil {
		n.t.Fatal(err)
	}
	f.Value.Closed = true
	if _, err := n.bus.Fires.Update(ctx, key, f.Value, f.Revision); err != nil {
		n.t.Fatal(err)
	}
	e, err := n.bus.Executions.Get(ctx, bus.ExecutionKey("app", job, f.Value.Execution))
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.bus.Executions.Delete(ctx, e.Key, e.Revision); err != nil {
		n.t.Fatal(err)
	}
}

func TestDeadlinesShorterThanRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		paused := w.runNode("paused", func(n *node) {
			n.fires = faultyStore{fireStore: n.fires, after: func(string) error { time.Sleep(20 * time.Minute); return nil }}
		})
		paused.createSchedule("nightly", "10 0 0 * * ?")
		time.Sleep(11 * time.Second)
		two := w.runNode("bus-2", alwaysLeads)
		time.Sleep(10 * time.Second)
		two.checkFired("nightly", start, 10)
		two.purgeExecution("nightly", start.Unix()+10)
		time.Sleep(30 * time.Minute)
		two.checkFired("nightly", start)
		if n := paused.records.count(); n != 0 {
			t.Errorf("the bus that was paused submitted %d times, want none", n)
		}
	})
	t.Run("a walk that was paused reads again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			start := time.Now()
			var slow sync.Once
			n := w.runNode("bus-1", func(n *node) {
				n.fires = faultyStore{fireStore: n.fires, before: func(string) error {
					slow.Do(func() { time.Sleep(40 * time.Second) })
					return nil
				}}
			})
			n.createSchedule("often", "0/10 * * * * ?")
			time.Sleep(59 * time.Second)
			n.checkFired("often", start, 10, 20, 30, 40, 50)
		})
	})
}

func TestTwoBusesThatBothLeadFireOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		one, two := w.runNode("bus-1", alwaysLeads), w.runNode("bus-2", alwaysLeads)
		for i := range 10 {
			one.createSchedule(fmt.Sprintf("job-%d", i), "* * * * * ?")
		}
		time.Sleep(60*time.Second - time.Millisecond)
		for i := range 10 {
			one.checkExactly(fmt.Sprintf("job-%d", i), "* * * * * ?", start, start.Add(59*time.Second))
		}
		if one.records.count() == 0 || two.records.count() == 0 {
			t.Errorf("%d and %d were submitted, want both buses to fire", one.records.count(), two.records.count())
		}
	})
}

func TestFireThatCannotBeSubmitted(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		skipped string // of the decision
		calls   int    // within ten minutes
	}{
		{"the fire of a running exclusive job becomes an abandoned execution", bus.State(bus.CodeExclusive, "it runs"), "", 1},
		{"the fire of a deleted job is closed", bus.State(bus.CodeNoSuchJob, "no such job"), bus.CodeNoSuchJob, 1},
		{"the fire of a broken definition is closed", &bus.FieldError{Path: "/steps", Want: "a step"}, "definition", 1},
		{"another error is retried with exponential backoff", errors.New("oops"), "", 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				n := w.runNode("bus-1", func(n *node) {
					fail := func(execution.Submission) error { return tt.err }
					if tt.skipped == "" && tt.calls == 1 {
						n.records.after = fail
					} else {
						n.records.before = fail
					}
				})
				n.createSchedule("nightly", "10 0 0 * * ?")
				time.Sleep(10 * time.Minute)
				f := n.decisions("nightly")[start.Unix()+10]
				if f.Skipped != tt.skipped || f.Closed != (tt.skipped != "") || f.Execution == 0 {
					t.Errorf("decided %+v, want skipped %q", f, tt.skipped)
				}
				if n.records.count() != tt.calls {
					t.Errorf("submitted %d times, want %d", n.records.count(), tt.calls)
				}
			})
		})
	}
}

func TestBrokenScheduleDoesNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.runNode("bus-1")
		sc := bus.Schedule{App: "app", Job: "odd", Cron: "@reboot", Active: true, Generation: 1}
		// Past Set, which would refuse it.
		if _, err := n.bus.Schedules.Create(t.Context(), sc.Key().String(), sc); err != nil {
			t.Fatal(err)
		}
		n.createJob("odd")
		time.Sleep(time.Hour)
		if d := n.decisions("odd"); len(d) != 0 {
			t.Errorf("decided %+v, want nothing", d)
		}
		// A new schedule replaces it.
		n.setSchedule(bus.Schedule{App: "app", Job: "odd", Cron: "0 0/10 * * * ?", Active: true})
		start := time.Now()
		time.Sleep(20*time.Minute + time.Second)
		n.checkExactly("odd", "0 0/10 * * * ?", start, start.Add(20*time.Minute))
	})
}

func TestYearsWithoutAWalk(t *testing.T) {
	for _, tt := range []struct {
		policy               string
		keys, fired, skipped int
	}{
		{bus.MisfireFireOnce, 2, 1, maxSkippedCount},
		{bus.MisfireFireAll, 1002, 1001, maxSkippedCount},
		{bus.MisfireSkip, 2, 1, maxSkippedCount},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(3 * 365 * 24 * time.Hour)
				w := newWorld(t)
				n := w.newNode("bus-1", alwaysLeads)
				n.createJob("often")
				sc := bus.Schedule{
					App: "app", Job: "often", Cron: "* * * * * ?", Active: true, Misfire: tt.policy,
					Generation: 1, Since: subjects.Now() - 3*365*24*3600*1000,
				}
				if _, err := n.bus.Schedules.Create(t.Context(), sc.Key().String(), sc); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				n.walkNow("often")
				n.walkNow("often") // one walk may have taken too long
				d, skipped := n.decisions("often"), 0
				for _, f := range d {
					skipped += f.SkippedCount
				}
				if len(d) != tt.keys || len(n.executions("often")) != tt.fired || skipped != tt.skipped {
					t.Errorf("%d keys, %d executions, %d skipped, want %d, %d, %d", len(d), len(n.executions("often")), skipped, tt.keys, tt.fired, tt.skipped)
				}
			})
		})
	}
}
