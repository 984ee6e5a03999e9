package bus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// Each step is one call; the lease passes on only when it is free.
func TestRenewAndRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		one, two := bustest.Open(t, s, bus.Config{}), bustest.Open(t, s, bus.Config{})
		for _, step := range []struct {
			name string
			b    *bus.Bus
			do   string
			held bool
			wait time.Duration // afterwards
		}{
			{"two releases a lease that nobody has", two, "release", false, 0},
			{"one acquires it", one, "renew", true, 0},
			{"two cannot", two, "renew", false, 0},
			{"two releases what it does not have", two, "release", false, 0},
			{"two still cannot", two, "renew", false, 10 * time.Second},
			{"one renews it", one, "renew", true, 10 * time.Second},
			{"two sees the renewal", two, "renew", false, bus.LeaseTTL},
			{"a lease that is just as old as the TTL is not free", two, "renew", false, time.Millisecond},
			{"it is free after the TTL", two, "renew", true, 0},
			{"one has lost it", one, "renew", false, 0},
			{"one cannot release it", one, "release", false, 0},
			{"two renews it", two, "renew", true, 0},
			{"two releases it", two, "release", false, 0},
			{"one acquires it again, without a wait", one, "renew", true, 0},
		} {
			name := map[*bus.Bus]string{one: "one", two: "two"}[step.b]
			switch step.do {
			case "renew":
				if held, err := step.b.Leases.Renew(t.Context(), "task", name); held != step.held || err != nil {
					t.Errorf("%s: held %v, %v, want %v", step.name, held, err, step.held)
				}
			case "release":
				if err := step.b.Leases.Release(t.Context(), "task", name); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
			}
			time.Sleep(step.wait)
		}
		if held, err := two.Leases.Renew(t.Context(), "other task", "two"); err == nil || held {
			t.Errorf("a lease whose name is no key: held %v, %v", held, err)
		}
		if held, err := two.Leases.Renew(t.Context(), "other-task", "two"); err != nil || !held {
			t.Errorf("another lease: held %v, %v", held, err)
		}
	})
}

// Several buses that want a free lease at the same time: one gets it.
func TestOneBusGetsAFreeLease(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t)
	former := bustest.Open(t, s, bus.Config{})
	if held, err := former.Leases.Renew(t.Context(), "released", "former"); err != nil || !held {
		t.Fatalf("held %v, %v", held, err)
	}
	if err := former.Leases.Release(t.Context(), "released", "former"); err != nil {
		t.Fatal(err)
	}
	for _, lease := range []string{"new", "released"} {
		var holders atomic.Int32
		done := make(chan error)
		const buses = 4
		for i := range buses {
			b := bustest.Open(t, s, bus.Config{})
			go func() {
				held, err := b.Leases.Renew(t.Context(), lease, string(rune('a'+i)))
				if held {
					holders.Add(1)
				}
				done <- err
			}()
		}
		for range buses {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := holders.Load(); n != 1 {
			t.Errorf("%d buses have the lease %s, want 1", n, lease)
		}
	}
}

// A lease that cannot be read is held by nobody, and the log says why.
func TestLeaseThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := bustest.Open(t, bustest.Server(t), bus.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		leases, err := b.JS.KeyValue(t.Context(), "jobstreamer_leases")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leases.PutString(t.Context(), "task", "{"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b.Leases.Keep(ctx, "task", "one", func(held bool) {
			if held {
				t.Error("the lease is held")
			}
		})
		if got := log.String(); strings.Count(got, "lease not renewed") != 1 || strings.Count(got, "lease not released") != 1 {
			t.Errorf("log %s", got)
		}
	})
}

// A leased task runs on one bus, at its interval, through failures, until the
// bus ends; then another bus goes on.
func TestLeasedTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		type task struct {
			rounds atomic.Int32
			stop   context.CancelFunc
			ended  chan error
		}
		start := func(name string, fails bool) *task {
			b := bustest.Open(t, s, bus.Config{Name: name, Log: logger})
			if b.Name() != name {
				t.Errorf("the bus %s is called %s", name, b.Name())
			}
			ctx, cancel := context.WithCancel(t.Context())
			k := &task{stop: cancel, ended: make(chan error, 1)}
			go func() {
				k.ended <- b.RunLeasedTask(ctx, "task", time.Minute, func(context.Context) error {
					if k.rounds.Add(1); fails {
						return errors.New("broken")
					}
					return nil
				})
			}()
			synctest.Wait()
			return k
		}
		one := start("one", true)
		time.Sleep(time.Second)
		two := start("two", false)
		time.Sleep(9*time.Minute + 30*time.Second)
		if a, b := one.rounds.Load(), two.rounds.Load(); a != 9 || b != 0 {
			t.Errorf("%d rounds of one and %d of two in nine and a half minutes, want 9 and 0", a, b)
		}
		one.stop()
		if err := <-one.ended; err != nil {
			t.Errorf("the end of one: %v", err)
		}
		time.Sleep(3 * time.Minute)
		if a, b := one.rounds.Load(), two.rounds.Load(); a != 9 || b != 3 {
			t.Errorf("%d rounds of one and %d of two afterwards, want 9 and 3", a, b)
		}
		two.stop()
		if err := <-two.ended; err != nil {
			t.Errorf("the end of two: %v", err)
		}
		if n := strings.Count(log.String(), "task=task err=broken"); n != 9 {
			t.Errorf("%d of 9 failures are logged", n)
		}
	})
}

// A round that takes longer than the lease does not lose it.
func TestLongRoundKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		one, two := bustest.Open(t, s, bus.Config{Name: "one"}), bustest.Open(t, s, bus.Config{Name: "two"})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		var running, rounds atomic.Int32
		round := func(context.Context) error {
			if n := running.Add(1); n > 1 {
				t.Errorf("%d rounds run at the same time", n)
			}
			time.Sleep(10 * bus.LeaseTTL)
			running.Add(-1)
			rounds.Add(1)
			return nil
		}
		go func() { done <- one.RunLeasedTask(ctx, "task", time.Minute, round) }()
		time.Sleep(time.Second)
		go func() { done <- two.RunLeasedTask(ctx, "task", time.Minute, round) }()
		time.Sleep(time.Hour)
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := rounds.Load(); n < 15 {
			t.Errorf("%d rounds in an hour", n)
		}
	})
}
