package execution

import (
	"errors"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Three servers keep three replicas of everything, and one of them is stopped
// in the middle.
func TestThreeReplicas(t *testing.T) {
	t.Parallel()
	servers := bustest.Cluster(t)
	w := newWorldOn(t, servers[0], 3)
	w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
	run := func() {
		t.Helper()
		e := w.submit("J")
		h := w.handle(w.eventually(), "a1")
		w.until("the claim", func() bool { h.n = 0; return h.say(subjects.Started, nil) == nil })
		if err := h.d.msg.Ack(); err != nil {
			t.Error(err)
		}
		if err := w.handle(h.d, "a2").say(subjects.Started, nil); !errors.Is(err, bus.ErrChanged) {
			t.Errorf("a second claim: %v, want it refused", err)
		}
		w.until("the end", func() bool { h.n = 1; return h.say(subjects.Completed, nil) == nil })
		w.want(e, subjects.Completed)
	}
	run()
	for _, name := range []string{subjects.ResultsStream, subjects.RequestStream("default"), jetio.BucketStream(subjects.ExecutionsBucket)} {
		s, err := w.js.Stream(t.Context(), name)
		if err != nil || s.CachedInfo().Config.Replicas != 3 {
			t.Errorf("stream %s has not three replicas: %v", name, err)
		}
	}
	waits := w.submit("J")
	fetched := w.eventually() // the stop takes the request out of the queue, not from an agent that has it
	if got, err := w.bus.Stop(t.Context(), "default", "J", waits.ID); err != nil || got.BatchStatus != subjects.Stopped {
		t.Errorf("stop: %+v, %v", got, err)
	}
	if h := w.handle(fetched, "a1"); h.say(subjects.Started, nil) == nil {
		t.Error("a stopped execution was claimed")
	}
	first := w.submit("X")
	if _, _, err := w.bus.Submit(t.Context(), Submission{App: "default", Job: "X"}); !bus.HasCode(err, bus.CodeExclusive) {
		t.Errorf("a second execution of an exclusive job: %v", err)
	}

	servers[2].Shutdown()
	servers[2].WaitForShutdown()
	h := w.handle(w.eventually(), "a1")
	if h.d.Execution.ID != first.ID {
		t.Fatalf("in the queue is %d, want %d", h.d.Execution.ID, first.ID)
	}
	w.until("the claim", func() bool { h.n = 0; return h.say(subjects.Started, nil) == nil })
	w.until("the end", func() bool { h.n = 1; return h.say(subjects.Completed, nil) == nil })
	w.want(first, subjects.Completed)
	run()
}

// eventually takes the next request, as long as it may take until streams have
// leaders.
func (w *world) eventually() (d *delivery) {
	w.Helper()
	w.until("a request", func() bool { d = w.fetch(); return d != nil })
	return d
}

func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("not within 30 s: %s", what)
		}
	}
}
