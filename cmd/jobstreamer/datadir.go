package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"
)

// dataHome is the directory for data of programs, by the customs of the system.
func dataHome(env map[string]string) string {
	home := env["HOME"]
	switch runtime.GOOS {
	case "windows":
		if dir := env["LocalAppData"]; dir != "" {
			return dir
		}
		home = env["USERPROFILE"]
	case "darwin":
		if home != "" {
			return filepath.Join(home, "Library", "Application Support")
		}
	default:
		// XDG Base Directory Specification: relative paths are to be ignored.
		if dir := env["XDG_DATA_HOME"]; filepath.IsAbs(dir) {
			return dir
		}
	}
	if home == "" {
		return os.TempDir()
	}
	return filepath.Join(home, ".local", "share")
}

// configHome is the directory for settings of programs, by the customs of the
// system: that of os.UserConfigDir.
func configHome(env map[string]string) string {
	home := env["HOME"]
	switch runtime.GOOS {
	case "windows":
		if dir := env["AppData"]; dir != "" {
			return dir
		}
		home = env["USERPROFILE"]
	case "darwin":
		return filepath.Join(home, "Library", "Application Support")
	default:
		if dir := env["XDG_CONFIG_HOME"]; filepath.IsAbs(dir) {
			return dir
		}
	}
	return filepath.Join(home, ".config")
}

// defaultData is where a command keeps its data unless it is told otherwise.
func defaultData(env map[string]string, sub ...string) string {
	return filepath.Join(append([]string{dataHome(env), "jobstreamer"}, sub...)...)
}

// lockData takes the data directory for this process until the lock is given up
// or the process ends.
func lockData(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--data %s: %w", dir, err)
	}
	lock := flock.New(filepath.Join(dir, "jobstreamer.lock"))
	ok, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("--data %s: lock: %w", dir, err)
	case !ok:
		return nil, fmt.Errorf("--data %s: in use by another jobstreamer; end that one, or give this one a directory of its own with --data DIR", dir)
	}
	return lock, nil
}
