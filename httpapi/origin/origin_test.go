package origin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// The address at which a request arrives is the bus's own, whatever the
// listener's address says.
func TestOwnAddress(t *testing.T) {
	for own, same := range map[string][]string{"192.0.2.7": {"192.0.2.7", "::ffff:192.0.2.7"}, "::ffff:192.0.2.7": {"192.0.2.7"}, "fe80::1%eth0": {"fe80::1"}} {
		ip := netip.MustParseAddr(own)
		at := context.WithValue(t.Context(), http.LocalAddrContextKey, net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 45102)))
		r := httptest.NewRequestWithContext(at, "GET", "/", nil)
		for _, host := range same {
			if !isOwnAddress(r, host) {
				t.Errorf("%s at %s is not ours", host, own)
			}
		}
		if isOwnAddress(r, "192.0.2.8") || isOwnAddress(r, "0.0.0.0") {
			t.Errorf("another address at %s is ours", own)
		}
	}
}

func TestNew(t *testing.T) {
	for _, origin := range []string{
		"*", "null", "evil", "localhost:3000", "http://localhost:3000/", "http://localhost:3000/console", "http://*.example.com", "http://*", "http://", "//localhost",
		"http://me@localhost", "http://localhost?a", "http://localhost#a", "HTTP://localhost", "http://Localhost", "http://localhost:80", "https://localhost:443",
		"http://a,http://b", "http://a http://b", "http://localhost:", "%",
	} {
		_, err := New(origin, nil)
		var field *bus.FieldError
		if !errors.As(err, &field) || field.Path != "allow-origin" || field.Got != origin {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for _, origin := range []string{"http://localhost:3000", "https://console.example.com", "https://[::1]:3000", "http://a:443", "chrome-extension://abcdef"} {
		if _, err := New(origin, nil); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for _, name := range []string{"", "*", "*.example.com", "http://bus", "bus:45102", "bus/x", "a b", "[::1]:80", "bus,other"} {
		_, err := New("", []string{"ok", name})
		var field *bus.FieldError
		if !errors.As(err, &field) || field.Path != "host-name" || field.Got != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
