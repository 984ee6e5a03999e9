package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// closer records which schedules it was asked to close.
type closer struct{ closed []string }

func (c *closer) CloseSchedules(_ context.Context, app, job string) error {
	c.closed = append(c.closed, bus.JobKey(app, job))
	return nil
}

func (c *closer) DecideBefore(context.Context, map[string]bool) (subjects.Time, error) {
	return subjects.Now(), nil
}

// world is a catalog on a bus with a read model.
type world struct {
	*testing.T
	*catalog.Catalog
	b      *bus.Bus
	x      *index.Index
	closer closer
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, b: bustest.Open(t, bustest.Server(t), bus.Config{})}
	w.x = index.New(w.b)
	life := execution.New(w.b, w.x, execution.Config{})
	w.Catalog = catalog.New(catalog.Config{Bus: w.b, Index: w.x, History: life, Schedules: &w.closer})
	bustest.RunBackground(t, w.x.Run)
	if err := w.x.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// saveJob stores a job whose definition has a mark.
func (w *world) saveJob(name, as, mark string, allowed catalog.Condition) (bus.Entry[bus.Job], catalog.Change, error) {
	return w.SaveJob(w.Context(), "default", name, allowed, func(was *bus.Job) (bus.Job, error) {
		j := bus.Job{App: "default"}
		if was != nil {
			j = *was
		}
		j.Name, j.Definition = as, json.RawMessage(`{"id":"`+as+`","steps":[{"id":"`+mark+`","batchlet":{"ref":"x"}}]}`)
		return j, nil
	})
}

// onlyAt is a condition that allows one revision.
func onlyAt(want uint64) catalog.Condition {
	return func(revision uint64) error {
		if revision != want {
			return fmt.Errorf("revision %d, want %d", revision, want)
		}
		return nil
	}
}

func TestLifeOfAJob(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.saveJob("none", "other", "x", nil); !bus.HasCode(err, bus.CodeNoSuchJob) {
		t.Errorf("rename of nothing: %v", err)
	}
	made, did, err := w.saveJob("a", "a", "one", onlyAt(0))
	if err != nil || did != catalog.Created {
		t.Fatalf("create = %s, %v", did, err)
	}
	if _, _, err := w.saveJob("a", "a", "two", onlyAt(0)); err == nil {
		t.Error("a condition does not hold and the job is changed")
	}
	if _, did, err = w.saveJob("a", "a", "two", onlyAt(made.Revision)); err != nil || did != catalog.Changed {
		t.Errorf("change = %s, %v", did, err)
	}
	if _, did, err = w.saveJob("b", "b", "three", nil); err != nil || did != catalog.Created {
		t.Errorf("create = %s, %v", did, err)
	}
	if _, _, err = w.saveJob("a", "b", "four", nil); !bus.HasCode(err, bus.CodeJobExists) {
		t.Errorf("rename to a name that is taken: %v", err)
	}
	if _, did, err = w.saveJob("a", "c", "five", nil); err != nil || did != catalog.Renamed {
		t.Errorf("rename = %s, %v", did, err)
	}
	c, err := w.Job(t.Context(), catalog.Ref{App: "default", Name: "c", Key: "a"})
	if err != nil || c.Name != "c" || c.PermanentKey != "a" {
		t.Fatalf("job %+v, %v", c, err)
	}
	if err := w.DeleteJob(t.Context(), "default", "a", onlyAt(made.Revision), false); err == nil {
		t.Error("a condition does not hold and the job is deleted")
	}
	if err := w.DeleteJob(t.Context(), "default", "a", nil, true); !bus.HasCode(err, bus.CodeRenamed) {
		t.Errorf("the history of a renamed job is kept: %v", err)
	}
	if len(w.closer.closed) != 0 {
		t.Errorf("schedules closed: %q", w.closer.closed)
	}
	if err := w.DeleteJob(t.Context(), "default", "a", onlyAt(c.Revision), false); err != nil {
		t.Error(err)
	}
	if _, err := w.JobNamed(t.Context(), "default", "c"); !errors.Is(err, bus.ErrNotFound) || fmt.Sprint(w.closer.closed) != "[default.a]" {
		t.Errorf("after the deletion: %v, schedules closed: %q", err, w.closer.closed)
	}
	if err := w.DeleteJob(t.Context(), "default", "a", nil, false); !bus.HasCode(err, bus.CodeNoSuchJob) {
		t.Errorf("deletion of nothing: %v", err)
	}
}

// A job with an execution that has not ended stays, with its schedule.
func TestDeletionOfARunningJob(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.saveJob("a", "a", "one", nil); err != nil {
		t.Fatal(err)
	}
	var e bus.Execution
	e.ID, e.App, e.Job, e.BatchStatus = 1, "default", "a", subjects.Started
	w.x.PutExecution(&e, 1)
	if err := w.DeleteJob(t.Context(), "default", "a", nil, false); !bus.HasCode(err, bus.CodeIsRunning) {
		t.Errorf("deletion: %v", err)
	}
	if _, err := w.JobNamed(t.Context(), "default", "a"); err != nil || len(w.closer.closed) != 0 {
		t.Errorf("after the deletion: %v, schedules closed: %q", err, w.closer.closed)
	}
}

// No setting gets lost, whoever changes others at the same time.
func TestSettingsAtOnce(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.saveJob("a", "a", "one", nil); err != nil {
		t.Fatal(err)
	}
	at := catalog.Ref{App: "default", Name: "a", Key: "a"}
	const n = 8
	var group sync.WaitGroup
	for i := range int64(n) {
		group.Go(func() {
			if _, err := w.AddNotification(t.Context(), at, bus.StatusNotification{ID: 100 + i, ExitStatus: "x", Type: "mail"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Go(func() {
		if _, err := w.SetExclusive(t.Context(), at, true); err != nil {
			t.Error(err)
		}
	})
	group.Go(func() {
		if _, err := w.SetTimeMonitor(t.Context(), at, &bus.TimeMonitor{Minutes: 5, Action: bus.ActionStop}); err != nil {
			t.Error(err)
		}
	})
	group.Wait()
	e, err := w.JobNamed(t.Context(), "default", "a")
	if err != nil || len(e.Value.Settings.Notifications) != n || e.Value.Settings.TimeMonitor == nil || !json.Valid(e.Value.Definition) {
		t.Fatalf("job %+v, %v", e.Value, err)
	}
	if j, err := w.Job(t.Context(), at); err != nil || !j.JSL.Exclusive {
		t.Errorf("exclusive is lost: %v", err)
	}
	if _, err := w.RemoveNotification(t.Context(), at, 99); !bus.HasCode(err, bus.CodeNoNotification) {
		t.Errorf("removal of nothing: %v", err)
	}
	if j, err := w.RemoveNotification(t.Context(), at, 100); err != nil || len(j.Settings.Notifications) != n-1 {
		t.Errorf("removal: %v", err)
	}
	none := catalog.Ref{App: "default", Name: "none", Key: "none"}
	if _, err := w.SetTimeMonitor(t.Context(), none, nil); !bus.HasCode(err, bus.CodeNoSuchJob) {
		t.Errorf("settings of no job: %v", err)
	}
	none.App = "none"
	if _, err := w.SetTimeMonitor(t.Context(), none, nil); !bus.HasCode(err, bus.CodeNoSuchApp) {
		t.Errorf("settings in no application: %v", err)
	}
}

func TestLifeOfAnApp(t *testing.T) {
	w := newWorld(t)
	made, did, err := w.SaveApp(t.Context(), "shop", "one", onlyAt(0))
	if err != nil || did != catalog.Created {
		t.Fatalf("create = %s, %v", did, err)
	}
	if _, _, err := w.SaveApp(t.Context(), "shop", "two", onlyAt(0)); err == nil || w.CheckApp(t.Context(), "shop", onlyAt(0)) == nil {
		t.Error("a condition does not hold and the application is changed")
	}
	changed, did, err := w.SaveApp(t.Context(), "shop", "two", onlyAt(made.Revision))
	if err != nil || did != catalog.Changed || changed.Value.CreateTime != made.Value.CreateTime {
		t.Errorf("change = %s, %+v, %v", did, changed.Value, err)
	}
	if a, revision, err := w.App(t.Context(), "shop"); err != nil || a.Description != "two" || revision != changed.Revision {
		t.Errorf("application %+v at %d, %v", a, revision, err)
	}
	job := bus.Job{App: "shop", Name: "a", Definition: json.RawMessage(`{"id":"a","steps":[{"id":"s","batchlet":{"ref":"x"}}]}`)}
	if _, _, err := w.SaveJob(t.Context(), "shop", "a", nil, func(*bus.Job) (bus.Job, error) { return job, nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteApp(t.Context(), "shop"); !bus.HasCode(err, bus.CodeAppInUse) {
		t.Errorf("deletion of an application with a job: %v", err)
	}
	if err := w.DeleteApp(t.Context(), bus.DefaultApp); !bus.HasCode(err, bus.CodeAppInUse) {
		t.Errorf("deletion of the default application: %v", err)
	}
	if err := w.DeleteJob(t.Context(), "shop", "a", nil, false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.Pauses.Create(t.Context(), bus.PausesKey("shop"), bus.Pauses{Periods: []bus.PausePeriod{{From: subjects.Now()}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteApp(t.Context(), "shop"); err != nil {
		t.Error(err)
	}
	if _, _, err := w.App(t.Context(), "shop"); !bus.HasCode(err, bus.CodeNoSuchApp) {
		t.Errorf("after the deletion: %v", err)
	}
	if _, err := w.b.Pauses.Get(t.Context(), bus.PausesKey("shop")); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("pauses of a deleted application: %v", err)
	}
	if err := w.DeleteApp(t.Context(), "shop"); !bus.HasCode(err, bus.CodeNoSuchApp) {
		t.Errorf("deletion of nothing: %v", err)
	}
}
