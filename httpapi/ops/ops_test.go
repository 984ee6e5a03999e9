package ops

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	well := func() error { return nil }
	for name, tc := range map[string]struct {
		path, host    string
		ready, health func() error
		status        int
		want          string
	}{
		"a process that answers is live":    {"/livez", "", sick("starting"), sick("no NATS"), 200, ""},
		"a bus that works is ready":         {"/readyz", "", well, well, 200, ""},
		"a bus that starts is not":          {"/readyz", "", sick("it is starting"), well, 503, `"code":"not_ready","detail":"it is starting"`},
		"a bus without NATS is not":         {"/readyz", "", well, sick("no NATS"), 503, `"code":"unavailable","detail":"no NATS"`},
		"health does not ask for readiness": {"/healthcheck", "", sick("it is starting"), well, 200, ""},
		"a bus without NATS is not healthy": {"/healthcheck", "", well, sick("no NATS"), 503, `"detail":"no NATS"`},
		"a profile":                         {"/debug/pprof/goroutine?debug=1", "", well, well, 200, "goroutine profile"},
		"no command line":                   {"/debug/pprof/cmdline", "", well, well, 404, ""},
		"another host":                      {"/livez", "evil.example", well, well, 421, `"code":"wrong_host"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Config{Health: func(context.Context) error { return tc.health() }, Ready: tc.ready})
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Serve(ctx, l) }()
			r, _ := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+tc.path, nil)
			r.Host = tc.host
			r.Close = true
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != tc.status || !strings.Contains(string(text), tc.want) {
				t.Errorf("%d %s, want %d and %q", res.StatusCode, text, tc.status, tc.want)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func sick(reason string) func() error { return func() error { return errors.New(reason) } }

// A page of another origin could make the bus profile itself.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	well := func() error { return nil }
	s, err := New(Config{Health: func(context.Context) error { return nil }, Ready: well})
	if err != nil {
		t.Fatal(err)
	}
	h := s.handlerFor(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 45103})
	for site, status := range map[string]int{"": 200, "none": 200, "same-origin": 200, "same-site": 403, "cross-site": 403} {
		for _, path := range []string{"/debug/pprof/goroutine", "/livez"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr, r.Host = "127.0.0.1:4000", "localhost:45103"
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != status {
				t.Errorf("%s with Sec-Fetch-Site %q: %d %s, want %d", path, site, w.Code, w.Body, status)
			}
		}
	}
}

// Beyond loopback there are no profiles, and any host is right: a monitoring
// system may know the bus by any name.
func TestBeyondLoopback(t *testing.T) {
	t.Parallel()
	well := func() error { return nil }
	s, err := New(Config{Health: func(context.Context) error { return nil }, Ready: well})
	if err != nil {
		t.Fatal(err)
	}
	h := s.handlerFor(&net.TCPAddr{IP: net.IPv4zero, Port: 45103})
	for _, c := range []struct {
		from, host, path string
		status           int
	}{
		{"192.0.2.7:4000", "bus.example", "/livez", 200},
		{"192.0.2.7:4000", "bus.example", "/readyz", 200},
		{"192.0.2.7:4000", "bus.example", "/debug/pprof/", 403},
		{"192.0.2.7:4000", "localhost", "/debug/pprof/heap", 403},
		{"[2001:db8::1]:4000", "localhost", "/debug/pprof/profile", 403},
		{"@", "localhost", "/debug/pprof/trace", 403},
		{"127.0.0.1:4000", "localhost:45103", "/debug/pprof/", 200},
		{"[::1]:4000", "localhost:45103", "/debug/pprof/symbol", 200},
		{"[::ffff:127.0.0.1]:4000", "localhost:45103", "/debug/pprof/goroutine", 200},
		{"127.0.0.1:4000", "evil.example", "/debug/pprof/heap", 421},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.RemoteAddr, r.Host = c.from, c.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s of %s from %s: %d, %v; want %d", c.path, c.host, c.from, w.Code, w.Header(), c.status)
		}
	}
}
