package main

import (
	"errors"
	"fmt"
	"net"
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

// configHome is the directory for settings of programs, by the customs of the system: that of os.UserConfigDir.
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

// lockData takes the data directory for this process until the lock is given up or the process ends.
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

// listen takes a port. The error says which flag changes it.
func listen(flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError{fmt.Errorf("--%s %s: want host:port, such as 127.0.0.1:45102", flag, address)}
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	if inUse(err) {
		return nil, fmt.Errorf("--%s %s: the port is in use by another program; end that one, or choose another port with --%s HOST:PORT (port 0 is any free one)", flag, address, flag)
	}
	return nil, fmt.Errorf("--%s %s: %w", flag, address, err)
}

// probe says whether a port that the embedded NATS will take is free. It would only wait, and give no reason.
func probe(flag, address string) error {
	l, err := listen(flag, address)
	if err != nil {
		return err
	}
	return l.Close()
}
