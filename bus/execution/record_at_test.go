package execution

import (
	"errors"
	"fmt"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// seen is what At says of a result.
func (w *world) seen(e *bus.Execution) (all []string) {
	w.Helper()
	for seq := uint64(1); ; {
		r, err := w.bus.b.ResultAt(w.Context(), e.App, e.Job, e.ID, seq)
		if errors.Is(err, bus.ErrNotFound) {
			return all
		}
		if err != nil {
			w.Fatal(err)
		}
		at, changed, err := w.bus.At(w.Context(), r)
		if err != nil {
			w.Fatal(err)
		}
		s := fmt.Sprintf("%s %s steps %d ended %v", at.BatchStatus, at.ExitStatus, len(at.StepExecutions), at.EndTime != 0)
		if changed {
			s += " changed"
		}
		all = append(all, s)
		seq = r.Sequence + 1
	}
}

func TestAt(t *testing.T) {
	want := []string{
		"starting  steps 0 ended false changed",
		"started  steps 0 ended false changed",
		"started  steps 1 ended false",
		"stopped OK steps 1 ended true changed",
		"abandoned ABANDONED steps 1 ended true changed",
	}
	run := func(w *world) *bus.Execution {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		step := func(r *subjects.Result) {
			r.Steps = []subjects.StepExecution{{ID: 1, Step: "S", BatchStatus: r.BatchStatus}}
		}
		for _, err := range []error{
			h.say(subjects.Starting, nil), h.say(subjects.Started, nil), h.say(subjects.Started, step),
			h.say(subjects.Stopped, func(r *subjects.Result) { r.ExitStatus = "OK"; step(r) }),
		} {
			if err != nil {
				w.Fatal(err)
			}
		}
		last, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.bus.b.PublishResult(w.Context(), w.bus.busResult(e, last, subjects.Abandoned, ""), last.Sequence); err != nil {
			w.Fatal(err)
		}
		return e
	}
	play(t, "the record is ahead", func(w *world) {
		e := run(w)
		w.want(e, subjects.Abandoned)
		if got := w.seen(e); fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("got  %q\nwant %q", got, want)
		}
	})
	play(t, "the record is of an older release", func(w *world) {
		e := run(w)
		w.want(e, subjects.Abandoned)
		rec, err := w.bus.b.Executions.Get(w.Context(), e.Key())
		if err != nil {
			w.Fatal(err)
		}
		rec.Value.ClaimSequence, rec.Value.EndSequence = 0, 0
		if _, err := w.bus.b.Executions.Update(w.Context(), e.Key(), rec.Value, rec.Revision); err != nil {
			w.Fatal(err)
		}
		if got := w.seen(e); fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("got  %q\nwant %q", got, want)
		}
	})
	play(t, "the record is behind", func(w *world) {
		w.bus.stop() // nobody folds
		e := run(w)
		if got := w.seen(e); fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("got  %q\nwant %q", got, want)
		}
	})
	play(t, "the record is gone", func(w *world) {
		e := run(w)
		w.want(e, subjects.Abandoned)
		r, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		rec, err := w.bus.b.Executions.Get(w.Context(), e.Key())
		if err != nil {
			w.Fatal(err)
		}
		if err := w.bus.b.Executions.Delete(w.Context(), e.Key(), rec.Revision); err != nil {
			w.Fatal(err)
		}
		if _, _, err := w.bus.At(w.Context(), r); !errors.Is(err, bus.ErrNotFound) {
			w.Errorf("At of what is gone: %v", err)
		}
	})
}

func TestOverrun(t *testing.T) {
	for _, action := range bus.Actions() {
		play(t, action+" is noted once", func(w *world) {
			e := w.submit("J")
			w.handle(w.fetch(), "a1").claim()
			w.want(e, subjects.Started)
			other := w.idle(Config{})
			for i, n := range []*node{w.bus, other, w.bus} {
				got, first, err := n.Overrun(w.Context(), e.App, e.Job, e.ID, action)
				if err != nil || first != (i == 0) || got.Monitored != action {
					w.Errorf("time %d: first %v, %v; noted %q", i, first, err, got.Monitored)
				}
				if asked := got.StopRequest == bus.StopRequested; asked == (action == bus.ActionAlert) {
					w.Errorf("the stop request is %q", got.StopRequest)
				}
			}
		})
	}
	play(t, "what has ended is not noted", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
		if got, first, err := w.bus.Overrun(w.Context(), e.App, e.Job, e.ID, bus.ActionStop); err != nil || first || got.Monitored != "" {
			w.Errorf("%v, %v, %q", first, err, got.Monitored)
		}
	})
	play(t, "the mark outlasts what is folded", func(w *world) {
		e := w.submit("J")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.want(e, subjects.Started)
		if _, _, err := w.bus.Overrun(w.Context(), e.App, e.Job, e.ID, bus.ActionAlert); err != nil {
			w.Fatal(err)
		}
		h.end(subjects.Completed)
		if got := w.want(e, subjects.Completed); got.Monitored != bus.ActionAlert {
			w.Errorf("noted %q at the end", got.Monitored)
		}
	})
}
