package bustest

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// Tap sits on a bus's connection and holds back messages on request. A message
// that is never released is lost.
type Tap struct {
	srv  *server.Server
	mu   sync.Mutex
	conn net.Conn
	what []byte // nil: nothing
	nth  int
	held [][]byte
}

// Tapped opens a bus on s with a tap that holds nothing back yet, until the
// test ends.
func Tapped(t testing.TB, s *server.Server) (*Tap, *bus.Bus) {
	t.Helper()
	tap := &Tap{srv: s}
	nc, err := nats.Connect("", nats.InProcessServer(tap), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b, err := bus.Open(t.Context(), nc, bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return tap, b
}

// Hold holds back messages published on subjects with the prefix, from the nth
// message on. A whole subject ends with a space.
func (t *Tap) Hold(prefix string, nth int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.what, t.nth = []byte("PUB "+prefix), nth
}

// Release sends the messages that were held back, of which there must be some,
// and holds nothing back any more.
func (t *Tap) Release(tb testing.TB) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.held) == 0 {
		tb.Fatal("nothing was kept back")
	}
	for _, b := range t.held {
		if _, err := t.conn.Write(b); err != nil {
			tb.Fatal(err)
		}
	}
	t.what, t.held = nil, nil
}

// InProcessConn implements [nats.InProcessConnProvider].
func (t *Tap) InProcessConn() (net.Conn, error) {
	c, err := t.srv.InProcessConn()
	t.conn = c
	return tapped{c, t}, err
}

type tapped struct {
	net.Conn
	t *Tap
}

func (c tapped) Write(b []byte) (int, error) {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if c.t.what != nil && bytes.Contains(b, c.t.what) { // HPUB too
		if c.t.nth--; c.t.nth <= 0 {
			c.t.held = append(c.t.held, bytes.Clone(b))
			return len(b), nil
		}
	}
	return c.Conn.Write(b)
}
