package scheduler

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// requestsOf fetches all requests of a pool as its agents do, and returns the
// ids of the executions in order.
func (n *node) requestsOf(pool string) (ids []int64) {
	n.t.Helper()
	c, err := n.bus.JS.Consumer(n.t.Context(), subjects.RequestStream("app"), subjects.RequestConsumer(pool, subjects.Normal))
	if err != nil {
		n.t.Fatal(err)
	}
	all, err := c.FetchNoWait(100)
	if err != nil {
		n.t.Fatal(err)
	}
	for m := range all.Messages() {
		var r subjects.Request
		if err := json.Unmarshal(m.Data(), &r); err != nil || r.Execution.Pool != pool || !strings.Contains(m.Subject(), "."+pool+".") {
			n.t.Errorf("on %s: a request for the pool %q, %v", m.Subject(), r.Execution.Pool, err)
		}
		ids = append(ids, r.Execution.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestPoolOfASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(time.Hour)
		start := time.Now()
		n := w.runNode("bus-1", withExecutions)
		n.createSchedule("often", "0 0/10 * * * ?", func(sc *bus.Schedule) { sc.Pool = "linux" })
		n.createSchedule("often/plain", "0 5/10 * * * ?")
		time.Sleep(16 * time.Minute)
		_, out := n.backfill("often", start, -1200, -600)
		time.Sleep(10 * time.Second)

		var want, other []int64
		for _, f := range n.decisions("often") {
			want = append(want, f.Execution)
		}
		for _, f := range n.decisions("often/plain") {
			other = append(other, f.Execution)
		}
		slices.Sort(want)
		slices.Sort(other)
		if len(out.Fires) != 1 || !slices.Contains(want, out.Fires[0].Execution) {
			t.Errorf("the backfill fires %+v, of %v", out.Fires, want)
		}
		if got := n.requestsOf("linux"); len(got) != 2 || !slices.Equal(got, want) {
			t.Errorf("the pool of the schedule has requests of %v, want %v", got, want)
		}
		if got := n.requestsOf(subjects.DefaultPool); len(got) != 2 || !slices.Equal(got, other) {
			t.Errorf("the pool of the job has requests of %v, want %v", got, other)
		}
	})
}
