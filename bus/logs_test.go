package bus_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// accountLimit lets the account of s keep so many bytes.
func accountLimit(t *testing.T, s *server.Server, bytes int64) {
	t.Helper()
	err := s.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
		MaxMemory: -1, MaxStore: bytes, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// logBytes is how much output the stream keeps.
func logBytes(t *testing.T, b *bus.Bus) int64 {
	t.Helper()
	s, err := b.JS.Stream(t.Context(), subjects.LogsStream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config.MaxBytes
}

func TestLogLimit(t *testing.T) {
	const want = 10 << 30
	for name, c := range map[string]struct {
		server      func(t *testing.T) *server.Server
		least, most int64
		warn        bool
	}{
		"no limit": {bustestServer, want, want, false},
		"a limit of the account": {func(t *testing.T) *server.Server {
			s := bustest.Server(t)
			accountLimit(t, s, 2<<30)
			return s
		}, 3 << 29, 3 << 29, true},
		"an account with room enough": {func(t *testing.T) *server.Server {
			s := bustest.Server(t)
			accountLimit(t, s, 20<<30)
			return s
		}, want, want, false},
		"a limit of the server, which it does not tell": {func(t *testing.T) *server.Server { return bustest.Limited(t, 2<<30) }, 1 << 30, 2 << 30, true},
		"an account of 100 MB":                          {func(t *testing.T) *server.Server { return bustest.Limited(t, 100<<20) }, 40 << 20, 99 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			b := bustest.Open(t, c.server(t), bus.Config{
				Log: slog.New(slog.NewTextHandler(&log, nil)), Retention: bus.Retention{LogBytes: want},
			})
			if got := logBytes(t, b); got < c.least || got > c.most {
				t.Errorf("output is kept up to %d bytes, want %d to %d", got, c.least, c.most)
			}
			if n := strings.Count(log.String(), "less space for the output"); n > 1 || (n == 1) != c.warn {
				t.Errorf("%d warnings, want them: %v\n%s", n, c.warn, &log)
			}
			if err := b.EnsurePool(t.Context(), "shop", "default"); err != nil {
				t.Errorf("a new application: %v", err)
			}
		})
	}
}

func bustestServer(t *testing.T) *server.Server { return bustest.Server(t) }

// What an account gets later, or loses, is followed; what somebody else set is
// left alone.
func TestLogLimitFollowsTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		accountLimit(t, s, 2<<30)
		b := bustest.Open(t, s, bus.Config{Retention: bus.Retention{LogBytes: 10 << 30}})
		go func() { _ = b.KeepLogsFitting(t.Context()) }()

		accountLimit(t, s, 1<<30) // less than is reserved: JetStream would refuse every new stream
		if err := b.EnsurePool(t.Context(), "shop", "default"); err != nil {
			t.Errorf("a new application: %v", err)
		}
		for _, c := range []struct{ account, want int64 }{{20 << 30, 10 << 30}, {4 << 30, 3 << 30}} {
			accountLimit(t, s, c.account)
			time.Sleep(11 * time.Second)
			if got := logBytes(t, b); got != c.want {
				t.Errorf("with %d bytes for the account %d are for output, want %d", c.account, got, c.want)
			}
		}
		ls, err := b.JS.Stream(t.Context(), subjects.LogsStream)
		if err != nil {
			t.Fatal(err)
		}
		cfg := ls.CachedInfo().Config
		cfg.MaxBytes = 5 << 20
		if _, err := b.JS.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		if got := logBytes(t, b); got != 5<<20 {
			t.Errorf("what the operator set was changed to %d", got)
		}
	})
}

// An account that is full is said to be, and nothing is stored.
func TestFullAccount(t *testing.T) {
	s := bustest.Server(t)
	b := bustest.Open(t, s, bus.Config{})
	ctx := t.Context()
	accountLimit(t, s, int64(s.GlobalAccount().JetStreamUsage().Store))
	for what, err := range map[string]error{"Healthy": b.Healthy(ctx), "Room": b.Room(ctx)} {
		if !errors.Is(err, bus.ErrFull) {
			t.Errorf("%s() = %v, want ErrFull", what, err)
		}
	}
	if _, err := b.Locks.Create(ctx, "a", 1); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Create = %v, want ErrFull", err)
	}
	_, _, err := bustest.Artifacts(t, b).Create(ctx, jetstream.ObjectMeta{Name: "x"}, strings.NewReader("x"))
	if !errors.Is(err, bus.ErrFull) {
		t.Errorf("store a jar = %v, want ErrFull", err)
	}
}

// A stream that cannot be changed is named, and nobody is advised to delete
// what it holds.
func TestStreamThatCannotBeChanged(t *testing.T) {
	s := bustest.Server(t)
	nc := bustest.Conn(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: subjects.ResultsStream, Subjects: []string{subjects.AllResults}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bus.Open(t.Context(), nc, bus.Config{})
	if err == nil || !strings.Contains(err.Error(), subjects.ResultsStream) || strings.Contains(err.Error(), "delete") {
		t.Errorf("Open = %v, want an error that names the stream and no advice to delete it", err)
	}
}
