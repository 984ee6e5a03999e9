package deploy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestSweep(t *testing.T) {
	// Each case ends with a sweep; then the store has as many jars as it wants.
	for _, tc := range []struct {
		name string
		do   func(w *world)
		want int
	}{
		{"a jar that nobody names goes after an hour", func(w *world) {
			w.store("a.jar", batchlets("a/A"))
			time.Sleep(61 * time.Minute)
		}, 0},
		{"a jar that was just stored stays", func(w *world) {
			w.store("a.jar", batchlets("a/A"))
			time.Sleep(59 * time.Minute)
		}, 1},
		{"a jar that was stored again stays", func(w *world) {
			w.store("a.jar", batchlets("a/A"))
			time.Sleep(2 * time.Hour)
			w.store("a.jar", batchlets("a/A"))
		}, 1},
		{"a jar of a kept revision stays", func(w *world) {
			w.mustPath("default", w.file("a.jar", batchlets("a/A")))
			w.mustPath("default", w.file("b.jar", batchlets("b/B")))
			time.Sleep(2 * time.Hour)
		}, 2},
		{"a jar of a revision that is not kept goes", func(w *world) {
			for i := range 12 {
				w.mustPath("default", w.file("a.jar", batchlets(fmt.Sprint("a/A", i))))
			}
			time.Sleep(2 * time.Hour)
		}, 10},
		{"a jar that another application names stays", func(w *world) {
			w.app("shop")
			a := w.file("a.jar", batchlets("a/A"))
			w.mustPath("default", a)
			w.mustPath("shop", a)
			time.Sleep(2 * time.Hour)
			if err := w.Remove(w.Context(), "shop"); err != nil {
				w.Fatal(err)
			}
		}, 1},
		{"the jars of an application that was removed go", func(w *world) {
			w.app("shop")
			w.mustPath("shop", w.file("a.jar", batchlets("a/A")))
			time.Sleep(2 * time.Hour)
			if err := w.Remove(w.Context(), "shop"); err != nil {
				w.Fatal(err)
			}
		}, 0},
		{"the jars of an application that is not there go", func(w *world) {
			w.mustPath("gone", w.file("a.jar", batchlets("a/A")))
			time.Sleep(2 * time.Hour)
		}, 0},
		{"the jars of an application that is not there yet stay", func(w *world) {
			w.mustPath("soon", w.file("a.jar", batchlets("a/A")))
			time.Sleep(59 * time.Minute)
			if err := w.sweep(w.Context()); err != nil {
				w.Error(err)
			}
			if n, _ := current(w.T, w.Deployer, "soon"); n != 1 {
				w.Errorf("current is %d, want 1", n)
			}
		}, 1},
		{"a record that never became a revision goes with its jar", func(w *world) {
			ref := w.store("a.jar", batchlets("a/A"))
			r := &revision{Revision: bus.Revision{App: "default"}, manifest: manifest{Artifacts: []Artifact{{ArtifactRef: ref}}}}
			if err := w.pack(w.Context(), r); err != nil {
				w.Fatal(err)
			}
			base, _ := w.deployed(w.Context(), "default")
			if _, err := w.create(w.Context(), base, &r.Revision); err != nil {
				w.Fatal(err)
			}
			time.Sleep(59 * time.Minute)
			if err := w.sweep(w.Context()); err != nil {
				w.Error(err)
			}
			if _, err := w.b.Revisions.Get(w.Context(), r.Key()); err != nil {
				w.Errorf("a deployment that is under way lost its record: %v", err)
			}
			time.Sleep(61 * time.Minute)
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tc.do(w)
				if err := w.sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				all, err := w.objects.List(t.Context())
				if err != nil || len(all) != tc.want {
					t.Errorf("%d jars are stored, want %d: %v", len(all), tc.want, err)
				}
				for _, o := range all {
					if r, _, err := w.Open(t.Context(), o.Name); err != nil {
						t.Error(err)
					} else {
						r.Close()
					}
				}
			})
		})
	}
}

func TestASweepMeetsADeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ref := w.store("a.jar", batchlets("a/A"))
		time.Sleep(2 * time.Hour)
		old, err := w.objects.List(t.Context()) // what a sweep read
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Deploy(t.Context(), "default", []ArtifactRef{ref}); err != nil {
			t.Fatal(err)
		}
		if err := w.objects.Remove(t.Context(), old[0]); !errors.Is(err, bus.ErrChanged) {
			t.Errorf("the jar of a deployment was removed: %v", err)
		}
	})
}

func TestRunSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(w.Deployer)
		w.store("a.jar", batchlets("a/A"))
		time.Sleep(2 * time.Hour)
		if all, err := w.objects.List(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%d jars are stored, want none: %v", len(all), err)
		}
	})
}

func TestASweepThatFindsNothingNewIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		want := func(what string, want bool) {
			t.Helper()
			if due, err := w.sweepDue(t.Context()); err != nil || due != want {
				t.Errorf("%s: sweepDue = %v, %v, want %v", what, due, err, want)
			}
		}
		want("at the start", true)
		time.Sleep(2 * grace)
		want("when all is old", true)
		want("when all is old and was swept", false)
		w.store("a.jar", batchlets("a/A"))
		want("after an upload", true)
		want("when an upload is young", true)
		time.Sleep(2 * grace)
		want("when an upload is old", true)
		if all, err := w.objects.List(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%d jars are stored, want none: %v", len(all), err)
		}
		w.app("shop")
		want("after an application was made", true)
	})
}

func TestASweepThatCannotReadARecordRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store("a.jar", batchlets("a/A"))
		rec := bus.Revision{App: "default", Number: 1, Object: strings.Repeat("0", 64)}
		if _, err := w.b.Revisions.Create(t.Context(), rec.Key(), rec); err != nil {
			t.Fatal(err)
		}
		if _, err := w.b.Deployed.Create(t.Context(), "default", bus.Deployed{Current: 1, Kept: []int{1}, Last: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if err := w.sweep(t.Context()); err == nil {
			t.Error("a sweep that cannot read a record has no error")
		}
		if all, err := w.objects.List(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%d jars are stored, want 1: %v", len(all), err)
		}
	})
}
