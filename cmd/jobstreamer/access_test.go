package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// A control bus that listens on all interfaces (--insecure) accepts its addresses
// and the names of --host-name, and no other host.
func TestInsecure(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir(), "--http", "0.0.0.0:0", "--insecure", "--host-name", "bus", "--host-name", "jobs.example.com,jobs")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.rest, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"": 200, "127.0.0.1": 200, "localhost:" + port: 200, "bus:45102": 200, "jobs.example.com": 200, "jobs": 200, "evil.example": 421, "192.0.2.7": 421,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", d.rest+"/agents", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host // empty: the host of the URL that dev prints
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("host %q: %s, want %d", host, res.Status, want)
		}
	}
}

func TestExposure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address         string
		login, insecure bool
		refused         bool
	}{
		{"127.0.0.1:1", false, false, false},
		{"127.0.0.9:1", false, false, false},
		{"[::1]:1", false, false, false},
		{"[::ffff:127.0.0.1]:1", false, false, false},
		{"0.0.0.0:1", false, false, true},
		{"[::]:1", false, false, true},
		{":1", false, false, true},
		{"192.0.2.7:1", false, false, true},
		{"192.0.2.7:1", true, false, false},
		{"192.0.2.7:1", false, true, false},
	} {
		at, err := net.ResolveTCPAddr("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		s := accessSettings{insecure: c.insecure}
		if err := s.checkExposed(c.login, c.address, at); (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// The listener for operators answers when the REST API has no room for more
// clients.
func TestOpsDuringFlood(t *testing.T) {
	t.Parallel()
	ops := freeAddress(t)
	d := startDev(t, t.TempDir(), "--ops", ops, "--max-connections-per-address", "2")
	http.DefaultClient.CloseIdleConnections()
	for range 20 {
		c, err := net.Dial("tcp", strings.TrimPrefix(d.rest, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The connection may be closed already.
		_, _ = c.Write([]byte("POST /auth HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6000\r\n\r\n1"))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := client.Get(d.rest + "/healthcheck"); err == nil {
		res.Body.Close()
		t.Error("the REST API accepts a connection beyond its limit")
	}
	for _, path := range []string{"/livez", "/readyz", "/healthcheck", "/metrics", "/debug/pprof/"} {
		res, err := client.Get("http://" + ops + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}
