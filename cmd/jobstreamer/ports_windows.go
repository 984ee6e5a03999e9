package main

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/windows"
)

func isPortInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// isRefused reports whether nobody listens on a socket.
func isRefused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }

// setSocketMode does nothing: on Windows the folder decides who may connect.
func setSocketMode(syscall.RawConn, fs.FileMode) error { return nil }
