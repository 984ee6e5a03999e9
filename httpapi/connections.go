package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/login"
)

// refusalLogInterval is the least time between two lines of the log about
// refused connections.
const refusalLogInterval = time.Minute

// connections limits how many connections an address may have at once. An IPv6
// network of 64 bits counts as one address, since one machine may use all of
// it, and so do all loopback addresses. Two kinds of connections are not
// limited: those without an IP address, such as those of a Unix socket, and
// those of trusted proxies, which have one address for all clients.
type connections struct {
	perAddress int
	proxies    []netip.Prefix
	log        *slog.Logger

	mu      sync.Mutex
	open    map[string]int // by network
	refused int            // since the last line of the log
	logged  time.Time
}

// track counts connections, and closes a new one beyond the limit. It is an
// [http.Server]'s ConnState.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || c.isProxy(at.AddrPort().Addr().Unmap()) {
		return
	}
	address := login.NetworkOf(at.IP.String())
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

func (c *connections) isProxy(ip netip.Addr) bool {
	return slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func (c *connections) logRefusal(address string) {
	c.refused++
	if now := time.Now(); now.Sub(c.logged) >= refusalLogInterval {
		c.log.Warn("connections refused: too many from one address", "address", address, "limit", c.perAddress, "refused", c.refused)
		c.logged, c.refused = now, 0
	}
}
