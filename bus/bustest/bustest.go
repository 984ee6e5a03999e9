// Package bustest starts a real JetStream for tests in one line, also in fake
// time.
//
// A test with fake time runs in a bubble of testing/synctest and starts its
// server there. nats-server starts one ticker per process. [Main] starts it
// outside every bubble; otherwise fake time would stand still.
package bustest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Main is for TestMain: os.Exit(bustest.Main(m)). It moves temporary files into
// memory where that can be done.
func Main(m *testing.M) int {
	useMemoryForFiles()
	ats.Register()
	defer ats.Unregister()
	return m.Run()
}

// MainWithoutLeaks is [Main] for packages whose goroutines must have ended
// after the last test.
func MainWithoutLeaks(m *testing.M) int {
	code := Main(m)
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// Server starts a server that only this process can reach, until the test ends.
func Server(t testing.TB) *server.Server {
	t.Helper()
	return start(t, &server.Options{DontListen: true})
}

// Limited starts a server that only this process can reach and that stores at
// most that many bytes, until the test ends.
func Limited(t testing.TB, bytes int64) *server.Server {
	t.Helper()
	return start(t, &server.Options{DontListen: true, JetStreamMaxStore: bytes})
}

// ServerIn starts a server that only this process can reach and that stores its
// files in dir, until the test ends.
func ServerIn(t testing.TB, dir string) *server.Server {
	t.Helper()
	return start(t, &server.Options{DontListen: true, StoreDir: dir})
}

// Listening starts a server on a free port of the loopback address, for other
// processes, until the test ends.
func Listening(t testing.TB) *server.Server {
	t.Helper()
	return start(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT})
}

func start(t testing.TB, opts *server.Options) *server.Server {
	t.Helper()
	if opts.StoreDir == "" {
		opts.StoreDir = t.TempDir()
	}
	if opts.JetStreamMaxStore == 0 {
		opts.JetStreamMaxStore = 1 << 40 // not what is free here, as in package embedded
	}
	opts.JetStream, opts.NoSigs, opts.NoLog = true, true, true
	opts.MaxPayload = 8 << 20
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not become ready")
	}
	t.Cleanup(func() {
		finishRequests()
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// finishRequests blocks in fake time until the servers have nothing to do.
// Shutdown sleeps while it holds locks. Fake time stands still while a request
// waits for one of them, so that Shutdown would sleep forever.
func finishRequests() {
	defer func() { _ = recover() }() // outside a bubble, Wait panics
	synctest.Wait()
}

// RunBackground runs f until the test ends or stop is called, and blocks there
// until f has returned. An error of f fails the test.
func RunBackground(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Conn connects to s within the process, until the test ends.
func Conn(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// Open opens a bus on s, until the test ends.
func Open(t testing.TB, s *server.Server, cfg bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), Conn(t, s), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// Artifacts opens the object store of b's jars.
func Artifacts(t testing.TB, b *bus.Bus) *objects.Store {
	t.Helper()
	s, err := objects.Open(t.Context(), objects.Config{NC: b.NC, JS: b.JS, Pub: b.Pub, Name: subjects.ArtifactsStore})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Bucket creates a bucket on a server of its own.
func Bucket(t testing.TB, cfg jetstream.KeyValueConfig) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(Conn(t, Server(t)))
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}
