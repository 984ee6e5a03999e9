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
	w.mustDeploy("shop", w.writeFile("shop.jar", batchletJar("shop/A", "both/B")))
	w.mustDeploy("bank", w.writeFile("bank.jar", batchletJar("bank/A", "both/B")))
	w.mustDeploy("shop-2", w.writeFile("shop2.jar", batchletJar("shop2/A")))
	for app, want := range map[string]string{"shop": "both.B shop.A", "bank": "bank.A both.B", "shop-2": "shop2.A", "other": ""} {
		if got := ownClasses(w.Deployer, app); got != want {
			t.Errorf("components of %s: %q, want %q", app, got, want)
		}
	}
	if err := w.Remove(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if n, jars := currentRevision(t, w.Deployer, "shop-2"); n != 1 || jars != "shop2.jar" {
		t.Errorf("current of shop-2 is %d with %s after shop was removed", n, jars)
	}
}

func TestDeployersKnowOfEachOther(t *testing.T) {
	w := newWorld(t)
	w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A")))
	other := w.newDeployer()
	w.runDeployer(other)
	if got := ownClasses(other, "shop"); got != "a.A" {
		t.Errorf("components at the start: %q", got)
	}
	eventually := func(what, want string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ownClasses(other, "shop") != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("components after %s: %q, want %q", what, ownClasses(other, "shop"), want)
			}
		}
	}
	w.mustDeploy("shop", w.writeFile("b.jar", batchletJar("b/B")))
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
	w.Deployer = w.newDeployer()
	w.runDeployer(w.Deployer)
	for i := range 3 { // reads right after each write, when a replica may lag
		w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A", fmt.Sprint("a/B", i))), w.writeFile("b.jar", batchletJar("b/B")))
		dep, err := w.Add(t.Context(), "shop", []ArtifactRef{w.storeJar("c.jar", batchletJar(fmt.Sprint("c/C", i)))})
		if err != nil || dep.Revision != 2*i+2 || dep.Components != 4 {
			t.Fatalf("deployed %+v, %v", dep, err)
		}
	}
	if dep, err := w.MakeCurrent(t.Context(), "shop", 1); err != nil || !dep.Current || ownClasses(w.Deployer, "shop") != "a.A a.B0 b.B" {
		t.Errorf("MakeCurrent = %+v, %v, components %s", dep, err, ownClasses(w.Deployer, "shop"))
	}
	if err := w.sweepStore(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNestedJarsLieInTheTempDir(t *testing.T) {
	w := newWorld(t)
	war := w.writeFile("a.war", jarOf(jarEntry{"WEB-INF/lib/a.jar", batchletJar("a/A")}))
	t.Setenv("TMPDIR", filepath.Join(w.dir, "gone"))
	t.Setenv("TMP", filepath.Join(w.dir, "gone"))
	if dep := w.mustDeploy("shop", war); dep.Components != 1 || len(dep.Warnings) != 0 {
		t.Errorf("%d components, warnings %q", dep.Components, dep.Warnings)
	}
}

func TestATempDirThatIsNone(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		w.writeFile("file", nil): "deploy: Config.TempDir " + w.dir + "/file is not a folder",
		w.dir + "/gone":          "deploy: Config.TempDir: stat " + w.dir + "/gone: no such file or directory",
	} {
		if _, err := New(Config{Bus: w.b, Objects: w.objects, TempDir: path}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
