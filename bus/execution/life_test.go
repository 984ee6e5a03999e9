package execution

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// play runs f with a world in fake time.
func play(t *testing.T, name string, f func(w *world)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { f(newWorld(t)) })
	})
}

func TestLife(t *testing.T) {
	play(t, "an execution is requested, claimed, run and recorded", func(w *world) {
		e := w.submit("J")
		if e.BatchStatus != subjects.Undispatched || e.InstanceID != e.ID {
			w.Errorf("submitted as %s of instance %d", e.BatchStatus, e.InstanceID)
		}
		h := w.handle(w.fetch(), "a1")
		h.claim()
		if got := w.want(e, subjects.Started); got.Agent != "a1" || got.Attempt != 1 || got.StartTime == 0 {
			w.Errorf("started by %q, attempt %d, at %v", got.Agent, got.Attempt, got.StartTime)
		}
		h.end(subjects.Completed)
		got := w.want(e, subjects.Completed)
		if got.ExitStatus != "COMPLETED" || got.EndTime == 0 || got.Definition != nil {
			w.Errorf("ended with %q at %v, definition %s", got.ExitStatus, got.EndTime, got.Definition)
		}
		if j, _ := w.bus.x.Job("default", "J"); j.Stats.Success != 1 || j.Latest.ID != e.ID {
			w.Errorf("the job counts %+v", j.Stats)
		}
	})

	play(t, "a lost agent's execution fails and can be restarted", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		for range 5 { // it lives as long as it is named
			w.beat("a1", subjects.Attempt{ID: e.ID, Attempt: 1})
			time.Sleep(2 * time.Second)
		}
		w.want(e, subjects.Started)
		time.Sleep(10 * time.Second)
		if got := w.want(e, subjects.Failed); got.Exception == "" {
			w.Error("a lost execution does not say why it failed")
		}
		if err := h.say(subjects.Completed, nil); err == nil {
			w.Error("the lost agent's end was stored behind the fence")
		}
		r, created, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, map[string]string{"k": "v"})
		if err != nil || !created {
			w.Fatalf("restart: %v", err)
		}
		if r.InstanceID != e.ID || r.RestartOf != e.ID || r.BatchStatus != subjects.Unrestarted {
			w.Errorf("restarted as %+v", r.Execution)
		}
		h = w.handle(w.fetch(), "a2")
		h.claim()
		h.end(subjects.Completed)
		w.want(r, subjects.Completed)
	})

	play(t, "a restart has the parameters and the date of its predecessor, or other parameters", func(w *world) {
		before := map[string]string{"date": "2026-11-24", "who": "me"}
		at := subjects.TimeOf(time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC))
		e, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: "J", Parameters: before, ScheduledFor: at, ScheduledDate: "2026-11-25"})
		if err != nil {
			w.Fatal(err)
		}
		for _, test := range []struct{ given, want map[string]string }{
			{nil, before},
			// The parameter who is not merged in.
			{map[string]string{"date": "2026-11-25"}, map[string]string{"date": "2026-11-25"}},
			{nil, map[string]string{"date": "2026-11-25"}},
			{map[string]string{}, nil},
			{nil, nil},
		} {
			if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
				w.Fatal(err)
			}
			if e, _, err = w.bus.Restart(w.Context(), e.App, e.Job, e.ID, test.given); err != nil {
				w.Fatal(err)
			}
			if !maps.Equal(e.Parameters, test.want) || e.ScheduledFor != at || e.ScheduledDate != "2026-11-25" {
				w.Errorf("restarted with %v it has %v, want %v; it is of %v, %s", test.given, e.Parameters, test.want, e.ScheduledFor, e.ScheduledDate)
			}
		}
	})

	play(t, "parameters that are one variable are refused before anything is written", func(w *world) {
		colliding := map[string]string{"who": "a", "a/b": "1", "WHO": "b"}
		var field *bus.FieldError
		_, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: "J", Parameters: colliding, IdempotencyKey: "k"})
		if !errors.As(err, &field) || field.Path != "/parameters/who" || !strings.Contains(field.Error(), `"WHO"`) {
			w.Errorf("Submit: %v, want a field error that names both", err)
		}
		if all, err := w.bus.b.Executions.List(w.Context(), "default.J.*"); err != nil || len(all) != 0 {
			w.Errorf("records %+v, %v", all, err)
		}
		e := w.submit("J")
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		field = nil
		if _, _, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, colliding); !errors.As(err, &field) {
			w.Errorf("Restart: %v, want a field error", err)
		}
		if _, _, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, nil); err != nil {
			w.Errorf("after a restart that was refused: %v", err)
		}
	})

	play(t, "lines that were lost are counted over the attempts", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		if err := h.say(subjects.Completed, func(r *subjects.Result) { r.LogDropped = 12 }); err != nil {
			w.Fatal(err)
		}
		if got := w.want(e, subjects.Completed); got.LogDropped != 12 {
			w.Errorf("the record says that %d lines were lost, want 12", got.LogDropped)
		}
	})

	play(t, "a claim between two heartbeats is not lost", func(w *world) {
		time.Sleep(time.Minute) // the bus has listened for long
		e := w.submit("J")
		w.handle(w.fetch(), "a1").claim()
		time.Sleep(5 * time.Second)
		w.beat("a1", subjects.Attempt{ID: e.ID, Attempt: 1})
		time.Sleep(5 * time.Second)
		w.want(e, subjects.Started)
	})

	play(t, "a lost agent's execution is requeued", func(w *world) {
		w.job("R", `{"id":"R","on_agent_lost":"requeue","max_attempts":2,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		e := w.submit("R")
		first := w.handle(w.fetch(), "a1")
		first.claim()
		time.Sleep(20 * time.Second)
		d := w.fetch()
		if d == nil || d.Attempt != 2 {
			w.Fatalf("no request for attempt 2: %+v", d)
		}
		second := w.handle(d, "a2")
		second.claim()
		if err := first.say(subjects.Completed, nil); err == nil {
			w.Error("the end of attempt 1 was stored behind the fence")
		}
		time.Sleep(20 * time.Second) // the second is lost too, and was the last
		w.want(e, subjects.Failed)
		if got := w.want(e, subjects.Failed); !strings.Contains(got.Exception, "attempt 2") {
			w.Errorf("the exception is of another attempt: %s", got.Exception)
		}
		if got, want := w.results(e), []subjects.BatchStatus{"started", "unknown", "started", "failed"}; !slices.Equal(got, want) {
			w.Errorf("results %v, want %v", got, want)
		}
	})

	play(t, "whoever waits is stopped at once", func(w *world) {
		e := w.submit("J")
		fetched := w.fetch() // the stop takes the request out of the queue, not from an agent that has it
		got, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID)
		if err != nil || got.BatchStatus != subjects.Stopped {
			w.Fatalf("stop: %v, %v", got, err)
		}
		if h := w.handle(fetched, "a1"); h.say(subjects.Started, nil) == nil {
			w.Error("a stopped execution was claimed")
		}
	})

	play(t, "stop wins over requeue", func(w *world) {
		w.job("R", `{"id":"R","on_agent_lost":"requeue","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		e := w.submit("R")
		w.handle(w.fetch(), "a1").claim()
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		w.want(e, subjects.Stopped)
		if d := w.fetch(); d != nil {
			w.Errorf("requested again: %+v", d.Request)
		}
	})

	play(t, "an exclusive job has one execution at a time", func(w *world) {
		w.job("X", `{"id":"X","exclusive":true,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		e := w.submit("X")
		if _, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: "X"}); !bus.HasCode(err, bus.CodeExclusive) {
			w.Errorf("a second one: %v", err)
		}
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
		time.Sleep(time.Second)
		w.submit("X")
	})

	play(t, "a request that nobody got is made again", func(w *world) {
		e := w.submit("J")
		if err := w.bus.b.PurgeRequest(w.Context(), &e.Execution); err != nil {
			w.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if d := w.fetch(); d == nil || d.Execution.ID != e.ID {
			w.Errorf("requested: %+v", d)
		}
	})

	play(t, "old executions go, and nothing of them comes back", func(w *world) {
		e := w.submit("J")
		d := w.fetch()
		h := w.handle(d, "a1")
		h.claim()
		if _, err := w.js.Publish(w.Context(), subjects.LogSubject(e.App, e.Job, e.ID, "a1"), []byte(`{"lines":[]}`)); err != nil {
			w.Fatal(err)
		}
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
		if err := w.bus.DeleteHistory(w.Context(), "default", "J"); err != nil {
			w.Fatal(err)
		}
		if _, hits := w.bus.x.Executions("default", "J", 0, 10); hits != 0 {
			w.Errorf("%d executions are listed after the deletion", hits)
		}
		time.Sleep(5 * time.Minute)
		if got := w.results(e); len(got) != 0 {
			w.Errorf("results left: %v", got)
		}
		logs, err := w.js.Stream(w.Context(), subjects.LogsStream)
		if err != nil || logs.CachedInfo().State.Msgs != 0 {
			w.Errorf("output left: %v", err)
		}
		if _, err := w.bus.b.Executions.Get(w.Context(), e.Key()); err == nil {
			w.Error("the record is left")
		}
	})
}
