package execution

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The traces by which the protocol was found to need each of its rules. Where a
// process dies, the test does by hand what it had done until then. Rules of the
// agent are in agent/conformance, those of fires in scheduler.
func TestTraces(t *testing.T) {
	const requeued = `{"id":"R","on_agent_lost":"requeue","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`
	const exclusiveJob = `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`

	play(t, "1 retry completes", func(w *world) {
		sub := Submission{App: "default", Job: "J", IdempotencyKey: "k"}
		id, err := w.bus.b.NextID(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if _, _, err := w.bus.bindIdempotencyKey(w.Context(), sub, id); err != nil { // and the bus dies
			w.Fatal(err)
		}
		second := w.node(Config{})
		e, _, err := second.Submit(w.Context(), sub)
		if err != nil || e.ID != id {
			w.Fatalf("the retry answers %+v, %v; want execution %d", e, err, id)
		}
		if d := w.fetch(); d == nil || d.Execution.ID != id {
			w.Errorf("in the queue is %+v, want execution %d", d, id)
		}
		again, created, err := w.bus.Submit(w.Context(), sub)
		if err != nil || again.ID != id || created {
			w.Errorf("the third POST answers %+v, created %v, %v", again, created, err)
		}
	})

	play(t, "3 fold without gaps", func(w *world) {
		idle := w.idle(Config{})
		w.bus.stop() // nobody folds
		e, _, err := idle.Submit(w.Context(), Submission{App: "default", Job: "J"})
		if err != nil {
			w.Fatal(err)
		}
		h := w.handle(w.fetch(), "a1")
		step := subjects.StepExecution{ID: 1, Step: "S", BatchStatus: subjects.Completed}
		if err := h.say(subjects.Started, func(r *subjects.Result) { r.Steps = []subjects.StepExecution{step} }); err != nil {
			w.Fatal(err)
		}
		h.end(subjects.Completed)
		last, err := idle.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		idle.p.addResult(pendingResult{last, nil}) // the end comes first
		first, err := idle.b.ResultAt(w.Context(), e.App, e.Job, e.ID, 1)
		if err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		idle.p.addResult(pendingResult{first, nil})
		time.Sleep(time.Second)
		if got := w.want(e, subjects.Completed); len(got.StepExecutions) != 1 || got.StartTime == 0 {
			w.Errorf("the start is missing in %+v", got.Execution)
		}
	})

	play(t, "4 projector makes a missing record", func(w *world) {
		e := w.lone(w.bus, "J") // the request is stored, and the bus dies before the record
		h := w.handle(w.fetch(), "a1")
		h.claim()
		got := w.want(e, subjects.Started)
		if !got.Rebuilt || got.Parameters["k"] != "v" {
			w.Errorf("the record made from the claim: %+v", got)
		}
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
	})

	play(t, "5 recoverer goes by RESULTS and continues", func(w *world) {
		w.job("R", requeued)
		e := w.submit("R")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		r := &subjects.Result{ID: e.ID, App: e.App, Job: e.Job, Attempt: 1, BatchStatus: subjects.Unknown, Time: subjects.Now()}
		// And the bus dies before the next request.
		if _, err := w.bus.b.PublishResult(w.Context(), r, h.last); err != nil {
			w.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if d := w.fetch(); d == nil || d.Attempt != 2 {
			w.Errorf("in the queue is %+v, want attempt 2", d)
		}
	})

	play(t, "5 a restart that was only noted is submitted", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.end(subjects.Failed)
		w.want(e, subjects.Failed)
		next, err := w.bus.b.NextID(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.bus.changeRecord(w.Context(), e.App, e.Job, e.ID, func(o *bus.Execution) (bool, error) {
			o.RestartedBy, o.RestartParams = next, map[string]string{"p": "1"}
			return true, nil
		}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if d := w.fetch(); d == nil || d.Execution.ID != next || d.Execution.Parameters["p"] != "1" {
			w.Errorf("in the queue is %+v, want execution %d", d, next)
		}
	})

	play(t, "6 lost is what no heartbeat names", func(w *world) {
		e := w.submit("J")
		w.handle(w.fetch(), "a1").claim()
		for range 10 { // the agent lives and does not know of it: it was restarted, or gave its claim up
			w.beat("a1")
			time.Sleep(2 * time.Second)
		}
		w.want(e, subjects.Failed)
	})

	play(t, "7 request repeated until claimed", func(w *world) {
		w.job("R", requeued)
		w.submit("R")
		stale := w.fetch()
		// The agent dies before it acknowledges.
		if err := w.handle(stale, "a1").say(subjects.Started, nil); err != nil {
			w.Fatal(err)
		}
		// The agent is fenced; the request of attempt 2 is refused, since the old one is
		// still queued.
		time.Sleep(20 * time.Second)
		if d := w.fetch(); d != nil {
			w.Fatalf("two requests at once: %+v", d.Request)
		}
		time.Sleep(15 * time.Second)
		again := w.fetch()
		if again == nil || again.Attempt != 1 {
			w.Fatalf("redelivered: %+v, want attempt 1", again)
		}
		if err := w.handle(again, "a2").say(subjects.Started, nil); !errors.Is(err, bus.ErrChanged) {
			w.Fatalf("the stale claim: %v, want a refusal", err)
		}
		if err := again.msg.DoubleAck(w.Context()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if d := w.fetch(); d == nil || d.Attempt != 2 {
			w.Errorf("in the queue is %+v, want attempt 2", d)
		}
	})

	play(t, "8 request first, and for whoever waits", func(w *world) {
		w.job("R", requeued)
		e := w.submit("R")
		w.handle(w.fetch(), "a1").claim()
		time.Sleep(20 * time.Second) // attempt 2 waits
		if _, err := w.bus.changeRecord(w.Context(), e.App, e.Job, e.ID, func(o *bus.Execution) (bool, error) {
			o.StopRequest = bus.StopRequested
			return true, nil
		}); err != nil { // and the bus dies before it does anything about it
			w.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		w.want(e, subjects.Stopped)
	})

	play(t, "8 the projector keeps the stop request", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.want(e, subjects.Started)
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		if err := h.say(subjects.Started, nil); err != nil { // a step, say
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := w.want(e, subjects.Stopping); got.StopRequest != bus.StopRequested {
			w.Error("the stop request is gone from the record")
		}
	})

	play(t, "9 record before lock", func(w *world) {
		w.job("X", exclusiveJob)
		def, parsed, err := w.bus.jobDefinition(w.Context(), "default", "X")
		if err != nil {
			w.Fatal(err)
		}
		rec := w.bus.newRecord(7, def, parsed, time.Now())
		if err := w.bus.b.EnsurePool(w.Context(), rec.App, rec.Pool); err != nil {
			w.Fatal(err)
		}
		if err := <-w.bus.createRecord(rec); err != nil { // and the bus dies before the lock
			w.Fatal(err)
		}
		time.Sleep(25 * time.Second)
		if d := w.fetch(); d == nil || d.Execution.ID != 7 {
			w.Fatalf("in the queue is %+v, want execution 7", d)
		}
		if l, err := w.bus.b.Locks.Get(w.Context(), "default.X"); err != nil || l.Value != 7 {
			w.Errorf("the lock is %+v, %v; want 7", l, err)
		}
	})

	play(t, "10 recoverer frees locks", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
		// As if its bus had died before it deleted it.
		if _, err := w.bus.b.Locks.Create(w.Context(), "default.J", e.ID); err != nil {
			w.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if l, err := w.bus.b.Locks.Get(w.Context(), "default.J"); !errors.Is(err, bus.ErrNotFound) {
			w.Errorf("the lock is left: %+v, %v", l, err)
		}
	})

	play(t, "11 request purged first", func(w *world) {
		e := w.submit("J")
		if got, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil || got.BatchStatus != subjects.Stopped {
			w.Fatalf("stop: %+v, %v", got, err)
		}
		if err := w.bus.DeleteHistory(w.Context(), "default", "J"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if d := w.fetch(); d != nil {
			w.Errorf("the request of a purged execution is left: %+v", d.Request)
		}
	})

	play(t, "13 no late request: bus deadline", func(w *world) {
		def, parsed, err := w.bus.jobDefinition(w.Context(), "default", "J")
		if err != nil {
			w.Fatal(err)
		}
		start := time.Now()
		time.Sleep(maxStep + time.Second) // the bus is paused between its decision and the write
		if _, _, err := w.bus.beginExecution(w.Context(), w.bus.newRecord(7, def, parsed, start), start, true); !errors.Is(err, bus.ErrUnknown) {
			w.Errorf("a late submission: %v, want that it gave up", err)
		}
		if d := w.fetch(); d != nil {
			w.Errorf("requested late: %+v", d.Request)
		}
	})

	play(t, "14 key expires before the record", func(w *world) {
		if bus.IdempotencyTTL >= time.Hour { // the least retention that bus.Open allows
			w.Errorf("an Idempotency-Key lives %v, as long as a record may", bus.IdempotencyTTL)
		}
		sub := Submission{App: "default", Job: "J", IdempotencyKey: "k"}
		first, _, err := w.bus.Submit(w.Context(), sub)
		if err != nil {
			w.Fatal(err)
		}
		time.Sleep(bus.IdempotencyTTL + time.Minute)
		second, created, err := w.bus.Submit(w.Context(), sub)
		if err != nil || !created || second.ID == first.ID {
			w.Errorf("after the key's time: %+v, created %v, %v", second, created, err)
		}
	})

	play(t, "15 purged results make no record", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		started, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
		if err := w.bus.DeleteHistory(w.Context(), "default", "J"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		w.bus.p.addResult(pendingResult{started, nil}) // redelivered to a bus that was slow
		time.Sleep(time.Second)
		if _, err := w.bus.b.Executions.Get(w.Context(), e.Key()); !errors.Is(err, bus.ErrNotFound) {
			w.Errorf("a purged execution has a record again: %v", err)
		}
	})

	play(t, "a new attempt names the fence of the one before", func(w *world) {
		w.job("R", requeued)
		e := w.submit("R")
		w.handle(w.fetch(), "a1").claim()
		time.Sleep(20 * time.Second)
		d := w.fetch()
		if d == nil {
			w.Fatal("no request for attempt 2")
		}
		fence, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		if fence.BatchStatus != subjects.Unknown || d.ExpectedSequence != fence.Sequence {
			w.Errorf("attempt 2 expects %d; the last result is %s at %d", d.ExpectedSequence, fence.BatchStatus, fence.Sequence)
		}
	})

	play(t, "nothing follows an end in RESULTS", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.end(subjects.Failed)
		w.want(e, subjects.Failed)
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); !bus.HasCode(err, bus.CodeNotRunning) {
			w.Errorf("stop of an ended execution: %v", err)
		}
		w.bus.p.addResult(pendingResult{&bus.StoredResult{Result: subjects.Result{
			ID: e.ID, App: e.App, Job: e.Job, Attempt: 1, BatchStatus: subjects.Started, Agent: "a1",
		}, Sequence: 1, Expected: 0}, nil})
		time.Sleep(time.Second)
		w.want(e, subjects.Failed)
		if got, want := w.results(e), []subjects.BatchStatus{"started", "failed"}; !slices.Equal(got, want) {
			w.Errorf("results %v, want %v", got, want)
		}
		if got, err := w.bus.Abandon(w.Context(), e.App, e.Job, e.ID); err != nil || got.BatchStatus != subjects.Abandoned {
			w.Errorf("abandon: %+v, %v", got, err)
		}
	})
}

// lone publishes a request whose record was never written.
func (w *world) lone(n *node, job string) *bus.Execution {
	w.Helper()
	def, parsed, err := n.jobDefinition(w.Context(), "default", job)
	if err != nil {
		w.Fatal(err)
	}
	id, err := n.b.NextID(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	rec := n.newRecord(id, def, parsed, time.Now())
	rec.Parameters = map[string]string{"k": "v"}
	if err := n.b.EnsurePool(w.Context(), rec.App, rec.Pool); err != nil {
		w.Fatal(err)
	}
	if err := <-n.requestAttempt(rec, 1, 0); err != nil {
		w.Fatal(err)
	}
	return rec
}

// FuzzDecodeResult looks for results that end a bus: what comes from agents is
// not trusted.
func FuzzDecodeResult(f *testing.F) {
	f.Add("jobstreamer.result.a.j.1.x", []byte(`{"execution_id":1,"app":"a","job":"j","agent":"x","batch_status":"started"}`))
	f.Add("jobstreamer.result.a.j.1.x", []byte(`{"execution_id":1e99}`))
	f.Add("jobstreamer.result", []byte(`null`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		r, err := bus.DecodeResult(subject, 1, nil, data)
		if err != nil {
			return
		}
		e := &bus.Execution{}
		foldResult(e, r)
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("a record that cannot be written: %v", err)
		}
	})
}
