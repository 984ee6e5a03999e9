package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// lines is a log that a test reads while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// instance is an embedded server with a bus on it.
type instance struct {
	*bus.Bus
	server *embedded.Server
	log    *lines
	stop   func()
}

// open starts a server in dir and opens a bus that wants 10 GiB of output. stop
// ends both; so does the test.
func open(t *testing.T, dir string) *instance {
	t.Helper()
	i := &instance{log: &lines{}}
	log := slog.New(slog.NewTextHandler(i.log, nil))
	var err error
	if i.server, err = embedded.Start(embedded.Config{Dir: filepath.Join(dir, "nats"), Log: log}); err != nil {
		t.Fatal(err)
	}
	nc, err := i.server.Connect(nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- i.server.Watch(ctx) }()
	i.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if i.Bus != nil {
			i.Close()
		}
		nc.Close()
		i.server.Stop()
	})
	t.Cleanup(i.stop)
	if i.Bus, err = bus.Open(t.Context(), nc, bus.Config{Log: log, Retention: bus.Retention{LogBytes: 10 << 30}}); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *instance) logLimit(t *testing.T) int64 {
	t.Helper()
	s, err := i.JS.Stream(t.Context(), subjects.LogsStream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config.MaxBytes
}

// write writes to a stream. A broker that could not write gives no answer.
func (i *instance) write(t *testing.T, subject string, n int) error {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := i.Pub.Do(ctx, &nats.Msg{Subject: subject, Data: bytes.Repeat([]byte("x"), n)}, "", -1)
	return err
}

// A disk smaller than the output that a bus keeps by default gives that less
// room, and everything else works.
func TestSmallDisks(t *testing.T) {
	for name, c := range map[string]struct {
		size        string
		least, most int64
	}{
		"64 MiB": {"64m", 40 << 20, 48 << 20},
		"1 GiB":  {"1g", 700 << 20, 768 << 20},
		"13 GiB": {"13g", 9 << 30, 10<<30 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := bustest.SmallDisk(t, c.size)
			i := open(t, dir)
			if got := i.logLimit(t); got < c.least || got > c.most {
				t.Errorf("output is kept up to %d bytes, want %d to %d", got, c.least, c.most)
			}
			if n := strings.Count(i.log.String(), "less space for the output of jobs"); n != 1 {
				t.Errorf("%d warnings, want 1:\n%s", n, i.log)
			}
			if err := i.EnsurePool(t.Context(), "shop", "default"); err != nil {
				t.Errorf("a new application: %v", err)
			}
			if err := i.Healthy(t.Context()); err != nil {
				t.Errorf("Healthy() = %v", err)
			}
		})
	}
}

// A store that reserved room while the disk was emptier is opened when it is
// fuller, and keeps what it has.
func TestLessRoomThanBefore(t *testing.T) {
	dir := bustest.SmallDisk(t, "256m")
	i := open(t, dir)
	before := i.logLimit(t)
	if err := i.write(t, subjects.LogSubject("shop", "j", 1, "a1"), 1<<20); err != nil {
		t.Fatal(err)
	}
	i.stop()
	fill(t, filepath.Join(dir, "other"), 200<<20)
	i = open(t, dir)
	if after := i.logLimit(t); after >= before/2 {
		t.Errorf("output is kept up to %d bytes, before up to %d, want less than half", after, before)
	}
	if err := i.EnsurePool(t.Context(), "shop", "default"); err != nil {
		t.Errorf("a new application: %v", err)
	}
	s, err := i.JS.Stream(t.Context(), subjects.LogsStream)
	if err != nil || s.CachedInfo().State.Msgs != 1 {
		t.Errorf("the output of before: %v, %v, want 1 message", s, err)
	}
}

// A bus whose disk has run full while it was away starts, says so, and shows
// what it has.
func TestStartsOnFullDisk(t *testing.T) {
	dir := bustest.SmallDisk(t, "64m")
	i := open(t, dir)
	ctx := t.Context()
	if _, err := i.Locks.Create(ctx, "a", 1); err != nil {
		t.Fatal(err)
	}
	i.stop()
	other := filepath.Join(dir, "other")
	fill(t, other, 1<<30)
	if err := os.Truncate(other, size(t, other)-3<<19); err != nil { // 1.5 MiB
		t.Fatal(err)
	}
	i = open(t, dir)
	if err := i.Healthy(ctx); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Healthy() = %v, want ErrFull", err)
	}
	if e, err := i.Locks.Get(ctx, "a"); err != nil || e.Value != 1 {
		t.Errorf("Get = %v, %v", e, err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	within(t, "it writes again", func() bool { _, err := i.Locks.Create(ctx, "b", 1); return err == nil })
}

// A server that cannot start at all says what it needs, and asks nobody to
// delete anything of it.
func TestNoDiskAtAll(t *testing.T) {
	dir := bustest.SmallDisk(t, "64m")
	fill(t, filepath.Join(dir, "other"), 1<<30)
	_, err := embedded.Start(embedded.Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "free some space on that disk") || strings.Contains(err.Error(), "delete") {
		t.Errorf("Start on a full disk = %v", err)
	}
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	i, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return i.Size()
}

// fill makes a file of n bytes, or as many as the disk takes.
func fill(t *testing.T, file string, n int) (full bool) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); n > 0; n -= len(chunk) {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return true
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return false
}

// Another program fills the disk: writes are refused at once, with the reason,
// until there is room again.
func TestFullDisk(t *testing.T) {
	dir := bustest.SmallDisk(t, "64m")
	i := open(t, dir)
	ctx := t.Context()
	if _, err := i.Locks.Create(ctx, "a", 1); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	fill(t, other, 1<<30)
	within(t, "it says that it is full", func() bool { return errors.Is(i.Healthy(ctx), bus.ErrFull) })

	start := time.Now()
	_, err := i.Locks.Create(ctx, "b", 1)
	if !errors.Is(err, bus.ErrFull) || !errors.Is(err, bus.ErrAway) {
		t.Errorf("Create on a full disk = %v, want ErrFull", err)
	}
	if err := i.write(t, subjects.ResultSubject("shop", "j", 1, "bus"), 100); !errors.Is(err, bus.ErrFull) {
		t.Errorf("publish on a full disk = %v, want ErrFull", err)
	}
	if took := time.Since(start); took > bus.AckTimeout {
		t.Errorf("refusals took %v", took)
	}
	if _, err := i.Locks.Get(ctx, "a"); err != nil {
		t.Errorf("Get on a full disk: %v", err)
	}

	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	within(t, "it writes again", func() bool { _, err := i.Locks.Create(ctx, "b", 1); return err == nil })
	within(t, "it is healthy again", func() bool { return i.Healthy(ctx) == nil })
}

// Its own data fills the disk: there is room left for what runs, then for
// nothing, and nothing is broken off.
func TestFilledByItself(t *testing.T) {
	i := open(t, bustest.SmallDisk(t, "64m"))
	ctx := t.Context()
	refused, stored := false, 0
	for n := range 200 {
		if !refused && i.Room(ctx) != nil {
			refused = true
			if err := i.write(t, subjects.ResultSubject("shop", "j", 1, "bus"), 100); err != nil {
				t.Errorf("the result of what runs = %v, when no more may begin", err)
			}
		}
		err := i.write(t, subjects.ResultSubject("shop", "j", int64(n), "bus"), 1<<20)
		time.Sleep(15 * time.Millisecond) // Room looks once a second
		if err == nil {
			stored++
		}
		if err == nil || errors.Is(err, bus.ErrUnknown) { // a busy machine answers late
			continue
		}
		if !errors.Is(err, bus.ErrFull) || stored < 30 {
			t.Errorf("after %d writes: %v, want ErrFull after more than 30", stored, err)
		}
		break
	}
	within(t, "nothing more begins", func() bool { return errors.Is(i.Room(ctx), bus.ErrFull) })
	if strings.Contains(i.log.String(), "no space left") {
		t.Errorf("a write was broken off:\n%s", i.log)
	}
	s, err := i.JS.Stream(ctx, subjects.ResultsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(ctx, jetstream.WithPurgeKeep(1)); err != nil {
		t.Fatal(err)
	}
	within(t, "it writes again", func() bool { _, err := i.Locks.Create(ctx, "b", 1); return err == nil })
}

// A disk that runs full between two looks breaks writes off, and nats-server
// writes nothing more to that stream. It is started again.
func TestWriteBrokenOff(t *testing.T) {
	dir := bustest.SmallDisk(t, "64m")
	i := open(t, dir)
	ctx := t.Context()
	if _, err := i.Locks.Create(ctx, "kept", 1); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	fill(t, other, 1<<30)
	almost := size(t, other) - 6<<20
	// This can miss the moment: the disk is looked at ten times a second.
	for try := 0; !strings.Contains(i.log.String(), "no space left"); try++ {
		if try == 20 {
			t.Skip("no write was broken off")
		}
		if err := os.Truncate(other, almost); err != nil {
			t.Fatal(err)
		}
		within(t, "there is room", func() bool { return i.write(t, subjects.ResultSubject("shop", "j", 1, "bus"), 10) == nil })
		fill(t, filepath.Join(dir, "rest"), 1<<30)
		_ = i.write(t, subjects.ResultSubject("shop", "j", 1, "bus"), 1<<20)
		if err := os.Remove(filepath.Join(dir, "rest")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{subjects.ResultSubject("shop", "j", 1, "bus"), subjects.LogSubject("shop", "j", 1, "a1")} {
		within(t, subject+" is written again", func() bool { return i.write(t, subject, 10) == nil })
	}
	if _, err := i.Locks.Get(ctx, "kept"); err != nil {
		t.Errorf("what was stored before: %v", err)
	}
}

func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}
