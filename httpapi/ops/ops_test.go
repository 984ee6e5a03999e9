package ops

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
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
