//go:build linux

package crashtest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// outage is the downtime of the only bus. It covers several fire times of a
// schedule that fires every second, and is shorter than misfire_after.
const outage = 5 * time.Second

// TestSingleBusFiresAtOnce kills the only bus. Its NATS is embedded, and its
// name changes with each start.
func TestSingleBusFiresAtOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	w := &world{T: t, evidence: t.TempDir() + "/evidence"}
	w.bus = newDaemon(t, "bus", "serve", "--data", data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0")
	w.client = newClient(t, w.bus)
	w.bus.startAndWait(t)

	jobs := map[string]string{"skips": bus.MisfireSkip, "once": bus.MisfireFireOnce, "all": bus.MisfireFireAll, "paused": bus.MisfireSkip}
	for job, policy := range jobs {
		w.defineJobs(job)
		w.scheduleEachSecond(job, policy)
	}
	time.Sleep(2 * time.Second)
	w.bus.killAndWait()
	dead := time.Now()
	time.Sleep(outage)
	w.bus.startAndWait(t)
	back := time.Now()
	if _, err := w.client.sendUntilAnswered(t.Context(), http.MethodPut, jobPath("paused")+"/schedule/pause", "", struct{}{}, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second)

	// The outage, less one second for the start, contains three to six fire
	// times.
	for job, most := range map[string]int{"skips": 1, "once": 1, "all": 6, "paused": 1} {
		missed, after := 0, 0
		for _, at := range w.firedFor(job) {
			switch {
			case at.After(back):
				after++
			case at.After(dead) && at.Before(back.Add(-time.Second)):
				missed++
			}
		}
		if missed > most || job == "all" && missed < 3 {
			t.Errorf("%s: %d fired of what passed while the bus was dead, want %d at most", job, missed, most)
		}
		if job != "paused" && after < 3 {
			t.Errorf("%s: %d fired in the 4 s after the bus was ready, want 3 at least", job, after)
		}
	}
}

// scheduleEachSecond makes a job fire every second.
func (w *world) scheduleEachSecond(job, policy string) {
	w.Helper()
	body := rest.NewSchedule{CronNotation: "* * * * * ?", Misfire: policy}
	if _, err := w.client.sendUntilAnswered(w.Context(), http.MethodPut, jobPath(job)+"/schedule", "", body, nil); err != nil {
		w.Fatal(err)
	}
}

// firedFor returns the nominal times of a job's executions.
func (w *world) firedFor(job string) (times []time.Time) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	var list rest.List[rest.Execution]
	if _, err := w.client.sendUntilAnswered(ctx, http.MethodGet, jobPath(job)+"/executions?limit=1000", "", nil, &list); err != nil {
		w.Fatal(err)
	}
	for _, e := range list.Results {
		if e.ScheduledFor != 0 {
			times = append(times, e.ScheduledFor.Std())
		}
	}
	return times
}
