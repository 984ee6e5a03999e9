package execution

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestPoolOfASchedule(t *testing.T) {
	play(t, "retries and restarts keep the pool of the schedule, and only that", func(w *world) {
		w.job("R", retried("R", `{"attempts":2,"backoff":"1s"}`, `"pool":"default",`))
		submit := func(pool string) *bus.Execution {
			e, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: "R", Pool: pool})
			if err != nil {
				w.Fatal(err)
			}
			return e
		}
		// fail runs e as an agent of the pool does.
		fail := func(e *bus.Execution, pool string) {
			w.Helper()
			d := w.fetchFrom(pool)
			if d == nil || d.Execution.ID != e.ID || d.Execution.Pool != pool || e.Pool != pool {
				w.Fatalf("in the queue of %s is %+v, want execution %d of %s", pool, d, e.ID, e.Pool)
			}
			h := w.handle(d, "a1")
			h.claim()
			h.end(subjects.Failed)
			w.want(e, subjects.Failed)
		}
		restart := func(e *bus.Execution) *bus.Execution {
			w.Helper()
			e, _, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, nil)
			if err != nil {
				w.Fatal(err)
			}
			return e
		}
		fired, plain := submit("linux"), submit("")
		fail(fired, "linux")
		fail(plain, subjects.DefaultPool)
		time.Sleep(5 * time.Second)
		fired, plain = w.successor(fired), w.successor(plain)
		fail(fired, "linux")
		fail(plain, subjects.DefaultPool)

		key := bus.JobKey("default", "R")
		e, err := w.bus.b.Jobs.Get(w.Context(), key)
		if err != nil {
			w.Fatal(err)
		}
		e.Value.Definition = json.RawMessage(retried("R", `{"attempts":1}`, `"pool":"arm",`))
		if _, err := w.bus.b.Jobs.Update(w.Context(), key, e.Value, e.Revision); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		fail(restart(fired), "linux")
		fail(restart(plain), "arm")
	})
}
