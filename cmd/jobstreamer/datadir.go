package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/job-streamer/job-streamer-control-bus/agent/datadir"
)

// dataHome is the directory for data of programs, by the customs of the system;
// empty if the environment names no home.
func dataHome(env map[string]string) string {
	switch runtime.GOOS {
	case "windows":
		if dir := env["LocalAppData"]; dir != "" {
			return dir
		}
	case "darwin":
		return belowHome(env, "Library", "Application Support")
	default:
		// XDG Base Directory Specification: relative paths are to be ignored.
		if dir := env["XDG_DATA_HOME"]; filepath.IsAbs(dir) {
			return dir
		}
	}
	return belowHome(env, ".local", "share")
}

// configHome is the directory for settings of programs, by the customs of the
// system: that of os.UserConfigDir. It is empty if the environment names no
// home.
func configHome(env map[string]string) string {
	switch runtime.GOOS {
	case "windows":
		if dir := env["AppData"]; dir != "" {
			return dir
		}
	case "darwin":
		return belowHome(env, "Library", "Application Support")
	default:
		if dir := env["XDG_CONFIG_HOME"]; filepath.IsAbs(dir) {
			return dir
		}
	}
	return belowHome(env, ".config")
}

// belowHome is a path below the user's home; empty if there is none, or a
// relative one: what is read there would depend on the working directory.
func belowHome(env map[string]string, path ...string) string {
	home := env["HOME"]
	if runtime.GOOS == "windows" {
		home = env["USERPROFILE"]
	}
	if !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(append([]string{home}, path...)...)
}

// defaultData is where a command keeps its data unless it is told otherwise.
// Without a home it is empty: the command needs --data.
func defaultData(env map[string]string, sub ...string) string {
	return programDir(dataHome(env), sub...)
}

// programDir is the program's own directory in that for all programs; empty if
// there is none.
func programDir(home string, sub ...string) string {
	if home == "" {
		return ""
	}
	return filepath.Join(append([]string{home, "jobstreamer"}, sub...)...)
}

// lockData takes the data directory for this process until it is unlocked or
// the process ends.
func lockData(dir string) (unlock func(), err error) {
	if dir == "" {
		return nil, usageError{errors.New("--data: want a directory; without HOME there is no default")}
	}
	unlock, err = datadir.Lock(dir, "jobstreamer.lock")
	switch {
	case errors.Is(err, datadir.ErrInUse):
		return nil, fmt.Errorf("--data %s: in use by another jobstreamer process; stop that process, or choose another directory with --data DIR", dir)
	case err != nil:
		return nil, fmt.Errorf("--data %s: %w", dir, err)
	}
	return unlock, nil
}
