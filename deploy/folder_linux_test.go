package deploy

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// asNobody runs f on a thread with the file permissions of the user nobody.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func TestWithoutPermission(t *testing.T) {
	w := newWorld(t)
	// Let the user nobody enter the test's own folders.
	for dir := w.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Skip(err)
		}
	}
	w.tempDir = os.TempDir()
	good := w.writeFile("good.jar", batchletJar("a/A"))
	asNobody(t, func() { w.mustDeploy("shop", good) })
	for _, tc := range []struct {
		name, url string
		closed    string
		want      string
	}{
		{"a folder", "closed", "closed", "closed: permission denied"},
		{"a folder in a folder", "outer", "outer/inner", "outer/inner: permission denied"},
		{"a file in a folder", "with", "with/B.class", "with/B.class: permission denied"},
		{"a jar", "b.jar", "b.jar", "b.jar: permission denied"},
		{"a jar in a folder that is closed", "lib/c.jar", "lib", "lib/c.jar: permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			switch {
			case strings.HasSuffix(tc.url, ".jar"):
				w.writeFile(tc.url, batchletJar("b/B"))
			case strings.HasSuffix(tc.closed, ".class"):
				w.writeFile(tc.closed, classEntry("B").data)
			default:
				w.writeFile(tc.closed+"/a/A.class", classEntry("a/A").data)
			}
			if err := os.Chmod(filepath.Join(w.dir, tc.closed), 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(filepath.Join(w.dir, tc.closed), 0o755) })
			var err error
			asNobody(t, func() { _, err = w.DeployPath(t.Context(), "shop", []string{good, "file:" + w.dir + "/" + tc.url}) })
			if err == nil {
				t.Fatal("it was deployed")
			}
			for _, part := range []string{"/classpath/1: want a jar or a class folder that the control bus is allowed to read", tc.url, tc.want} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q, want %q", err, part)
				}
			}
			if n, _ := currentRevision(t, w.Deployer, "shop"); n != 1 {
				t.Errorf("current is %d: the old revision did not stay", n)
			}
		})
	}
}
