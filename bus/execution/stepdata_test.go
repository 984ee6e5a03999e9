package execution

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sayStep publishes a result with one step, given as JSON.
func (h *handling) sayStep(status subjects.BatchStatus, step string) {
	h.w.Helper()
	err := h.say(status, func(r *subjects.Result) {
		if err := json.Unmarshal([]byte("["+step+"]"), &r.Steps); err != nil {
			h.w.Fatal(err)
		}
	})
	if err != nil {
		h.w.Fatalf("%s of %d: %v", status, h.d.Execution.ID, err)
	}
}

// recordOf returns a record with the id of the execution of a request.
func recordOf(d *delivery) *bus.Execution { return &bus.Execution{Execution: d.Execution} }

// stepOne is step S with its first id in an execution.
func stepOne(rest string) string { return `{"step_execution_id":1,"step_name":"S",` + rest + `}` }

// messages returns how many messages of a stream match a subject.
func (w *world) messages(stream, subject string) int {
	w.Helper()
	s, err := w.js.Stream(w.Context(), stream)
	if err != nil {
		w.Fatal(err)
	}
	info, err := s.Info(w.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, count := range info.State.Subjects {
		n += int(count)
	}
	return n
}

func (w *world) keptValues() int {
	w.Helper()
	return w.messages(jetio.BucketStream(subjects.StepDataBucket), "$KV."+subjects.StepDataBucket+".>")
}

// restart restarts an execution and fetches its request.
func (w *world) restart(e *bus.Execution) *delivery {
	w.Helper()
	if _, _, err := w.bus.Restart(w.Context(), "default", "J", e.ID, nil); err != nil {
		w.Fatal(err)
	}
	return w.fetch()
}

// What a step keeps reaches the restart on any agent, and is gone when the job
// has completed. The record never holds it.
func TestStepDataOverRestarts(t *testing.T) {
	w := newWorld(t)
	e := w.submit("J")
	h := w.handle(w.fetch(), "one")
	h.claim()
	large := `"` + strings.Repeat("x", 1<<20-2) + `"`
	h.sayStep(subjects.Started, stepOne(`"batch_status":"started","persistent_data":{"n":1},"reader_checkpoint":`+large+`,"metrics":{"commit_count":1}`))
	h.sayStep(subjects.Started, stepOne(`"batch_status":"started","writer_checkpoint":7,"partition_count":2,"partitions":[
		{"partition":1,"batch_status":"started","reader_checkpoint":11},{"partition":0,"batch_status":"completed","persistent_data":"u0"}]`))
	h.sayStep(subjects.Failed, stepOne(`"batch_status":"failed","partition_count":2,"metrics":{"commit_count":2},"partitions":[{"partition":1,"batch_status":"failed"}]`))
	first := w.want(e, subjects.Failed)
	if text, _ := json.Marshal(first); bytes.Contains(text, []byte("xxx")) || len(text) > 4000 {
		t.Errorf("the record has %d bytes", len(text))
	}
	if got := first.StepExecutions[0].Sizes; got != (subjects.DataSizes{PersistentData: 7, ReaderCheckpoint: 1 << 20, WriterCheckpoint: 1}) {
		t.Errorf("sizes are %+v", got)
	}
	if got := w.keptValues(); got != 3 { // the step and both partitions
		t.Errorf("%d values are kept, want 3", got)
	}

	check := func(d *delivery, writer string) {
		t.Helper()
		if d == nil || len(d.Steps) != 1 || len(d.Steps[0].Partitions) != 2 {
			t.Fatalf("the request has %+v", d)
		}
		s := d.Steps[0]
		if string(s.PersistentData) != `{"n":1}` || string(s.ReaderCheckpoint) != large || string(s.WriterCheckpoint) != writer {
			t.Errorf("the request has %s, %d bytes and %s", s.PersistentData, len(s.ReaderCheckpoint), s.WriterCheckpoint)
		}
		p := s.Partitions
		if p[0].BatchStatus != subjects.Completed || string(p[0].PersistentData) != `"u0"` || p[1].BatchStatus != subjects.Failed || string(p[1].ReaderCheckpoint) != "11" {
			t.Errorf("the request has partitions %+v", p)
		}
	}
	// The second execution ends before the step begins, the third in the step.
	d := w.restart(first)
	check(d, "7")
	h = w.handle(d, "two")
	h.claim()
	h.end(subjects.Failed)
	second := w.want(recordOf(d), subjects.Failed)
	d = w.restart(second)
	check(d, "7")
	h = w.handle(d, "three")
	h.claim()
	h.sayStep(subjects.Stopped, stepOne(`"batch_status":"stopped","writer_checkpoint":8,"partition_count":2`))
	third := w.want(recordOf(d), subjects.Stopped)
	if got := third.StepExecutions[0]; got.Sizes.ReaderCheckpoint != 1<<20 || len(got.Partitions) != 2 {
		t.Errorf("the step of the restart is %+v", got)
	}
	d = w.restart(third)
	check(d, "8")
	if d.Steps[0].Starts != 2 || d.Steps[0].ExecutionID != third.ID {
		t.Errorf("the step started %d times, last in %d", d.Steps[0].Starts, d.Steps[0].ExecutionID)
	}
	h = w.handle(d, "four")
	h.claim()
	h.sayStep(subjects.Completed, stepOne(`"batch_status":"completed","partition_count":2,"partitions":[{"partition":1,"batch_status":"completed"}]`))
	last := w.want(recordOf(d), subjects.Completed)
	if got := last.StepExecutions[0].Sizes; got != (subjects.DataSizes{PersistentData: 7}) {
		t.Errorf("a completed step keeps %+v", got)
	}
	for range 100 {
		if w.keptValues() == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d values are kept after the job has completed", w.keptValues())
}

// An attempt whose agent was lost is followed by one that goes on from the last
// checkpoint that is stored. Checkpoints of an agent that has not claimed the
// attempt do not count, and neither do those behind the fence.
func TestStepDataOfALostAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.job("R", `{"id":"R","on_agent_lost":"requeue","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		e := w.submit("R")
		d := w.fetch()
		h := w.handle(d, "one")
		h.claim()
		w.beat("one", subjects.Attempt{ID: e.ID, Attempt: 1, App: "default", Job: "R"})
		h.sayStep(subjects.Started, stepOne(`"batch_status":"started","reader_checkpoint":1`))
		h.sayStep(subjects.Started, stepOne(`"batch_status":"started","reader_checkpoint":2`))
		// An intruder's result has its place in the sequence, and does not count.
		intruder := w.handle(d, "intruder")
		intruder.last = h.last
		intruder.n = 1
		intruder.sayStep(subjects.Started, stepOne(`"batch_status":"started","reader_checkpoint":66`))
		time.Sleep(20 * time.Second) // no more heartbeats
		w.want(e, subjects.Unknown)
		next := w.fetch()
		if next == nil || next.Attempt != 2 || len(next.Steps) != 1 || string(next.Steps[0].ReaderCheckpoint) != "2" {
			t.Fatalf("the next request is %+v", next)
		}
		if next.Steps[0].BatchStatus != subjects.Failed {
			t.Errorf("the step is %s, want failed", next.Steps[0].BatchStatus)
		}
		err := h.say(subjects.Started, func(r *subjects.Result) {
			r.Steps = []subjects.StepExecution{{ID: 1, Step: "S", StepData: subjects.StepData{ReaderCheckpoint: []byte("3")}}}
		})
		if err == nil {
			t.Error("a checkpoint behind the fence was stored")
		}
	})
}

// Many commits a second write the record about once a second, and its end is
// right.
func TestManyCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.submit("J")
		h := w.handle(w.fetch(), "one")
		h.claim()
		writes := make(chan uint64, 10_000)
		sub, err := w.nc.Subscribe("$KV."+subjects.ExecutionsBucket+".>", func(m *nats.Msg) {
			var r bus.Execution
			if err := json.Unmarshal(m.Data, &r); err == nil && len(r.StepExecutions) > 0 {
				writes <- uint64(r.StepExecutions[0].Metrics.Commit)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe() //nolint:errcheck // the test ends
		const commits = 1000
		for n := 1; n <= commits; n++ {
			h.sayStep(subjects.Started, stepOne(fmt.Sprintf(`"batch_status":"started","reader_checkpoint":%d,"metrics":{"commit_count":%d}`, n, n)))
			time.Sleep(10 * time.Millisecond)
			if n == 500 {
				time.Sleep(1200 * time.Millisecond)
				now, err := w.bus.Get(t.Context(), "default", "J", e.ID)
				if err != nil || len(now.StepExecutions) == 0 || now.StepExecutions[0].Metrics.Commit != 500 {
					t.Errorf("a second after commit 500 the record has %+v, %v", now.StepExecutions, err)
				}
			}
		}
		h.end(subjects.Failed)
		end := w.want(e, subjects.Failed)
		if got := end.StepExecutions[0].Metrics.Commit; got != commits {
			t.Errorf("the record has %d commits, want %d", got, commits)
		}
		synctest.Wait()
		if n := len(writes); n < 8 || n > 20 {
			t.Errorf("the record was written %d times in 11 s", n)
		}
		if d := w.restart(end); d == nil || string(d.Steps[0].ReaderCheckpoint) != "1000" {
			t.Errorf("the restart has %+v", d)
		}
	})
}

// The results of a running execution are purged once the record has them; the
// last one stays as the fence.
func TestResultsOfALongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.submit("J")
		h := w.handle(w.fetch(), "one")
		h.claim()
		filter := subjects.ResultFilter("default", "J", e.ID)
		most := 0
		for n := 1; n <= 6000; n++ {
			h.sayStep(subjects.Started, stepOne(fmt.Sprintf(`"batch_status":"started","reader_checkpoint":%d`, n)))
			time.Sleep(50 * time.Millisecond)
			if n%100 == 0 {
				most = max(most, w.messages(subjects.ResultsStream, filter))
			}
		}
		if most > 3500 {
			t.Errorf("RESULTS had %d of 6,000 results", most)
		}
		h.end(subjects.Failed)
		end := w.want(e, subjects.Failed)
		if d := w.restart(end); d == nil || string(d.Steps[0].ReaderCheckpoint) != "6000" {
			t.Errorf("the restart has %+v", d)
		}
	})
}

// What does not fit into a message, or is gone, ends the restart with an error
// that says so.
func TestStepDataThatCannotBeGiven(t *testing.T) {
	large := `"` + strings.Repeat("x", 1<<20-2) + `"`
	fail := func(t *testing.T) (*world, *bus.Execution) {
		w := newWorld(t)
		e := w.submit("J")
		h := w.handle(w.fetch(), "one")
		h.claim()
		for n := range 5 {
			h.sayStep(subjects.Started, stepOne(fmt.Sprintf(`"batch_status":"started","partition_count":5,"partitions":[
				{"partition":%d,"batch_status":"started","reader_checkpoint":%s,"writer_checkpoint":%s}]`, n, large, large)))
		}
		h.sayStep(subjects.Failed, stepOne(`"batch_status":"failed","partition_count":5`))
		return w, w.want(e, subjects.Failed)
	}
	check := func(w *world, e *bus.Execution, want string) {
		w.Helper()
		next, _, err := w.bus.Restart(w.Context(), "default", "J", e.ID, nil)
		if err != nil {
			w.Fatal(err)
		}
		if got := w.want(next, subjects.Failed); got.Exception != want {
			w.Errorf("it failed with %q, want %q", got.Exception, want)
		}
	}
	t.Run("more than a message holds", func(t *testing.T) {
		w, e := fail(t)
		check(w, e, "it cannot go on where it was: what its steps keep takes 10485760 bytes, and the NATS server accepts messages of at most 8388608 (max_payload)")
	})
	t.Run("data that is gone", func(t *testing.T) {
		w, e := fail(t)
		if err := w.bus.b.PurgeStepData(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		check(w, e, "step S, partition 0: it cannot go on where it was: its reader checkpoint is no longer stored")
	})
}

// Two buses that fold the same results do not replace newer data by older.
func TestStepDataWithTwoBuses(t *testing.T) {
	w := newWorld(t)
	w.node(Config{})
	e := w.submit("J")
	h := w.handle(w.fetch(), "one")
	h.claim()
	for n := 1; n <= 300; n++ {
		h.sayStep(subjects.Started, stepOne(fmt.Sprintf(`"batch_status":"started","partition_count":2,"partitions":[{"partition":%d,"batch_status":"started","reader_checkpoint":%d}]`, n%2, n)))
		if n == 100 {
			time.Sleep(1500 * time.Millisecond)
		}
	}
	h.end(subjects.Stopped)
	d := w.restart(w.want(e, subjects.Stopped))
	if d == nil || len(d.Steps) != 1 || len(d.Steps[0].Partitions) != 2 {
		t.Fatalf("the restart has %+v", d)
	}
	if p := d.Steps[0].Partitions; string(p[0].ReaderCheckpoint) != "300" || string(p[1].ReaderCheckpoint) != "299" {
		t.Errorf("the restart has %s and %s, want 300 and 299", p[0].ReaderCheckpoint, p[1].ReaderCheckpoint)
	}
}

// A record of an older release holds user data itself.
func TestStepDataInOldRecords(t *testing.T) {
	w := newWorld(t)
	e := w.submit("J")
	h := w.handle(w.fetch(), "one")
	h.claim()
	h.sayStep(subjects.Failed, stepOne(`"batch_status":"failed"`))
	old := w.want(e, subjects.Failed)
	_, err := w.bus.changeRecord(context.Background(), "default", "J", e.ID, func(r *bus.Execution) (bool, error) {
		r.StepExecutions[0].PersistentData = []byte(`{"old":1}`)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d := w.restart(old)
	if d == nil || string(d.Steps[0].PersistentData) != `{"old":1}` {
		t.Fatalf("the restart has %+v", d)
	}
	h = w.handle(d, "two")
	h.claim()
	h.sayStep(subjects.Failed, stepOne(`"batch_status":"failed","persistent_data":{"new":2}`))
	d = w.restart(w.want(recordOf(d), subjects.Failed))
	if d == nil || string(d.Steps[0].PersistentData) != `{"new":2}` {
		t.Errorf("the second restart has %+v", d)
	}
}

// Results can be folded in any order, by several buses.
func TestStepDataIsNeverReplacedByOlder(t *testing.T) {
	key := stepKey{"S", bus.WholeStep}
	change := func(sequence uint64, reader string) *stepChange {
		return &stepChange{StepData: subjects.StepData{ReaderCheckpoint: []byte(reader)}, stepExecution: 1, sequence: sequence}
	}
	is := change(7, "70").applyTo(nil, 1, key)
	for _, older := range []uint64{6, 7} {
		if got := change(older, "60").applyTo(is, 1, key); got != nil {
			t.Errorf("result %d replaced result 7: %+v", older, got)
		}
	}
	if got := change(8, "80").applyTo(is, 1, key); got == nil || string(got.ReaderCheckpoint) != "80" || got.Sequence != 8 {
		t.Errorf("result 8 after result 7: %+v", got)
	}
}
