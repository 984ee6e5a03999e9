//go:build !windows

package main

import (
	"errors"
	"syscall"
)

func isPortInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
