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
	// Each case ends with a sweep; want is the number of jars that stay.
	for _, tc := range []struct {
		name string
		do   func(w *world)
		want int
	}{
		{"an unreferenced jar is removed after an hour", func(w *world) {
			w.storeJar("a.jar", batchletJar("a/A"))
			time.Sleep(61 * time.Minute)
		}, 0},
		{"a jar that was just stored stays", func(w *world) {
			w.storeJar("a.jar", batchletJar("a/A"))
			time.Sleep(59 * time.Minute)
		}, 1},
		{"a jar that was stored again stays", func(w *world) {
			w.storeJar("a.jar", batchletJar("a/A"))
			time.Sleep(2 * time.Hour)
			w.storeJar("a.jar", batchletJar("a/A"))
		}, 1},
		{"a jar of a kept revision stays", func(w *world) {
			w.mustDeploy("default", w.writeFile("a.jar", batchletJar("a/A")))
			w.mustDeploy("default", w.writeFile("b.jar", batchletJar("b/B")))
			time.Sleep(2 * time.Hour)
		}, 2},
		{"a jar of a revision that is not kept goes", func(w *world) {
			for i := range 12 {
				w.mustDeploy("default", w.writeFile("a.jar", batchletJar(fmt.Sprint("a/A", i))))
			}
			time.Sleep(2 * time.Hour)
		}, 10},
		{"a jar that another application names stays", func(w *world) {
			w.createApp("shop")
			a := w.writeFile("a.jar", batchletJar("a/A"))
			w.mustDeploy("default", a)
			w.mustDeploy("shop", a)
			time.Sleep(2 * time.Hour)
			if err := w.Remove(w.Context(), "shop"); err != nil {
				w.Fatal(err)
			}
		}, 1},
		{"the jars of an application that was removed go", func(w *world) {
			w.createApp("shop")
			w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A")))
			time.Sleep(2 * time.Hour)
			if err := w.Remove(w.Context(), "shop"); err != nil {
				w.Fatal(err)
			}
		}, 0},
		{"the jars of an application that is not there go", func(w *world) {
			w.mustDeploy("gone", w.writeFile("a.jar", batchletJar("a/A")))
			time.Sleep(2 * time.Hour)
		}, 0},
		{"the jars of an application that is not there yet stay", func(w *world) {
			w.mustDeploy("soon", w.writeFile("a.jar", batchletJar("a/A")))
			time.Sleep(59 * time.Minute)
			if err := w.sweepStore(w.Context()); err != nil {
				w.Error(err)
			}
			if n, _ := currentRevision(w.T, w.Deployer, "soon"); n != 1 {
				w.Errorf("current is %d, want 1", n)
			}
		}, 1},
		{"a record that never became a revision goes with its jar", func(w *world) {
			ref := w.storeJar("a.jar", batchletJar("a/A"))
			r := &revision{Revision: bus.Revision{App: "default"}, manifest: manifest{Artifacts: []Artifact{{ArtifactRef: ref}}}}
			if err := w.packManifest(w.Context(), r); err != nil {
				w.Fatal(err)
			}
			base, _ := w.readDeployed(w.Context(), "default")
			if _, err := w.createRevision(w.Context(), base, &r.Revision); err != nil {
				w.Fatal(err)
			}
			time.Sleep(59 * time.Minute)
			if err := w.sweepStore(w.Context()); err != nil {
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
				if err := w.sweepStore(t.Context()); err != nil {
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
		ref := w.storeJar("a.jar", batchletJar("a/A"))
		time.Sleep(2 * time.Hour)
		old, err := w.objects.List(t.Context()) // as a sweep would have read it
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
		w.runDeployer(w.Deployer)
		w.storeJar("a.jar", batchletJar("a/A"))
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
			if due, err := w.sweepIfDue(t.Context()); err != nil || due != want {
				t.Errorf("%s: sweepDue = %v, %v, want %v", what, due, err, want)
			}
		}
		want("at the start", true)
		time.Sleep(2 * minAge)
		want("when all is old", true)
		want("when all is old and was swept", false)
		w.storeJar("a.jar", batchletJar("a/A"))
		want("after an upload", true)
		want("when an upload is young", true)
		time.Sleep(2 * minAge)
		want("when an upload is old", true)
		if all, err := w.objects.List(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%d jars are stored, want none: %v", len(all), err)
		}
		w.createApp("shop")
		want("after an application was made", true)
	})
}

func TestASweepThatCannotReadARecordRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.storeJar("a.jar", batchletJar("a/A"))
		rec := bus.Revision{App: "default", Number: 1, Object: strings.Repeat("0", 64)}
		if _, err := w.b.Revisions.Create(t.Context(), rec.Key(), rec); err != nil {
			t.Fatal(err)
		}
		if _, err := w.b.Deployed.Create(t.Context(), "default", bus.Deployed{Current: 1, Kept: []int{1}, Last: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if err := w.sweepStore(t.Context()); err == nil {
			t.Error("a sweep that cannot read a record has no error")
		}
		if all, err := w.objects.List(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%d jars are stored, want 1: %v", len(all), err)
		}
	})
}
