package catalog_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
)

// on are triggers by the completion of jobs of the application default.
func on(jobs ...string) *bus.Triggers {
	t := &bus.Triggers{}
	for _, job := range jobs {
		t.Jobs = append(t.Jobs, bus.Trigger{App: "default", Job: bus.NameKey(job), On: bus.OnCompleted})
	}
	return t
}

func (w *world) setTriggers(job string, is *bus.Triggers) (*bus.Job, error) {
	return w.SetTriggers(w.Context(), catalog.Ref{App: "default", Name: job, Key: bus.NameKey(job)}, is)
}

func TestCyclesOfTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c.1"} {
		if _, _, err := w.saveJob(name, name, "s", nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		job, by string
		want    string // of the error; empty: none
	}{
		{"a", "a", "a job that default.a does not start: default.a starts default.a"},
		{"b", "a", ""},
		{"a", "b", "a job that default.a does not start: default.a starts default.b starts default.a"},
		{"c.1", "b", ""},
		{"a", "c.1", "a job that default.a does not start: default.a starts default.b starts default.c.1 starts default.a"},
		{"a", "later", ""}, // no such job yet
		{"b", "c.1", "a job that default.b does not start: default.b starts default.c.1 starts default.b"},
		{"c.1", "a", ""}, // b no longer starts it
		{"b", "c.1", ""},
	} {
		_, err := w.setTriggers(step.job, on(step.by))
		var field *bus.FieldError
		if step.want == "" && err != nil {
			t.Errorf("%s by %s: %v", step.job, step.by, err)
		}
		if step.want != "" && (!errors.As(err, &field) || field.Path != "/triggers/jobs/0/job") {
			t.Errorf("%s by %s: %v, want the fault %q", step.job, step.by, err, step.want)
		} else if step.want != "" && field.Want != step.want {
			t.Errorf("%s by %s: want %q", step.job, step.by, field.Want)
		}
	}
}

// Triggers that mean the same go on, and others begin when they are stored.
func TestSinceOfTriggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, _, err := w.saveJob("b", "b", "s", nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		j, err := w.setTriggers("b", on("a"))
		if err != nil {
			t.Fatal(err)
		}
		first := j.Settings.Triggers.Since
		if first.Std().Before(start.Truncate(time.Millisecond)) {
			t.Errorf("since %v, stored after %v", first, start)
		}
		if j, err = w.setTriggers("b", on("a")); err != nil || j.Settings.Triggers.Since != first {
			t.Errorf("the same triggers: %+v, %v; want since %v", j.Settings.Triggers, err, first)
		}
		if _, _, err := w.saveJob("b", "b", "other", nil); err != nil {
			t.Fatal(err)
		}
		if j, ok := w.x.Job("default", "b"); !ok || j.Settings.Triggers == nil || j.Settings.Triggers.Since != first {
			t.Errorf("after another definition: %+v, %v", j.Settings, ok)
		}
		time.Sleep(time.Second)
		all := on("a")
		all.All = true
		if j, err = w.setTriggers("b", all); err != nil || j.Settings.Triggers.Since <= first {
			t.Errorf("other triggers: %+v, %v; want them after %v", j.Settings.Triggers, err, first)
		}
		if got := w.x.StartedBy("default", "a"); len(got) != 1 || got[0].Job != "b" || !got[0].Triggers.All {
			t.Errorf("a starts %+v", got)
		}
		if j, err = w.setTriggers("b", &bus.Triggers{}); err != nil || j.Settings.Triggers != nil {
			t.Errorf("no triggers: %+v, %v", j.Settings.Triggers, err)
		}
		if got := w.x.StartedBy("default", "a"); got != nil {
			t.Errorf("a still starts %+v", got)
		}
	})
}
