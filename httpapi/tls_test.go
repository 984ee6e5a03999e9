package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
)

// testTLS returns the configurations of a server and of its clients.
func testTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	a := bustest.NewAuthority(t)
	cert, err := tls.LoadX509KeyPair(a.Issue(t, t.TempDir(), "server"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: roots}
}

// overHTTP2 runs f in fake time with a client that speaks HTTP/2.
func overHTTP2(t *testing.T, set func(*Config), f func(t *testing.T, c *http.Client)) {
	server, trusting := testTLS(t)
	inFakeTime(t, func(c *Config) { set(c); c.TLS = server }, func(t *testing.T, p *pipes) {
		transport := &http.Transport{
			ForceAttemptHTTP2: true, TLSClientConfig: trusting,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil },
		}
		defer transport.CloseIdleConnections()
		f(t, &http.Client{Transport: transport})
	})
}

func newUpload(t *testing.T, body io.Reader, size int64) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "https://localhost/artifact/"+strings.Repeat("0", 64), body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = size
	return r
}

// A body over HTTP/2 has the same deadlines as one over HTTP/1. An expired
// deadline there ends the body for good, so the bus sets it only while it reads.
func TestBodiesOverHTTP2(t *testing.T) {
	t.Run("a body that does not come", func(t *testing.T) {
		overHTTP2(t, func(c *Config) { c.Deployments = storing{} }, func(t *testing.T, c *http.Client) {
			body, in := io.Pipe()
			defer in.Close()
			begun := time.Now()
			res, err := c.Do(newUpload(t, body, 6000))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if took := time.Since(begun); res.ProtoMajor != 2 || res.StatusCode != http.StatusRequestTimeout || took != transferTimeout {
				t.Errorf("%s %s after %v, want 408 after %v", res.Proto, res.Status, took, transferTimeout)
			}
		})
	})
	t.Run("a bus that is slow", func(t *testing.T) {
		overHTTP2(t, func(c *Config) { c.Deployments = slowBus{} }, func(t *testing.T, c *http.Client) {
			res, err := c.Do(newUpload(t, bytes.NewReader(make([]byte, 100<<10)), 100<<10))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.ProtoMajor != 2 || res.StatusCode != http.StatusCreated {
				t.Errorf("%s %s, want 201", res.Proto, res.Status)
			}
		})
	})
	t.Run("an answer that the bus needs long for", func(t *testing.T) {
		waiting := func(c *Config) {
			c.Health = func(context.Context) error { time.Sleep(5 * time.Minute); return nil }
		}
		overHTTP2(t, waiting, func(t *testing.T, c *http.Client) {
			res, err := c.Get("https://localhost/healthcheck")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
				t.Errorf("%s %s, want 200", res.Proto, res.Status)
			}
		})
	})
	t.Run("an answer that the client does not take", func(t *testing.T) {
		large := func(c *Config) {
			_, f := fakeServer()
			c.Index, c.Deployments = f, longList{}
		}
		overHTTP2(t, large, func(t *testing.T, c *http.Client) {
			res, err := c.Get("https://localhost/default/deployments")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			time.Sleep(10 * time.Minute)
			if n, err := io.Copy(io.Discard, res.Body); err == nil {
				t.Errorf("%d bytes, want a stream that has ended", n)
			}
		})
	})
	t.Run("a stream of events without events", func(t *testing.T) {
		silent := func(c *Config) {
			_, f := fakeServer()
			c.Index, c.Broker = f, silentBroker{}
		}
		overHTTP2(t, silent, func(t *testing.T, c *http.Client) {
			res, err := c.Get("https://localhost/events")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines, begun := bufio.NewScanner(res.Body), time.Now()
			for lines.Scan() && time.Since(begun) < time.Hour {
			}
			if took := time.Since(begun); res.StatusCode != http.StatusOK || took < time.Hour {
				t.Errorf("%s, the stream ended after %v: %v", res.Status, took, lines.Err())
			}
		})
	})
	t.Run("a refused body leaves the connection to other requests", func(t *testing.T) {
		overHTTP2(t, withLogin, func(t *testing.T, c *http.Client) {
			dialed := 0
			transport := c.Transport.(*http.Transport)
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				dialed++
				return dial(ctx, network, address)
			}
			for range 3 {
				body, in := io.Pipe()
				res, err := c.Do(newUpload(t, body, 6000))
				in.Close()
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s, want 401", res.Status)
				}
				time.Sleep(time.Second)
			}
			if dialed != 1 {
				t.Errorf("%d connections, want 1", dialed)
			}
		})
	})
}

// With TLS the cookie goes over HTTPS only.
func TestCookiesOfTLS(t *testing.T) {
	server, _ := testTLS(t)
	for name, c := range map[string]struct {
		cfg      Config
		secure   bool
		sameSite http.SameSite
	}{
		"without TLS":                             {Config{}, false, http.SameSiteLaxMode},
		"without TLS for another origin":          {Config{AllowOrigin: "https://x.example"}, false, http.SameSiteLaxMode},
		"with TLS":                                {Config{TLS: server}, true, http.SameSiteLaxMode},
		"with TLS for another origin":             {Config{TLS: server, AllowOrigin: "https://x.example"}, true, http.SameSiteLaxMode},
		"with TLS and CookieSecure for an origin": {Config{TLS: server, AllowOrigin: "https://x.example", CookieSecure: true}, true, http.SameSiteNoneMode},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.RequireLogin, c.cfg.Logins = true, goodLogins{}
			w := httptest.NewRecorder()
			r := httptest.NewRequest("POST", "/auth", strings.NewReader(`{"id":"ann","password":"`+password+`"}`))
			r.Header.Set("Content-Type", "application/json")
			mustNew(c.cfg).ServeHTTP(w, r)
			all := w.Result().Cookies()
			if len(all) != 1 || all[0].Secure != c.secure || all[0].SameSite != c.sameSite {
				t.Errorf("%d %v, want Secure %v, SameSite %v", w.Code, all, c.secure, c.sameSite)
			}
		})
	}
}

// goodLogins accept everybody.
type goodLogins struct{ Logins }

func (goodLogins) Login(context.Context, login.Attempt) (login.Secrets, error) {
	return login.Secrets{Token: "token", Session: "session"}, nil
}

func (goodLogins) Users() []*bus.User { return nil }

// silentBroker has streams without messages.
type silentBroker struct{ jetstream.Consumer }

func (silentBroker) Stream(context.Context, string) (jetstream.Stream, error) {
	return nil, jetstream.ErrStreamNotFound
}

func (b silentBroker) OrderedConsumer(context.Context, string, jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	return b, nil
}

func (silentBroker) DeleteConsumer(context.Context, string, string) error { return nil }

func (silentBroker) Consume(jetstream.MessageHandler, ...jetstream.PullConsumeOpt) (jetstream.ConsumeContext, error) {
	return silentContext{}, nil
}

func (silentBroker) CachedInfo() *jetstream.ConsumerInfo { return &jetstream.ConsumerInfo{} }

type silentContext struct{ jetstream.ConsumeContext }

func (silentContext) Stop() {}
