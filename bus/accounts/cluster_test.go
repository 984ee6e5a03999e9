package accounts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// cluster is three servers with the configuration of
// [accounts.Keys.ServerConfig].
type cluster struct {
	servers [3]*server.Server
	options [3]*server.Options
	files   [3]string // with the configuration
}

func (w *world) startCluster() *cluster {
	c := &cluster{}
	c.servers = bustest.ClusterOf(w, func(n int) *server.Options {
		dir := w.TempDir()
		text, err := w.keys.ServerConfig(filepath.Join(dir, "accounts"))
		w.check(err)
		c.files[n] = filepath.Join(dir, "accounts.conf")
		w.check(os.WriteFile(c.files[n], []byte(text), 0o600))
		c.options[n], err = server.ProcessConfigFile(c.files[n])
		w.check(err)
		return c.options[n]
	})
	for _, s := range c.servers {
		w.urls = append(w.urls, s.ClientURL())
	}
	w.url, w.replicas = fmt.Sprintf("%s,%s,%s", w.urls[0], w.urls[1], w.urls[2]), 3
	return c
}

func (c *cluster) stopServer(n int) {
	c.servers[n].Shutdown()
	c.servers[n].WaitForShutdown()
}

// startServer starts a server again that was stopped.
func (c *cluster) startServer(w *world, n int) {
	opts, err := server.ProcessConfigFile(c.files[n])
	w.check(err)
	was := c.options[n]
	opts.ServerName, opts.Host, opts.NoSigs, opts.NoLog = was.ServerName, was.Host, true, true
	opts.JetStream, opts.StoreDir, opts.MaxPayload, opts.Cluster, opts.Routes = true, was.StoreDir, was.MaxPayload, was.Cluster, was.Routes
	_, err = fmt.Sscanf(w.urls[n], "nats://127.0.0.1:%d", &opts.Port)
	w.check(err)
	s, err := server.NewServer(opts)
	w.check(err)
	s.Start()
	w.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
}

// waitUntil waits until is returns true.
func (w *world) waitUntil(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(90 * time.Second); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("not within 90 s: %s", what)
		}
	}
}

// isAccepted reports whether a server accepts a credentials file.
func isAccepted(url, file string) bool {
	nc, err := nats.Connect(url, nats.UserCredentials(file), nats.Timeout(time.Minute))
	if err == nil {
		nc.Close()
	}
	return err == nil
}

// TestCluster holds that all servers of a cluster learn of tokens and of their
// end, also one that was away meanwhile.
func TestCluster(t *testing.T) {
	t.Parallel()
	w := &world{T: t}
	var err error
	w.keys, err = accounts.OpenKeys(t.TempDir())
	w.check(err)
	c := w.startCluster()
	w.startBus()

	file := w.createToken("a1", bus.DefaultApp)
	for _, url := range w.urls {
		w.waitUntil("a server accepts the new token", func() bool { return isAccepted(url, file) })
	}
	stop := w.runAgent("a1", file, bus.DefaultApp)
	if e := w.runJob(bus.DefaultApp, "echo hello"); e.BatchStatus != subjects.Completed {
		w.Fatalf("it ended as %s: %s", e.BatchStatus, e.Exception)
	}
	stop()

	closed := make(chan string, len(w.urls))
	for _, url := range w.urls {
		_, err := nats.Connect(url, nats.UserCredentials(file), nats.Timeout(time.Minute), nats.DontRandomize(), nats.MaxReconnects(0), nats.NoReconnect(),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), nats.ClosedHandler(func(*nats.Conn) { closed <- url }))
		w.check(err)
	}
	w.check(w.tokens.Revoke(w.Context(), "a1"))
	for range w.urls {
		select {
		case <-closed:
		case <-time.After(time.Minute):
			w.Fatal("a connection with the revoked token stays open")
		}
	}
	for _, url := range w.urls {
		w.waitUntil("a server refuses the revoked token", func() bool { return !isAccepted(url, file) })
	}

	// A server is away while a token is revoked and another one is made.
	old := w.createToken("a2", bus.DefaultApp)
	w.waitUntil("the third server accepts the token", func() bool { return isAccepted(w.urls[2], old) })
	c.stopServer(2)
	w.waitUntil("the token is revoked, when the others have leaders", func() bool {
		err := w.tokens.Revoke(w.Context(), "a2")
		return err == nil || errors.Is(err, bus.ErrNotFound)
	})
	var credentials []byte
	w.waitUntil("another token is made", func() bool {
		_, credentials, err = w.tokens.Create(w.Context(), accounts.Grant{Agent: "a2", Apps: []string{bus.DefaultApp}}, 0, "test")
		return err == nil
	})
	again := filepath.Join(t.TempDir(), "again.creds")
	w.check(os.WriteFile(again, credentials, 0o600))
	c.startServer(w, 2)
	w.waitUntil("the server that was away accepts the new token", func() bool { return isAccepted(w.urls[2], again) })
	w.waitUntil("the server that was away refuses the revoked token", func() bool { return !isAccepted(w.urls[2], old) })
}
