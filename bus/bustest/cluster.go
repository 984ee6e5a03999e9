package bustest

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster starts three servers that form one JetStream, on loopback addresses,
// and blocks until it has a leader. They end with the test. They need real
// time.
func Cluster(t testing.TB) [3]*server.Server {
	t.Helper()
	return ClusterOf(t, func(int) *server.Options { return &server.Options{} })
}

// ClusterOf is Cluster for servers with more options: configure returns those of
// server n.
func ClusterOf(t testing.TB, configure func(n int) *server.Options) [3]*server.Server {
	t.Helper()
	var routes []*url.URL
	var ports [3]int
	for i := range ports {
		ports[i] = freePort(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", ports[i])})
	}
	var all [3]*server.Server
	for i := range all {
		opts := configure(i)
		opts.ServerName, opts.Host, opts.Port = fmt.Sprint("n", i+1), "127.0.0.1", server.RANDOM_PORT
		opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog, opts.MaxPayload = true, t.TempDir(), true, true, 8<<20
		opts.Cluster, opts.Routes = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}, routes
		s, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		all[i] = s
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ready := 0
		for _, s := range all {
			if s.ReadyForConnections(time.Millisecond) && s.JetStreamIsCurrent() {
				ready++
			}
		}
		if ready == len(all) {
			return all
		}
		if time.Now().After(end) {
			t.Fatal("the cluster has no leader")
		}
	}
}

// freePort returns a port that is free now: the servers of a cluster must know
// each other's ports before they start.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}
