package deploy

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// slowServer is a server whose connections keep back what is published on one subject.
type slowServer struct {
	*server.Server
	mu      sync.Mutex
	subject []byte // nil: none
	conn    net.Conn
	kept    [][]byte
}

// slowBus is a bus on such a server.
func slowBus(t *testing.T, srv *server.Server) (*slowServer, *bus.Bus) {
	t.Helper()
	s := &slowServer{Server: srv}
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

func (s *slowServer) keep(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subject = []byte("PUB " + subject + " ")
}

// release sends what was kept back.
func (s *slowServer) release(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		t.Fatal("nothing was kept back")
	}
	for _, b := range s.kept {
		if _, err := s.conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	s.subject, s.kept = nil, nil
}

// InProcessConn implements [nats.InProcessConnProvider].
func (s *slowServer) InProcessConn() (net.Conn, error) {
	c, err := s.Server.InProcessConn()
	s.conn = c
	return slowConn{c, s}, err
}

type slowConn struct {
	net.Conn
	s *slowServer
}

func (c slowConn) Write(b []byte) (int, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.subject != nil && bytes.Contains(b, c.s.subject) { // HPUB too
		c.s.kept = append(c.s.kept, bytes.Clone(b))
		return len(b), nil
	}
	return c.Conn.Write(b)
}
