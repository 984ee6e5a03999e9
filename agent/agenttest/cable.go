package agenttest

import (
	"errors"
	"net"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Cable is what an agent's connections go through: the test can pull it out.
type Cable struct {
	server *server.Server

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// Cable makes a cable to the room's broker.
func (r *Room) Cable() *Cable { return &Cable{server: r.Server} }

// Option connects through the cable.
func (c *Cable) Option() nats.Option { return nats.InProcessServer(c) }

// InProcessConn is what the client calls to connect.
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

// Cut ends all connections and lets no new one through.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// Mend lets connections through again.
func (c *Cable) Mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}
