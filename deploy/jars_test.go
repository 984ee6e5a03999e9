package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestStore(t *testing.T) {
	w := newWorld(t)
	jar := batchletJar("a/A")
	ref := w.storeJar("a.jar", jar)
	t.Run("a jar is read back", func(t *testing.T) {
		r, size, err := w.Open(t.Context(), ref.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || size != int64(len(jar)) || !bytes.Equal(got, jar) {
			t.Errorf("read %d bytes of %d: %v", len(got), size, err)
		}
	})
	t.Run("a jar that is there is not read again", func(t *testing.T) {
		a, created, err := w.Store(t.Context(), ref, nil)
		if err != nil || created || a.Size != int64(len(jar)) {
			t.Errorf("Store = %+v, %v, %v", a, created, err)
		}
	})
	t.Run("a jar that is there is found by its content", func(t *testing.T) {
		if a, created, err := w.Store(t.Context(), ArtifactRef{Name: "b.jar"}, bytes.NewReader(jar)); err != nil || created || a.SHA256 != ref.SHA256 {
			t.Errorf("Store = %+v, %v, %v", a, created, err)
		}
	})
	t.Run("the file's name is the object's description", func(t *testing.T) {
		if obj, err := w.objects.Stat(t.Context(), ref.SHA256); err != nil || obj.Description != "a.jar" {
			t.Errorf("object %+v, %v", obj, err)
		}
	})
	other := strings.Repeat("0", 64)
	broken := errors.New("connection reset")
	for _, tc := range []struct {
		name string
		ref  ArtifactRef
		r    io.Reader
		want string
	}{
		{"another content than its hash says", ArtifactRef{"c.jar", other}, bytes.NewReader(batchletJar("c/C")), "/sha256: want the SHA-256 of the content"},
		{"no hash", ArtifactRef{"c.jar", "abc"}, nil, "/sha256: want a SHA-256 in 64 hex digits, got abc"},
		{"no jar", ArtifactRef{Name: "c.jar"}, strings.NewReader("text"), "/content: want a jar"},
		{"an upload that breaks", ArtifactRef{Name: "c.jar"}, io.MultiReader(bytes.NewReader(batchletJar("c/C")), failingReader{broken}), broken.Error()},
		{"a name with a folder", ArtifactRef{Name: "../c.jar"}, nil, "/name: want a file name"},
		{"no name", ArtifactRef{}, nil, "/name: want a file name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, err := w.Store(t.Context(), tc.ref, tc.r); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if all, err := w.objects.List(t.Context()); err != nil || len(all) != 1 {
				t.Errorf("%d objects are stored: %v", len(all), err)
			}
		})
	}
	t.Run("nothing stays in the folder", func(t *testing.T) {
		if all, err := os.ReadDir(w.tempDir); err != nil || len(all) != 0 {
			t.Errorf("%d files are left: %v", len(all), err)
		}
	})
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestDeployOfStoredJars(t *testing.T) {
	w := newWorld(t)
	a, b := w.storeJar("a.jar", batchletJar("a/A")), w.storeJar("b.jar", batchletJar("b/B"))
	if dep, err := w.Deploy(t.Context(), "shop", []ArtifactRef{b, {a.Name, strings.ToUpper(a.SHA256)}}); err != nil || artifactNames(dep.Artifacts) != "b.jar a.jar" {
		t.Errorf("deployed %+v, %v", dep, err)
	}
	none := ArtifactRef{"n.jar", strings.Repeat("1", 64)}
	_, err := w.Deploy(t.Context(), "shop", []ArtifactRef{a, none, none})
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.SHA256) != 1 || missing.SHA256[0] != none.SHA256 {
		t.Errorf("error %v, want the one that is not stored", err)
	}
	_, err = w.Deploy(t.Context(), "shop", []ArtifactRef{a, {"x/y", "z"}})
	if err == nil || err.Error() != "/artifacts/1/name: want a file name without a folder, of at most 255 bytes, got x/y; /artifacts/1/sha256: want a SHA-256 in 64 hex digits, got z" {
		t.Errorf("error %v", err)
	}
	if n, jars := currentRevision(t, w.Deployer, "shop"); n != 1 || jars != "b.jar a.jar" {
		t.Errorf("current is %d with %s: the old revision did not stay", n, jars)
	}
}

func TestALargeManifestIsAnObject(t *testing.T) {
	w := newWorld(t)
	var all []string
	for i := range 800 {
		all = append(all, fmt.Sprintf("shop/batch/of/some/length/Component%d", i))
	}
	w.mustDeploy("shop", w.writeFile("a.jar", batchletJar(all...)))
	e, err := w.b.Revisions.Get(t.Context(), "shop.1")
	if err != nil || e.Value.Object == "" || e.Value.Manifest != nil {
		t.Fatalf("record %+v, %v", e.Value, err)
	}
	other := w.newDeployer()
	w.runDeployer(other)
	if n := len(other.Components("shop")); n != 802 {
		t.Errorf("%d components, want 800 and 2 built-in ones", n)
	}
	dep, err := other.Revision(t.Context(), "shop", 1)
	if err != nil || dep.Components != 800 || len(dep.Artifacts) != 1 {
		t.Errorf("revision %+v, %v", dep, err)
	}
	if _, err := w.Deploy(t.Context(), "shop", []ArtifactRef{{"m.jar", e.Value.Object}}); err == nil || !strings.Contains(err.Error(), "1 jar is not stored") {
		t.Errorf("a manifest as a jar: %v", err)
	}
	store, err := w.b.JS.ObjectStore(t.Context(), subjects.ArtifactsStore)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := store.List(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("the client library lists %d objects: %v", len(list), err)
	}
}
