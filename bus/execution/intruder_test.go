package execution

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// storeAs stores bytes as agent a2, which has not claimed e. The broker checks
// its expectation, if it has one, and nothing else.
func (w *world) storeAs(e *bus.Execution, data []byte, expect int64) {
	w.Helper()
	m := nats.NewMsg(subjects.ResultSubject(e.App, e.Job, e.ID, "a2"))
	m.Data = data
	var err error
	if expect < 0 {
		_, err = w.js.PublishMsg(w.Context(), m)
	} else {
		_, err = w.bus.b.Pub.Do(w.Context(), m, subjects.ResultFilter(e.App, e.Job, e.ID), expect)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// forge is a result as a2 would write it.
func (w *world) forge(e *bus.Execution, attempt int, status subjects.BatchStatus) []byte {
	data, err := json.Marshal(subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: attempt, BatchStatus: status, ExitStatus: "FORGED",
		Agent: "a2", Handling: "x", Number: 1, Time: subjects.Now(),
	})
	if err != nil {
		w.Fatal(err)
	}
	return data
}

func TestOnlyTheClaimingAgentReports(t *testing.T) {
	for _, c := range []struct {
		name  string
		store func(w *world, e *bus.Execution, last uint64)
	}{
		{"an end", func(w *world, e *bus.Execution, last uint64) {
			w.storeAs(e, w.forge(e, 1, subjects.Completed), int64(last))
		}},
		{"two ends that expect nothing", func(w *world, e *bus.Execution, _ uint64) {
			w.storeAs(e, w.forge(e, 1, subjects.Completed), -1)
			w.storeAs(e, w.forge(e, 1, subjects.Completed), -1)
		}},
		{"the next attempt", func(w *world, e *bus.Execution, last uint64) {
			w.storeAs(e, w.forge(e, 2, subjects.Completed), int64(last))
		}},
		{"a message that is no result", func(w *world, e *bus.Execution, last uint64) {
			w.storeAs(e, []byte("{"), int64(last))
		}},
	} {
		for _, way := range []string{"is lost", "is stopped", "folds late"} {
			play(t, c.name+", and the execution "+way, func(w *world) {
				w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
				time.Sleep(time.Second)
				e := w.submit("X")
				h := w.handle(w.fetch(), "a1")
				if way == "folds late" {
					w.bus.stop()
				}
				h.claim()
				want := subjects.Failed
				if way == "is lost" {
					w.want(e, subjects.Started)
				}
				c.store(w, e, h.last)
				r, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
				if err != nil {
					w.Fatal(err)
				}
				if at, _, err := w.bus.At(w.Context(), r); at != nil || err != nil {
					w.Errorf("At of the forged result = %+v, %v, want nil", at, err)
				}
				if way == "is stopped" {
					want = subjects.Stopped
					if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
						w.Fatal(err)
					}
				}
				if way == "folds late" {
					w.node(Config{})
				}
				got := w.want(e, want)
				if got.Agent != "a1" || got.Attempt != 1 || got.ExitStatus == "FORGED" {
					w.Errorf("ended by %s, attempt %d, with %s", got.Agent, got.Attempt, got.ExitStatus)
				}
				w.storeAs(e, w.forge(e, 1, subjects.Completed), int64(got.LastSequence))
				w.storeAs(e, w.forge(e, 2, subjects.Started), -1)
				time.Sleep(time.Second)
				w.want(e, want)
				if _, err := w.bus.Abandon(w.Context(), e.App, e.Job, e.ID); err != nil {
					w.Errorf("abandon after a forged end: %v", err)
				}
				w.want(e, subjects.Abandoned)
			})
		}
	}
}

// A forged end frees no lock.
func TestAForgedEndKeepsTheLock(t *testing.T) {
	play(t, "exclusive", func(w *world) {
		w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		time.Sleep(time.Second)
		e := w.submit("X")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.storeAs(e, w.forge(e, 1, subjects.Completed), int64(h.last))
		for range 30 {
			w.beat("a1", subjects.Attempt{ID: e.ID, Attempt: 1})
			time.Sleep(time.Second)
		}
		if _, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: "X"}); !bus.HasCode(err, bus.CodeExclusive) {
			w.Errorf("a second execution beside the running one: %v", err)
		}
	})
}

// What an agent stores before the claim neither ends an execution nor lets two
// executions of an exclusive job run.
func TestNoiseBeforeTheClaim(t *testing.T) {
	play(t, "exclusive", func(w *world) {
		w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		time.Sleep(time.Second)
		e := w.submit("X")
		w.storeAs(e, []byte("{"), -1)
		second := *e
		second.ID++
		second.BatchStatus, second.LastSequence = subjects.Undispatched, 0
		w.storeAs(&second, []byte("{"), -1)
		if err := w.bus.acquireLock(w.Context(), &second); !bus.HasCode(err, bus.CodeExclusive) {
			w.Errorf("the lock of a running execution: %v", err)
		}
		var h *handling
		for h == nil { // the first request names sequence 0: its claim is refused
			d := w.fetch()
			if d == nil {
				continue
			}
			h = w.handle(d, "a1")
			if h.say(subjects.Started, nil) != nil {
				h = nil
			}
			_ = d.msg.DoubleAck(w.Context()) // a request that was purged
		}
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
	})
}
