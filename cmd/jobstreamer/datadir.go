package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/job-streamer/job-streamer-control-bus/agent/datadir"
)

// dataHome returns the system's usual directory for data of programs, or "" if
// the environment contains no home.
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

// configHome returns the system's usual directory for settings of programs,
// like os.UserConfigDir, or "" if the environment contains no home.
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

// belowHome returns a path below the user's home, or "" if there is no home. A
// relative home is ignored, because its files would depend on the working
// directory.
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

// defaultData returns the default data directory of a command. Without a home
// it is empty, and the command requires --data.
func defaultData(env map[string]string, sub ...string) string {
	return programDir(dataHome(env), sub...)
}

// programDir returns this program's directory below the one for all programs,
// or "" if home is empty.
func programDir(home string, sub ...string) string {
	if home == "" {
		return ""
	}
	return filepath.Join(append([]string{home, "jobstreamer"}, sub...)...)
}

// lockData locks the data directory for this process. The lock ends with unlock
// or with the process.
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
