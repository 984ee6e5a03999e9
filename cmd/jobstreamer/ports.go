package main

import (
	"errors"
	"fmt"
	"net"
)

// listenOn opens a listener. Its error names the flag that changes the port.
func listenOn(flag, address string) (net.Listener, error) {
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
	if isPortInUse(err) {
		return nil, fmt.Errorf("--%s %s: the port is in use by another program; stop that program, or choose another port with --%s HOST:PORT (port 0 picks a free port)", flag, address, flag)
	}
	return nil, fmt.Errorf("--%s %s: %w", flag, address, err)
}

// checkPortFree returns an error if the port for the embedded NATS is in use.
// NATS itself would only wait, without a reason.
func checkPortFree(flag, address string) error {
	l, err := listenOn(flag, address)
	if err != nil {
		return err
	}
	return l.Close()
}
