package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// unixPrefix begins an address that is the path of a Unix socket.
const unixPrefix = "unix:"

// listenOn opens a listener on HOST:PORT, or on unix:PATH with this mode. Its
// error names the flag that changes the address.
func listenOn(flag, address string, mode fs.FileMode) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return listenUnix(flag, strings.TrimPrefix(path, "//"), mode)
	}
	return listenTCP(flag, address)
}

func listenTCP(flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError{fmt.Errorf("--%s %s: want host:port, such as 127.0.0.1:45102", flag, address)}
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	err = socketReason(err)
	if isPortInUse(err) {
		return nil, fmt.Errorf("--%s %s: the port is in use by another program; stop that program, or choose another port with --%s HOST:PORT (port 0 picks a free port)", flag, address, flag)
	}
	return nil, fmt.Errorf("--%s %s: %w", flag, address, err)
}

// socketReason returns the reason in an error of package net, without the
// address.
func socketReason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// listenUnix opens a listener on a Unix socket. Closing it removes the socket.
func listenUnix(flag, path string, mode fs.FileMode) (net.Listener, error) {
	if path == "" || path[0] == '@' { // an abstract socket of Linux is open to all users
		return nil, usageError{fmt.Errorf("--%s unix:%s: want the path of a socket, such as unix:/run/jobstreamer/bus.sock", flag, path)}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if longest := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
		return nil, usageError{fmt.Errorf("--%s unix:%s: the path of a socket may have at most %d bytes, this one has %d", flag, path, longest, len(path))}
	}
	if err := removeStaleSocket(path); err != nil {
		return nil, fmt.Errorf("--%s unix:%s: %w", flag, path, err)
	}
	// Linux takes the mode of the new socket from its descriptor, so that other
	// users never see a more open one. Other systems need the Chmod below.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return setSocketMode(c, mode) }}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("--%s unix:%s: %w", flag, path, socketReason(err))
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}

// removeStaleSocket removes a socket that a killed program left behind. It
// returns an error if a program answers on it, or if it is not a socket.
func removeStaleSocket(path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("the file exists and is not a socket; remove it, or choose another path")
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return errors.New("another program answers on this socket; stop that program, or choose another path")
	}
	if err = socketReason(err); !isRefused(err) {
		return err
	}
	return os.Remove(path)
}

// checkPortFree returns an error if the port for the embedded NATS is in use.
// NATS itself would only wait, without a reason.
func checkPortFree(flag, address string) error {
	l, err := listenTCP(flag, address)
	if err != nil {
		return err
	}
	return l.Close()
}
