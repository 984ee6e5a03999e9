//go:build unix

package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/datadir"
)

func TestFolders(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string) error
		want    string // of the error; empty: none
	}{
		{"a new one", func(_ *testing.T, dir string) error { return os.Remove(dir) }, ""},
		{"others may read", func(_ *testing.T, dir string) error { return os.Chmod(dir, 0o755) }, ""},
		{"own group may write", func(_ *testing.T, dir string) error { return os.Chmod(dir, 0o770) }, ""},
		{"everybody may write", func(_ *testing.T, dir string) error { return os.Chmod(dir, 0o777) }, "others may write to it (mode 0777)"},
		{"another group may write", func(t *testing.T, dir string) error {
			needRoot(t)
			return errors.Join(os.Chown(dir, -1, 65534), os.Chmod(dir, 0o770))
		}, "others may write to it (mode 0770)"},
		{"another owner", func(t *testing.T, dir string) error { needRoot(t); return os.Chown(dir, 65534, -1) }, "it belongs to the user 65534"},
		{"a link to a folder of one's own", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(dir), os.Symlink(t.TempDir(), dir))
		}, ""},
		{"a lock that is a link", func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "victim"), filepath.Join(dir, "lock"))
		}, "lock: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.prepare(t, dir); err != nil {
				t.Fatal(err)
			}
			unlock, err := datadir.Lock(dir, "lock")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "victim")); err == nil {
				t.Error("the link of the lock was followed")
			}
			if err != nil {
				return
			}
			if _, err := datadir.Lock(dir, "lock"); !errors.Is(err, datadir.ErrInUse) {
				t.Errorf("second lock: %v", err)
			}
			unlock()
			unlock, err = datadir.Lock(dir, "lock")
			if err != nil {
				t.Fatalf("after the unlock: %v", err)
			}
			unlock()
		})
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
}
