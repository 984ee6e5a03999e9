package execution

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// queued is how many requests are in the queue of the application default.
func (w *world) queued() int {
	w.Helper()
	ids, err := w.bus.b.QueuedRequests(w.Context(), "default")
	if err != nil {
		w.Fatal(err)
	}
	return len(ids)
}

// What ends while it waits in a pool without agents leaves nothing in its
// queue, of whatever a doctor could complain for ever.
func TestEndedBeforeAnAgentCame(t *testing.T) {
	for name, end := range map[string]func(w *world, e *bus.Execution) error{
		"abandoned": func(w *world, e *bus.Execution) error {
			_, err := w.bus.Abandon(w.Context(), e.App, e.Job, e.ID)
			return err
		},
		"stopped": func(w *world, e *bus.Execution) error {
			_, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e, other := w.submit("J"), w.submit("J")
				if err := end(w, e); err != nil {
					t.Fatal(err)
				}
				if n := w.queued(); n != 1 {
					t.Errorf("%d requests are queued, want that of the execution that waits", n)
				}
				if d := w.fetch(); d == nil || d.Execution.ID != other.ID {
					t.Errorf("an agent got %v, want %d", d, other.ID)
				}
			})
		})
	}
}

// A bus that died between the end and the removal leaves the request to the
// janitor.
func TestRequestOfAnEndedExecutionIsSweptUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.submit("J")
		live := w.submit("J")
		last, err := w.bus.readLastResult(w.Context(), e, subjects.Undispatched)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.bus.b.PublishResult(w.Context(), w.bus.busResult(e, last, subjects.Abandoned, ""), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if ids, err := w.bus.b.QueuedRequests(w.Context(), "default"); err != nil || len(ids) != 1 || !ids[live.ID] {
			t.Errorf("queued are %v, %v, want only %d", ids, err, live.ID)
		}
	})
}

// A record that is refused takes its request with it: nothing runs of what was
// answered with an error.
func TestRefusedRecordLeavesNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.submit("J") // the queue is there
		w.fetch()
		s, err := w.js.Stream(t.Context(), jetio.BucketStream(subjects.ExecutionsBucket))
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.MaxMsgSize = 100
		if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		before := w.queued()
		if _, _, err := w.bus.Submit(t.Context(), Submission{App: "default", Job: "J"}); err == nil || errors.Is(err, bus.ErrUnknown) {
			t.Errorf("Submit = %v, want a refusal", err)
		}
		if n := w.queued(); n != before {
			t.Errorf("%d requests are queued, before %d", n, before)
		}
	})
}
