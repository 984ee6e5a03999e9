package main

import (
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// A server that is starting, or ending, takes a connection and resets it: who
// came at that moment comes again.
func TestAResetIsWaitedFor(t *testing.T) {
	t.Parallel()
	nats := bustest.Listening(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	resets := 2
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if resets > 0 {
				resets--
				_ = c.(*net.TCPConn).SetLinger(0) // so that Close resets
				_ = c.Close()
				continue
			}
			go pipeConn(c, nats.Addr().String())
		}
	}()
	s := natsSettings{url: "nats://" + l.Addr().String()}
	nc, err := s.dialUntilUp(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func pipeConn(c net.Conn, to string) {
	defer func() { _ = c.Close() }()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go io.Copy(server, c) //nolint:errcheck // the test sees what comes of it
	io.Copy(c, server)    //nolint:errcheck // likewise
}
