package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// refusalLogInterval is the least time between two lines of the log about
// refused connections.
const refusalLogInterval = time.Minute

// connections limits how many connections an address may have at once.
// Connections without an IP address, such as those of a Unix socket, are not
// limited.
type connections struct {
	perAddress int
	log        *slog.Logger

	mu      sync.Mutex
	open    map[string]int // by address
	refused int            // since the last line of the log
	logged  time.Time
}

// track counts connections, and closes a new one beyond the limit. It is an
// [http.Server]'s ConnState.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	address := at.IP.String()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open[address]++
		if c.open[address] > c.perAddress {
			_ = conn.Close() // the server notices, and calls track again
			c.logRefusal(address)
		}
	case http.StateClosed, http.StateHijacked:
		if c.open[address]--; c.open[address] == 0 {
			delete(c.open, address)
		}
	}
}

func (c *connections) logRefusal(address string) {
	c.refused++
	if now := time.Now(); now.Sub(c.logged) >= refusalLogInterval {
		c.log.Warn("connections refused: too many from one address", "address", address, "limit", c.perAddress, "refused", c.refused)
		c.logged, c.refused = now, 0
	}
}
