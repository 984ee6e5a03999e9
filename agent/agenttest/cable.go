package agenttest

import (
	"errors"
	"net"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Cable carries an agent's connection to the broker. A test can cut it.
type Cable struct {
	server *server.Server

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// Cable creates a cable to the room's broker.
func (r *Room) Cable() *Cable { return &Cable{server: r.Server} }

// Option returns the option that makes an agent connect through the cable.
func (c *Cable) Option() nats.Option { return nats.InProcessServer(c) }

// InProcessConn opens a connection. The NATS client calls it.
func (c *Cable) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.New("the cable is cut")
	}
	conn, err := c.server.InProcessConn()
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

// Cut closes all connections and refuses new ones.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// Mend allows connections again.
func (c *Cable) Mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}
