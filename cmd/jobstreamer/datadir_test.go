package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Without a home there is no default directory: neither the temporary
// directory, which another user could create first, nor the working directory.
func TestNoHome(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("HOME is not asked for here")
	}
	t.Chdir(t.TempDir())
	for _, env := range [][]string{nil, {"HOME="}, {"HOME=."}} {
		for _, command := range []string{"serve", "dev", "agent"} {
			got := runCaptured(t.Context(), env, command)
			if got.code != exitUsage || !strings.Contains(got.err, "--data: want a directory") {
				t.Errorf("%v %s: %+v, want a mistake that names --data", env, command, got)
			}
		}
		if got := runCaptured(t.Context(), env, "context", "add", "prod", "--server", "http://h:1"); got.code != exitError || !strings.Contains(got.err, "below HOME, which is not set") {
			t.Errorf("%v: %+v", env, got)
		}
		if got := runCaptured(t.Context(), env, "context", "list"); got.code != exitOK {
			t.Errorf("%v: %+v", env, got)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("%v, %v; want nothing made", left, err)
	}
}

func TestDataOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not asked for here")
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "dev", "agent"} {
		got := runCaptured(t.Context(), testEnv, command, "--data", dir)
		if got.code != exitError || !strings.Contains(got.err, "--data "+dir+": others may write to it (mode 0777)") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}
