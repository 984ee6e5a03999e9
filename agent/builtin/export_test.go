package builtin

import (
	"context"
	"net"
)

// SetDial replaces the dialling of connections.
func (c *Config) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.dial = dial
}
