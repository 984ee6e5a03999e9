package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// storeAs stores bytes as agent a2, which has not claimed e. The broker checks
// its expectation, if it has one, and nothing else.
func (w *world) storeAs(e *bus.Execution, data []byte, expect int64) {
	w.Helper()
	w.storeFrom("a2", e, data, expect)
}

// storeFrom is storeAs for another agent.
func (w *world) storeFrom(agent string, e *bus.Execution, data []byte, expect int64) {
	w.Helper()
	m := nats.NewMsg(subjects.ResultSubject(e.App, e.Job, e.ID, agent))
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
	for name, noise := range map[string]func(w *world, e *bus.Execution) []byte{
		"no result":                func(*world, *bus.Execution) []byte { return []byte("{") },
		"a claim of attempt 2":     func(w *world, e *bus.Execution) []byte { return w.forge(e, 2, subjects.Started) },
		"a claim of a far attempt": func(w *world, e *bus.Execution) []byte { return w.forge(e, 1<<40, subjects.Started) },
	} {
		playNoise(t, name, noise)
	}
}

func playNoise(t *testing.T, name string, noise func(w *world, e *bus.Execution) []byte) {
	play(t, name, func(w *world) {
		w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		time.Sleep(time.Second)
		e := w.submit("X")
		w.storeAs(e, noise(w, e), 0)
		second := *e
		second.ID++
		second.BatchStatus, second.LastSequence = subjects.Undispatched, 0
		w.storeAs(&second, []byte("{"), -1)
		if err := w.bus.acquireLock(w.Context(), &second); !bus.HasCode(err, bus.CodeExclusive) {
			w.Errorf("the lock of a running execution: %v", err)
		}
		var h *handling
		for tries := 0; h == nil; tries++ { // the first request names sequence 0: its claim is refused
			if tries == 60 {
				w.Fatal("no request whose claim is taken")
			}
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
		if got := w.want(e, subjects.Completed); got.Attempt != 1 || got.Agent != "a1" {
			w.Errorf("completed by %s in attempt %d, want a1 in attempt 1", got.Agent, got.Attempt)
		}
	})
}

// What the claiming agent stores after the end, or after it was fenced, does not
// count: nobody is notified of it.
func TestLateResultsOfTheClaimingAgent(t *testing.T) {
	late := func(w *world, e *bus.Execution, status subjects.BatchStatus) *bus.StoredResult {
		data := w.forge(e, 1, status)
		w.storeFrom("a1", e, []byte(strings.Replace(string(data), `"a2"`, `"a1"`, 1)), -1)
		r, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		name, job string
		end       func(w *world, e *bus.Execution, h *handling)
		status    subjects.BatchStatus
	}{
		{"a second end", "J", func(_ *world, _ *bus.Execution, h *handling) { h.end(subjects.Completed) }, subjects.Completed},
		{"a start after the end", "J", func(_ *world, _ *bus.Execution, h *handling) { h.end(subjects.Completed) }, subjects.Started},
		{"an end after the bus has ended it", "J", func(w *world, e *bus.Execution, _ *handling) { w.want(e, subjects.Failed) }, subjects.Completed},
		{"an end after a fence", "R", func(w *world, e *bus.Execution, _ *handling) { w.want(e, subjects.Unknown) }, subjects.Completed},
		{"an end after another attempt has begun", "R", func(w *world, e *bus.Execution, _ *handling) {
			w.want(e, subjects.Unknown)
			w.handle(w.fetch(), "a1").claim()
		}, subjects.Completed},
		{"an abandon", "J", func(*world, *bus.Execution, *handling) {}, subjects.Abandoned},
	} {
		for _, way := range []string{"behind", "ahead"} {
			play(t, c.name+", and the record is "+way, func(w *world) {
				w.job("R", `{"id":"R","on_agent_lost":"requeue","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
				time.Sleep(time.Second)
				e := w.submit(c.job)
				h := w.handle(w.fetch(), "a1")
				h.claim()
				c.end(w, e, h)
				time.Sleep(time.Second) // the record is up to date
				if way == "behind" {
					w.bus.stop()
				}
				r := late(w, e, c.status)
				if way == "ahead" {
					for range 100 {
						if now, err := w.bus.Get(w.Context(), e.App, e.Job, e.ID); err == nil && now.LastSequence >= r.Sequence {
							break
						}
						time.Sleep(100 * time.Millisecond)
					}
				}
				if at, changed, err := w.bus.At(w.Context(), r); at != nil || err != nil {
					w.Errorf("At of a late result = %v, %v, %v, want nil", at, changed, err)
				}
			})
		}
	}
}

// A result on a subject of one application does not touch an execution of
// another application with the same id, whether the bus caches that or not.
func TestResultsOfAnotherApplication(t *testing.T) {
	play(t, "the id of a waiting execution", func(w *world) {
		e := w.submit("J")
		other := *e
		other.App, other.Job = "billing", "Z"
		w.storeAs(&other, w.forge(&other, 1, subjects.Completed), 0)
		time.Sleep(2 * time.Second)
		if got, ok := w.bus.x.Find(e.ID); !ok || got.App != "default" || got.BatchStatus != subjects.Undispatched {
			w.Errorf("the execution is %+v, want an undispatched one of default", got)
		}
		if got, err := w.bus.Get(w.Context(), e.App, e.Job, e.ID); err != nil || got.BatchStatus != subjects.Undispatched || got.LastSequence != 0 {
			w.Errorf("its record is %+v, %v", got, err)
		}
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.end(subjects.Completed)
		if got := w.want(e, subjects.Completed); got.Agent != "a1" {
			w.Errorf("completed by %s, want a1", got.Agent)
		}
	})
	play(t, "what is no claim of an execution without a record", func(w *world) {
		ghost := *w.submit("J")
		for i, data := range [][]byte{w.forge(&ghost, 2, subjects.Started), w.forge(&ghost, 1, "odd"), w.forge(&ghost, 1, subjects.Completed), []byte("{")} {
			ghost.ID = int64(2 + i) // of the block that the bus has reserved
			data = bytes.Replace(data, []byte(`"execution_id":1`), fmt.Appendf(nil, `"execution_id":%d`, ghost.ID), 1)
			w.storeAs(&ghost, data, 0)
		}
		time.Sleep(2 * time.Second)
		for id := int64(2); id <= 5; id++ {
			if got, ok := w.bus.x.Find(id); ok {
				w.Errorf("the bus records an execution that nobody has submitted: %+v", got)
			}
		}
	})
	play(t, "an id that no bus has given out", func(w *world) {
		ghost := bus.Execution{Execution: subjects.Execution{ID: 1 << 40, App: "billing", Job: "Z"}}
		w.storeAs(&ghost, w.forge(&ghost, 1, subjects.Completed), 0)
		time.Sleep(2 * time.Second)
		if got, ok := w.bus.x.Find(ghost.ID); ok {
			w.Errorf("the bus records an execution that nobody has submitted: %+v", got)
		}
	})
}

// A flood of results costs a stop or a reader a bounded number of reads, and the
// projector advances in steps.
func TestFloodOfResults(t *testing.T) {
	play(t, "noise", func(w *world) {
		const flood = 3 * maxFolded
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.want(e, subjects.Started)
		w.bus.stop()
		for range flood {
			w.storeAs(e, []byte("{}"), -1)
		}
		r, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		var reads atomic.Int64
		sub, err := w.nc.Subscribe("$JS.API.STREAM.MSG.GET."+subjects.ResultsStream, func(*nats.Msg) { reads.Add(1) })
		if err != nil {
			w.Fatal(err)
		}
		defer sub.Unsubscribe() //nolint:errcheck // the connection ends with the test
		if _, _, err := w.bus.At(w.Context(), r); !errors.Is(err, bus.ErrUnknown) {
			w.Errorf("At far behind = %v, want an error that is ErrUnknown", err)
		}
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Error(err)
		}
		if n := reads.Load(); n == 0 || n > 2*maxFolded+10 {
			w.Errorf("At and Stop read %d results, want at most %d", n, 2*maxFolded)
		}
		steps, err := w.bus.b.JS.KeyValue(w.Context(), "jobstreamer_executions")
		if err != nil {
			w.Fatal(err)
		}
		watch, err := steps.Watch(w.Context(), e.Key(), jetstream.UpdatesOnly())
		if err != nil {
			w.Fatal(err)
		}
		n := w.node(Config{})
		writes := 0
		for now := uint64(0); now < r.Sequence; {
			var rec bus.Execution
			if err := json.Unmarshal((<-watch.Updates()).Value(), &rec); err != nil {
				w.Fatal(err)
			}
			now = rec.LastSequence
			writes++
		}
		if writes < flood/maxFolded {
			w.Errorf("the projector wrote the record %d times for %d results", writes, flood)
		}
		rec := w.want(e, subjects.Stopping)
		n.stop()
		reads.Store(0)
		if _, err := w.bus.readLastResult(w.Context(), rec, subjects.Undispatched); err != nil {
			w.Error(err)
		}
		if n := reads.Load(); n > 1 {
			w.Errorf("%d reads although the record has all results, want 1", n)
		}
	})
}
