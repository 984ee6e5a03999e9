package deploy

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func TestApplicationsAreIsolated(t *testing.T) {
	w := newWorld(t)
	w.mustPath("shop", w.file("shop.jar", batchlets("shop/A", "both/B")))
	w.mustPath("bank", w.file("bank.jar", batchlets("bank/A", "both/B")))
	w.mustPath("shop-2", w.file("shop2.jar", batchlets("shop2/A")))
	for app, want := range map[string]string{"shop": "both.B shop.A", "bank": "bank.A both.B", "shop-2": "shop2.A", "other": ""} {
		if got := classes(w.Deployer, app); got != want {
			t.Errorf("components of %s: %q, want %q", app, got, want)
		}
	}
	if err := w.Remove(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if n, jars := current(t, w.Deployer, "shop-2"); n != 1 || jars != "shop2.jar" {
		t.Errorf("current of shop-2 is %d with %s after shop was removed", n, jars)
	}
}

func TestDeployersKnowOfEachOther(t *testing.T) {
	w := newWorld(t)
	w.mustPath("shop", w.file("a.jar", batchlets("a/A")))
	other := w.another()
	w.run(other)
	if got := classes(other, "shop"); got != "a.A" {
		t.Errorf("components at the start: %q", got)
	}
	eventually := func(what, want string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); classes(other, "shop") != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("components after %s: %q, want %q", what, classes(other, "shop"), want)
			}
		}
	}
	w.mustPath("shop", w.file("b.jar", batchlets("b/B")))
	eventually("a deployment", "b.B")
	if _, err := w.MakeCurrent(t.Context(), "shop", 1); err != nil {
		t.Fatal(err)
	}
	eventually("the first was made current", "a.A")
	if err := w.Remove(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	eventually("the removal", "")
}

func TestAClusterOfThree(t *testing.T) {
	servers := bustest.Cluster(t)
	w := &world{T: t, srv: servers[0], dir: t.TempDir(), replicas: 3}
	w.Deployer = w.another()
	w.run(w.Deployer)
	for i := range 3 { // what is deployed is read at once, when a replica may lag
		w.mustPath("shop", w.file("a.jar", batchlets("a/A", fmt.Sprint("a/B", i))), w.file("b.jar", batchlets("b/B")))
		dep, err := w.Add(t.Context(), "shop", []ArtifactRef{w.store("c.jar", batchlets(fmt.Sprint("c/C", i)))})
		if err != nil || dep.Revision != 2*i+2 || dep.Components != 4 {
			t.Fatalf("deployed %+v, %v", dep, err)
		}
	}
	if dep, err := w.MakeCurrent(t.Context(), "shop", 1); err != nil || !dep.Current || classes(w.Deployer, "shop") != "a.A a.B0 b.B" {
		t.Errorf("MakeCurrent = %+v, %v, components %s", dep, err, classes(w.Deployer, "shop"))
	}
	if err := w.sweep(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNestedJarsLieInTheTempDir(t *testing.T) {
	w := newWorld(t)
	war := w.file("a.war", jarOf(entry{"WEB-INF/lib/a.jar", batchlets("a/A")}))
	t.Setenv("TMPDIR", filepath.Join(w.dir, "gone"))
	t.Setenv("TMP", filepath.Join(w.dir, "gone"))
	if dep := w.mustPath("shop", war); dep.Components != 1 || len(dep.Warnings) != 0 {
		t.Errorf("%d components, warnings %q", dep.Components, dep.Warnings)
	}
}

func TestATempDirThatIsNone(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		w.file("file", nil): "deploy: Config.TempDir " + w.dir + "/file is no folder",
		w.dir + "/gone":     "deploy: Config.TempDir: stat " + w.dir + "/gone: no such file or directory",
	} {
		if _, err := New(Config{Bus: w.b, Objects: w.objects, TempDir: path}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
