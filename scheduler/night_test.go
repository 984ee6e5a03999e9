package scheduler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
)

// longEnv is the environment variable that makes TestNight last eight hours
// instead of 95 minutes if it is 1.
const longEnv = "JOBSTREAMER_TEST_LONG"

// TestNight runs two buses through a night of schedules. Every few minutes one
// of them dies between two steps. A short night has as many crashes as a long
// one, closer together, and every schedule fires in it.
func TestNight(t *testing.T) {
	begin, hours, calm := 90*time.Minute, 95*time.Minute, time.Minute // from 01:30 to 03:05
	if os.Getenv(longEnv) == "1" {
		begin, hours, calm = 20*time.Hour, 8*time.Hour, 8*time.Minute
	}
	jobs := map[string]string{
		"minutely": "0 * * * * ?", "odd": "11/29 * * * * ?", "quarter": "0 0/15 * * * ?",
		"hourly": "0 0 * * * ?", "three": "0 0 3 * * ?", "busy": "0/10 * 1 * * ?",
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(begin)
		w := newWorld(t)
		start, crashes := time.Now(), 0
		nodes := []*mortalNode{w.runMortal("bus-a"), w.runMortal("bus-b")}
		for job, cron := range jobs {
			// Every time fires.
			nodes[0].createSchedule(job, cron, func(sc *bus.Schedule) { sc.Misfire = bus.MisfireFireAll })
		}
		dawn := start.Add(hours)
		for time.Now().Before(dawn) {
			time.Sleep(time.Duration(rand.Int64N(int64(calm))))
			i := rand.IntN(2)
			if rand.IntN(4) == 0 {
				nodes[i].stop()
			} else if nodes[i].dieSoon() {
				crashes++
			}
			time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Second))))
			nodes[i].stop()
			nodes[i] = w.runMortal(fmt.Sprintf("bus-%d-%d", i, crashes))
		}
		time.Sleep(30 * time.Second) // until a bus leads
		for job := range jobs {      // so that nothing fires during the check
			if err := nodes[0].Pause(context.Background(), keyOf(job), bus.Pause{}); err != nil {
				t.Fatal(err)
			}
		}
		end := nodes[0].readSchedule("minutely").Since.Std()
		time.Sleep(time.Minute)
		for job, cron := range jobs {
			nodes[0].checkExactly(job, cron, start, end)
		}
		if crashes < 10 {
			t.Errorf("%d crashes, want more to be tested", crashes)
		}
		t.Logf("%d crashes", crashes)
	})
}

// mortalNode is a bus that a test can make die before or after one of its next
// steps.
type mortalNode struct {
	*node
	fuse atomic.Int64 // steps until it dies; 0 means never
	dead chan struct{}
}

func (w *world) runMortal(name string) *mortalNode {
	m := &mortalNode{dead: make(chan struct{})}
	m.node = w.runNode(name, func(n *node) {
		n.records.before = func(execution.Submission) error { return m.burnFuse(n) }
		n.records.after = n.records.before
		n.fires = faultyStore{fireStore: n.fires, before: func(string) error { return m.burnFuse(n) }, after: func(string) error { return m.burnFuse(n) }}
	})
	return m
}

func (m *mortalNode) burnFuse(n *node) error {
	if m.fuse.Load() == 0 || m.fuse.Add(-1) != 0 {
		return nil
	}
	n.die()
	close(m.dead)
	return errDied
}

// dieSoon blocks until the bus has died. It returns false if the bus has
// nothing to do.
func (m *mortalNode) dieSoon() bool {
	m.fuse.Store(rand.Int64N(8) + 1)
	select {
	case <-m.dead:
		return true
	case <-time.After(90 * time.Second): // the other bus leads
		m.fuse.Store(0)
		return false
	}
}

func TestADayOfTwentyThreeHours(t *testing.T) {
	for _, tt := range []struct {
		name, cron string
		from       time.Time
		want       []string // within 92 minutes, in Berlin time
	}{
		{"a time in the gap moves to its end", "0 30 2 * * ?", time.Date(2000, 3, 25, 23, 59, 0, 0, time.UTC), []string{"03:00 CEST"}},
		{"real time goes on over the gap", "0 0/30 1-3 * * ?", time.Date(2000, 3, 25, 23, 59, 0, 0, time.UTC),
			[]string{"01:00 CET", "01:30 CET", "03:00 CEST", "03:30 CEST"}},
		{"a time in the overlap comes once", "0 30 2 * * ?", time.Date(2000, 10, 28, 23, 59, 0, 0, time.UTC), []string{"02:30 CEST"}},
		{"real time goes on in the overlap", "0 0/30 2-2 * * ?", time.Date(2000, 10, 28, 23, 59, 0, 0, time.UTC),
			[]string{"02:00 CEST", "02:30 CEST", "02:00 CET", "02:30 CET"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				berlin, err := time.LoadLocation("Europe/Berlin")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Until(tt.from))
				w := newWorld(t)
				n := w.runNode("bus-1")
				n.createSchedule("often", tt.cron, func(sc *bus.Schedule) { sc.TimeZone = "Europe/Berlin" })
				time.Sleep(92 * time.Minute)
				fires, err := n.Fires(t.Context(), "app", "often", "", FireQuery{Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, f := range fires { // newest first
					got = append([]string{f.Nominal.Std().In(berlin).Format("15:04 MST")}, got...)
					if late := f.Time.Std().Sub(f.Nominal.Std()); late > 100*time.Millisecond {
						t.Errorf("%v was decided %v late", f.Nominal, late)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("fired at %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestMisfiresAfterAnOutage(t *testing.T) {
	for _, tt := range []struct {
		policy      string
		fired, late int64 // executions after an outage of half an hour, and how many of them are late
		skipped     int
	}{
		{bus.MisfireFireOnce, 2, 1, 2},
		{bus.MisfireFireAll, 4, 3, 0},
		{bus.MisfireSkip, 1, 0, 3},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				n := w.runNode("bus-1")
				n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Misfire = tt.policy })
				time.Sleep(10*time.Minute + time.Second)
				n.stop()
				time.Sleep(32 * time.Minute)
				n = w.runNode("bus-2")
				time.Sleep(10 * time.Second)
				skipped, late := 0, int64(0)
				for _, f := range n.decisions("often") {
					if f.Skipped == skippedMisfire {
						skipped++
					}
					if f.CaughtUp {
						late++
					}
				}
				if fired := int64(len(n.executions("often"))); fired != tt.fired || late != tt.late || skipped != tt.skipped {
					t.Errorf("%d fired, %d of them late, %d skipped, want %d, %d, %d", fired, late, skipped, tt.fired, tt.late, tt.skipped)
				}
			})
		})
	}
}
