package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// countOutcomes counts the outcomes of a job's nominal times after from and up
// to to.
func (n *node) countOutcomes(job string, from, to time.Time) (fired int, skipped map[string]int) {
	n.t.Helper()
	for second := range n.executions(job) {
		if second > from.Unix() && second <= to.Unix() {
			fired++
		}
	}
	skipped = map[string]int{}
	for second, f := range n.decisions(job) {
		if second > from.Unix() && second <= to.Unix() && f.Skipped != "" {
			skipped[f.Skipped] += max(f.SkippedCount, 1)
		}
	}
	return fired, skipped
}

// Every bus is dead for twenty seconds, which is less than misfire_after.
func TestShortOutage(t *testing.T) {
	for _, tt := range []struct {
		policy         string
		fired, skipped int // of the twenty
	}{
		{bus.MisfireSkip, 0, 20},
		{bus.MisfireFireOnce, 0, 20}, // the next one is on time
		{bus.MisfireFireAll, 20, 0},
	} {
		for name, embedded := range map[string]bool{"NATS dies with the bus": true, "NATS lives on": false} {
			t.Run(tt.policy+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.embedded = embedded
					one := w.runNode("bus-1")
					one.createSchedule("often", "* * * * * ?", func(sc *bus.Schedule) { sc.Misfire = tt.policy })
					time.Sleep(10*time.Second + 100*time.Millisecond)
					dead := time.Now()
					one.die()
					time.Sleep(21*time.Second + 200*time.Millisecond)
					two, back := w.runNode("bus-2"), time.Now()
					time.Sleep(5 * time.Second)
					if fired, skipped := two.countOutcomes("often", back, time.Now()); embedded && fired != 5 {
						t.Errorf("%d fires in the first 5 s, want 5; skipped %v", fired, skipped)
					}
					time.Sleep(bus.LeaseTTL + leaseEvery)
					// Times within the second of the handover are on time.
					fired, skipped := two.countOutcomes("often", dead, back.Add(-handover))
					if fired != tt.fired || skipped[skippedMisfire] != tt.skipped {
						t.Errorf("%d fired, skipped %v, want %d and %d", fired, skipped, tt.fired, tt.skipped)
					}
				})
			})
		}
	}
}

// A process that was stopped, or whose machine was suspended, goes on without
// noticing.
func TestFiresAfterAPause(t *testing.T) {
	for _, tt := range []struct {
		policy string
		fired  int // of ten
	}{
		{bus.MisfireSkip, 0}, {bus.MisfireFireOnce, 1}, {bus.MisfireFireAll, 10},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				n := w.newNode("bus-1", alwaysLeads)
				from := time.Now()
				n.createSchedule("often", "0/5 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = tt.policy })
				time.Sleep(52 * time.Second)
				n.walkAsIs("often") // its lease has expired: it does not know who leads
				if fired, _ := n.countOutcomes("often", from, time.Now()); fired != 0 {
					t.Errorf("%d fired before the lease was renewed, want none", fired)
				}
				n.onRenewal(true)
				n.walkAsIs("often")
				if fired, skipped := n.countOutcomes("often", from, time.Now()); fired != tt.fired || fired+skipped[skippedMisfire] != 10 {
					t.Errorf("%d fired, skipped %v, want %d of 10", fired, skipped, tt.fired)
				}
			})
		})
	}
}

func TestStandbyTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		one := w.runNode("bus-1")
		start := time.Now()
		time.Sleep(time.Second)
		two := w.runNode("bus-2")
		skip := func(sc *bus.Schedule) { sc.Misfire = bus.MisfireSkip }
		one.createSchedule("nightly", "30 0 0 * * ?", skip)
		one.createSchedule("often", "* * * * * ?", skip)
		time.Sleep(28*time.Second + 100*time.Millisecond)
		dead := time.Now()
		one.die()
		time.Sleep(30 * time.Second)
		two.checkFired("nightly", start, 30) // late by less than misfire_after, and a bus was running
		taken := two.leadership.leadingSince
		if late := taken.Sub(dead); late < 10*time.Second || late > 25*time.Second {
			t.Fatalf("bus-2 leads %v after bus-1 died, want 15 to 20 s", late)
		}
		if fired, skipped := two.countOutcomes("often", dead, taken); fired > 2 || fired == 0 || skipped[skippedMisfire] < 10 {
			t.Errorf("%d of the times without a leader fired, skipped %v, want only the newest to fire", fired, skipped)
		}
	})
}

func TestEditAfterACrash(t *testing.T) {
	ctx := context.Background()
	edits := map[string]func(n *node) error{
		"a pause":    func(n *node) error { return n.Pause(ctx, keyOf("often"), bus.Pause{}) },
		"a deletion": func(n *node) error { return n.Remove(ctx, keyOf("often")) },
		"an edit": func(n *node) error {
			_, err := n.Set(ctx, bus.Schedule{App: "app", Job: "often", Cron: "0 0 0 * * ?", Active: true})
			return err
		},
	}
	for name, edit := range edits {
		for _, policy := range []string{bus.MisfireSkip, bus.MisfireFireOnce, bus.MisfireFireAll} {
			for _, outage := range []time.Duration{30 * time.Second, 5 * time.Minute} {
				t.Run(name+" "+policy+" "+outage.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t)
						one := w.runNode("bus-1")
						one.createSchedule("often", "0/2 * * * * ?", func(sc *bus.Schedule) { sc.Misfire = policy })
						time.Sleep(11 * time.Second)
						dead := time.Now()
						one.die()
						time.Sleep(outage)
						// It does not lead: the lease of the dead bus has not
						// expired.
						two := w.runNode("bus-2")
						if err := edit(two); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Minute)
						fired, skipped := two.countOutcomes("often", dead, time.Now())
						if want := int(outage / (2 * time.Second)); fired > 1 || fired+skipped[skippedEdited] != want {
							t.Errorf("%d fired, skipped %v, want at most the one that was on time of %d", fired, skipped, want)
						}
					})
				})
			}
		}
	}
}
