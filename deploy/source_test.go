package deploy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// newGuardedWorld returns a world with a folder data that is closed, and a
// folder classes that is a root.
func newGuardedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.writeFile("data/nats/users.blk", []byte("password hashes"))
	w.writeFile("data/nats/own.jar", batchletJar("d/D"))
	w.writeFile("classes/shop/shop/Orders.class", classEntry("shop/Orders", "javax/batch/api/Batchlet").data)
	w.writeFile("classes/lib/a.jar", batchletJar("a/A"))
	w.writeFile("secret/key.pem", []byte("private key"))
	w.writeFile("secret/b.jar", batchletJar("b/B"))
	d, err := New(Config{
		Bus: w.b, Objects: w.objects, TempDir: t.TempDir(), Log: w.log,
		Roots: []string{filepath.Join(w.dir, "classes")}, Closed: []string{filepath.Join(w.dir, "data")},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Deployer = d
	return w
}

// link makes a symbolic link below the world's folder.
func (w *world) link(target, name string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.Symlink(target, path); err != nil {
		w.Skip(err)
	}
	return path
}

func TestClosedFolders(t *testing.T) {
	w := newGuardedWorld(t)
	w.writeFile("parent/a.txt", nil)
	for _, tc := range []struct{ name, path, want string }{
		{"the data folder", w.dir + "/data", "outside " + w.dir + "/data"},
		{"a folder in it", w.dir + "/data/nats", "outside " + w.dir + "/data"},
		{"a jar in it", w.dir + "/data/nats/own.jar", "outside " + w.dir + "/data"},
		{"a way back into it", "file:" + w.dir + "/secret/%2E%2E/data/nats", "outside " + w.dir + "/data"},
		{"a link to it", w.link(w.dir+"/data", "to-data"), "outside " + w.dir + "/data"},
		{"a link to a folder in it", w.link("data/nats", "to-nats"), "outside " + w.dir + "/data"},
		{"a folder behind a link", w.dir + "/to-data/nats", "outside " + w.dir + "/data"},
		{"a link to a jar in it", w.link("data/nats/own.jar", "own.jar"), "outside " + w.dir + "/data"},
		{"the devices", "/dev", "outside /dev"},
		{"the processes", "/proc", "outside /proc"},
		{"a process", "/proc/self", "outside /proc"},
		{"the environment of a process", "/proc/self/environ", "outside /proc"},
		{"a root through a process", "/proc/self/root/proc", "outside /proc"},
		{"the kernel", "/sys", "outside /sys"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := os.Stat(strings.TrimPrefix(tc.path, "file:")); err != nil && !strings.Contains(tc.path, "%") {
				t.Skip(err)
			}
			_, err := w.DeployPath(t.Context(), "shop", []string{tc.path})
			var wrong Errors
			if !errors.As(err, &wrong) || len(wrong) != 1 || !strings.Contains(wrong[0].Want, tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAFolderAboveAClosedOne(t *testing.T) {
	w := newGuardedWorld(t)
	w.link("data/nats", "into")
	w.link("data/nats/own.jar", "own.jar")
	dep := w.mustDeploy("shop", w.dir)
	base := filepath.Base(w.dir) + ".jar!/"
	for _, name := range []string{"data", "into", "own.jar"} {
		if want := base + name + " is skipped: it is in " + w.dir + "/data"; !strings.Contains(strings.Join(dep.Warnings, "\n"), want) {
			t.Errorf("warnings %q, want %q", dep.Warnings, want)
		}
	}
	s, err := w.fetchJar(t.Context(), dep.Artifacts[0].SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer s.closeAndRemove()
	jar := make([]byte, s.size)
	if _, err := s.ReadAt(jar, 0); err != nil {
		t.Fatal(err)
	}
	if got := listEntries(t, jar); strings.Contains(got, "users.blk") || strings.Contains(got, "own.jar") || !strings.Contains(got, "secret/key.pem") {
		t.Errorf("entries %s", got)
	}
}

func TestRoots(t *testing.T) {
	w := newGuardedWorld(t)
	for _, path := range []string{"classes", "classes/shop", "classes/lib/a.jar", "classes/none.jar", "classes/../classes/shop"} {
		if err := w.CheckRoots([]string{w.dir + "/" + path}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"secret", "classes/../secret", "classes2", "", "none"} {
		var outside *OutsideError
		if err := w.CheckRoots([]string{w.dir + "/classes", "file:" + w.dir + "/" + path}); !errors.As(err, &outside) || !strings.Contains(err.Error(), w.dir+"/classes") {
			t.Errorf("%s: error %v, want that it is not below the root", path, err)
		}
	}
	w.mustDeploy("shop", w.dir+"/classes/shop", w.dir+"/classes/lib/a.jar")
	w.link("../lib/a.jar", "classes/shop/a.jar")
	w.link("../../secret", "classes/lib/out")
	w.link("../secret/b.jar", "classes/b.jar")
	w.link("lib/a.jar", "classes/a.jar")
	w.mustDeploy("shop", w.dir+"/classes/a.jar")
	for _, path := range []string{"classes/b.jar", "classes/lib/out", "classes/lib/out/b.jar", "classes/lib", "classes/shop", "classes"} {
		_, err := w.DeployPath(t.Context(), "shop", []string{w.dir + "/" + path})
		if err == nil || !strings.Contains(err.Error(), "without links that lead out of it") {
			if path != "classes" || err == nil {
				t.Errorf("%s: error %v, want that a link leads out of it", path, err)
			}
		}
	}
}

// A folder is its own limit also where no root is: whoever writes to it cannot
// add the files that only the bus can read.
func TestALinkOutOfAFolder(t *testing.T) {
	w := newWorld(t)
	w.writeFile("shop/a.txt", nil)
	secret := w.writeFile("key.pem", []byte("private key"))
	link := w.link("../key.pem", "shop/b.txt")
	for _, target := range []string{"../key.pem", secret} {
		_ = os.Remove(link)
		w.link(target, "shop/b.txt")
		if _, err := w.DeployPath(t.Context(), "shop", []string{w.dir + "/shop"}); err == nil || !strings.Contains(err.Error(), "shop/b.txt: path escapes") {
			t.Errorf("error %v, want that the link leads out", err)
		}
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	w.mustDeploy("shop", w.link("shop", "current")) // a link in the path of an entry is followed
}

func TestRootsThatCannotBeUsed(t *testing.T) {
	w := newGuardedWorld(t)
	for _, dir := range []string{w.dir + "/none", w.dir + "/secret/key.pem", w.dir + "/data/nats", "/proc/self"} {
		_, err := New(Config{Bus: w.b, Objects: w.objects, TempDir: t.TempDir(), Roots: []string{dir}, Closed: []string{w.dir + "/data"}})
		var field *bus.FieldError
		if !errors.As(err, &field) || field.Path != "classpath-root" {
			t.Errorf("%s: error %v, want a FieldError", dir, err)
		}
	}
}
