package bus_test

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// lossyServer is a server whose connections lose what loses says.
type lossyServer struct {
	*server.Server
	loses atomic.Pointer[func(sent []byte) bool] // nil: nothing
}

// lossyBus is a bus on a server that loses nothing before it is told to.
func lossyBus(t *testing.T, srv *server.Server) (*lossyServer, *bus.Bus) {
	t.Helper()
	s := &lossyServer{Server: srv}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b, err := bus.Open(t.Context(), nc, bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return s, b
}

// lose loses what is published on subjects with a prefix, from the nth message on.
func (s *lossyServer) lose(prefix string, nth int) {
	f := func(sent []byte) bool {
		if !bytes.Contains(sent, []byte("PUB "+prefix)) { // HPUB too
			return false
		}
		nth--
		return nth <= 0
	}
	s.loses.Store(&f)
}

// InProcessConn implements [nats.InProcessConnProvider].
func (s *lossyServer) InProcessConn() (net.Conn, error) {
	c, err := s.Server.InProcessConn()
	return lossyConn{c, s}, err
}

type lossyConn struct {
	net.Conn
	s *lossyServer
}

func (c lossyConn) Write(b []byte) (int, error) {
	if f := c.s.loses.Load(); f != nil && (*f)(b) {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
