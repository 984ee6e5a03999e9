package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
)

// pipes is a listener whose connections work in fake time.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// dial connects a client.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.accepted <- server
	return client
}

// inFakeTime runs f with a server in fake time.
func inFakeTime(t *testing.T, set func(*Config), f func(t *testing.T, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Version: "test", Health: func(context.Context) error { return nil }, HostNames: []string{recorded}}
		set(&cfg)
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- mustNew(cfg).Serve(ctx, p) }()
		f(t, p)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// storing stores nothing of the uploads that it reads.
type storing struct{ Deployments }

func (storing) Store(_ context.Context, _ deploy.ArtifactRef, r io.Reader) (deploy.Artifact, bool, error) {
	n, err := io.Copy(io.Discard, r)
	return deploy.Artifact{Size: n}, err == nil, err
}

func TestSlowBodies(t *testing.T) {
	const length = "Content-Length: 6000\r\n"
	withJobs := func(c *Config) {
		_, f := fakeServer()
		c.Index, c.Executions, c.Schedules, c.Deployments = f, f, f, storing{}
	}
	for name, tc := range map[string]struct {
		set     func(*Config)
		request string
		head    string
		status  int
		after   time.Duration // until the answer
		closed  time.Duration // until the end of the connection
	}{
		"a login":                   {withLogin, "POST /auth", length, 408, 30 * time.Second, 30 * time.Second},
		"a job":                     {withJobs, "POST /default/jobs", length, 408, 30 * time.Second, 30 * time.Second},
		"a job in chunks":           {withJobs, "POST /default/jobs", "Transfer-Encoding: chunked\r\n", 408, 94 * time.Second, 94 * time.Second},
		"a job of 3 MiB":            {withJobs, "POST /default/jobs", "Content-Length: 3145728\r\n", 408, 78 * time.Second, 78500 * time.Millisecond},
		"an upload":                 {withJobs, "PUT /artifact/" + strings.Repeat("0", 64), length, 408, 30 * time.Second, 30 * time.Second},
		"a form":                    {withJobs, "POST /default/batch-components", length + "Content-Type: multipart/form-data; boundary=x\r\n", 408, 30 * time.Second, 30 * time.Second},
		"without a login":           {withLogin, "POST /default/jobs", length, 401, 0, 30 * time.Second},
		"no such route":             {withJobs, "POST /default/nowhere/at/all", length, 404, 0, 30 * time.Second},
		"a route that reads none":   {withJobs, "GET /healthcheck", length, 200, 0, 30 * time.Second},
		"2 GiB, without a login":    {withLogin, "PUT /artifact/1", "Content-Length: 2147483648\r\n", 401, 0, 500 * time.Millisecond},
		"chunks, without a login":   {withLogin, "POST /default/jobs", "Transfer-Encoding: chunked\r\n", 401, 0, 94 * time.Second},
		"a body that is expected":   {withLogin, "POST /auth", length + "Expect: 100-continue\r\n", 408, 30 * time.Second, 30 * time.Second},
		"a body that is not wanted": {withLogin, "POST /default/jobs", length + "Expect: 100-continue\r\n", 401, 0, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inFakeTime(t, tc.set, func(t *testing.T, p *pipes) {
				c := p.dial()
				defer c.Close()
				begun := time.Now()
				// net.Pipe has no buffer: a server that does not read holds up the write.
				go func() { _, _ = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n1", tc.request, tc.head) }()
				r := bufio.NewReader(c)
				res, err := http.ReadResponse(r, nil)
				if err == nil && res.StatusCode == http.StatusContinue {
					res, err = http.ReadResponse(r, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				if after := time.Since(begun); err != nil || res.StatusCode != tc.status || after != tc.after {
					t.Errorf("status %d after %v, want %d after %v: %s %v", res.StatusCode, after, tc.status, tc.after, text, err)
				}
				if media := res.Header.Get("Content-Type"); tc.status != 200 && media != "application/problem+json" {
					t.Errorf("Content-Type %s", media)
				}
				if tc.status == 408 && !bytes.Contains(text, []byte(`"code":"timeout"`)) {
					t.Errorf("body %s", text)
				}
				if _, err := r.ReadByte(); err == nil {
					t.Error("more came after the answer")
				}
				if closed := time.Since(begun); closed > tc.closed {
					t.Errorf("closed after %v, want %v", closed, tc.closed)
				}
			})
		})
	}
}

// An upload may take long if it goes on, but not byte by byte.
func TestSlowUploads(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes int // each 20 s
		want  int
	}{
		"32 KiB in 20 s":  {32 << 10, 201},
		"a byte in 20 s":  {1, 408},
		"one KiB in 20 s": {1 << 10, 408},
	} {
		t.Run(name, func(t *testing.T) {
			inFakeTime(t, func(c *Config) { c.Deployments = storing{} }, func(t *testing.T, p *pipes) {
				c := p.dial()
				var sending sync.WaitGroup
				defer sending.Wait()
				defer c.Close()
				sending.Go(func() {
					_, _ = fmt.Fprintf(c, "PUT /artifact/%064d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", 0, 100*tc.bytes)
					for range 100 {
						if _, err := c.Write(make([]byte, tc.bytes)); err != nil {
							return
						}
						time.Sleep(20 * time.Second)
					}
				})
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || res.StatusCode != tc.want {
					t.Errorf("%v, %v, want status %d", res, err, tc.want)
				}
			})
		})
	}
}

// slowBus is a control bus whose NATS takes its time: 40 s before the upload is
// read, and 40 s to store each part of it.
type slowBus struct{ Deployments }

func (slowBus) Store(_ context.Context, _ deploy.ArtifactRef, r io.Reader) (a deploy.Artifact, created bool, err error) {
	part := make([]byte, 16<<10)
	for {
		time.Sleep(40 * time.Second)
		n, err := io.ReadFull(r, part)
		a.Size += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return a, true, nil
		case err != nil:
			return a, false, err
		}
	}
}

// The time that the bus needs does not count against the client.
func TestUploadsToASlowBus(t *testing.T) {
	inFakeTime(t, func(c *Config) { c.Deployments = slowBus{} }, func(t *testing.T, p *pipes) {
		c := p.dial()
		var sending sync.WaitGroup
		defer sending.Wait()
		defer c.Close()
		const size = 100 << 10
		sending.Go(func() {
			_, _ = fmt.Fprintf(c, "PUT /artifact/%064d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", 0, size)
			_, _ = c.Write(make([]byte, size))
		})
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != http.StatusCreated {
			t.Errorf("%v, %v, want status 201", res, err)
		}
	})
}

// A client that stops sending while the bus stores does not hold the connection.
func TestUploadsThatStopWhileTheBusIsSlow(t *testing.T) {
	inFakeTime(t, func(c *Config) { c.Deployments = refusing{} }, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		begun := time.Now()
		go func() {
			_, _ = fmt.Fprintf(c, "PUT /artifact/%064d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n", 0)
			_, _ = c.Write(make([]byte, 1000))
		}()
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusInsufficientStorage {
			t.Fatalf("%v, %v, want status 507", res, err)
		}
		_, _ = io.Copy(io.Discard, r)
		if took := time.Since(begun); took > 70*time.Second {
			t.Errorf("the connection ended after %v", took)
		}
	})
}

// refusing refuses an upload after 40 s, when it has read a part of it.
type refusing struct{ Deployments }

func (refusing) Store(_ context.Context, _ deploy.ArtifactRef, r io.Reader) (a deploy.Artifact, created bool, err error) {
	_, _ = io.ReadFull(r, make([]byte, 1000))
	time.Sleep(40 * time.Second)
	return a, false, &deploy.QuotaError{}
}

// slowLogins need a minute to find a user.
type slowLogins struct{ Logins }

func (slowLogins) ByToken(context.Context, string) *bus.User {
	time.Sleep(time.Minute)
	return &bus.User{ID: "ann", Roles: map[string]string{"*": bus.RoleAdmin}}
}

func TestABodyAfterASlowLogin(t *testing.T) {
	inFakeTime(t, func(c *Config) {
		withLogin(c)
		_, f := fakeServer()
		c.Index, c.Executions, c.Schedules, c.Logins = f, f, f, slowLogins{}
	}, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		go func() {
			_, _ = io.WriteString(c, "POST /default/job/JOB-1/executions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer abc\r\nContent-Length: 2\r\n\r\n")
			_, _ = io.WriteString(c, "{}") // separate, so that the server does not buffer it with the header
		}()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != http.StatusCreated {
			t.Errorf("%v, %v, want status 201", res, err)
		}
	})
}

// A body that came leaves the connection open, with no deadline.
func TestBodiesInTime(t *testing.T) {
	waiting := func(c *Config) {
		_, f := fakeServer()
		c.Index, c.Executions, c.Schedules = f, f, f
		c.Deployments = storing{}
		c.Health = func(ctx context.Context) error {
			time.Sleep(time.Minute)
			return nil
		}
	}
	inFakeTime(t, waiting, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		for _, request := range []string{
			"POST /default/job/JOB-1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
			"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
		} {
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%s: %v", request, err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			if res.StatusCode >= 300 || res.Close {
				t.Errorf("%s: status %d, closes %v", request, res.StatusCode, res.Close)
			}
			time.Sleep(time.Minute) // less than idleTimeout
		}
	})
}

// longList has an answer that no buffer holds.
type longList struct{ Deployments }

func (longList) Revisions(context.Context, string) (all []deploy.Deployment, err error) {
	return append(all, deploy.Deployment{App: "default", Revision: 1, Warnings: []string{strings.Repeat("x", maxBody)}}), nil
}

func TestSlowReadersOfAnswers(t *testing.T) {
	inFakeTime(t, func(c *Config) {
		_, f := fakeServer()
		c.Index, c.Deployments = f, longList{}
	}, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		if _, err := io.WriteString(c, "GET /default/deployments HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		begun, got := time.Now(), 0
		for {
			n, err := c.Read(make([]byte, 1000)) // a thousandth of what the server expects
			got += n
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				break
			}
			time.Sleep(15 * time.Second)
		}
		if took := time.Since(begun); got >= maxBody || took > 2*time.Minute {
			t.Errorf("%d bytes in %v, want the connection closed within two minutes", got, took)
		}
	})
}

// Headers cost memory before anybody has logged in.
func TestLargeHeaders(t *testing.T) {
	inFakeTime(t, func(*Config) {}, func(t *testing.T, p *pipes) {
		for size, want := range map[int]string{32 << 10: "HTTP/1.1 200", 128 << 10: "HTTP/1.1 431"} {
			c := p.dial()
			go fmt.Fprintf(c, "GET /version HTTP/1.1\r\nHost: %s\r\nX-Filler: %s\r\nConnection: close\r\n\r\n", recorded, strings.Repeat("x", size))
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, want) {
				t.Errorf("a header of %d bytes: %q, %v; want %s", size, line, err, want)
			}
			c.Close()
		}
	})
}
