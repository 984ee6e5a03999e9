//go:build !windows

package main

import (
	"errors"
	"io/fs"
	"syscall"
)

func isPortInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// isRefused reports whether nobody listens on a socket.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// setSocketMode sets the mode of a socket before it gets its path. Systems where
// that has no effect refuse it.
func setSocketMode(c syscall.RawConn, mode fs.FileMode) error {
	return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
}
