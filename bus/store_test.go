package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func TestAnAnswerIsNotWaitedForUntilAFarDeadline(t *testing.T) {
	for _, tc := range []struct {
		name string
		ask  func(ctx context.Context, b *bus.Bus) error
	}{
		{"get", func(ctx context.Context, b *bus.Bus) error { _, err := b.Apps.Get(ctx, "shop"); return err }},
		{"create", func(ctx context.Context, b *bus.Bus) error {
			_, err := b.Apps.Create(ctx, "shop", bus.App{Name: "shop"})
			return err
		}},
		{"update", func(ctx context.Context, b *bus.Bus) error {
			_, err := b.Apps.Update(ctx, "shop", bus.App{Name: "shop"}, 1)
			return err
		}},
		{"delete", func(ctx context.Context, b *bus.Bus) error { return b.Apps.Delete(ctx, "shop", 1) }},
		{"purge", func(ctx context.Context, b *bus.Bus) error { return b.Apps.Purge(ctx, "shop", 1, time.Minute) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, b := bustest.Tapped(t, bustest.Server(t))
				s.Hold("$", 1)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
				defer cancel()
				begin := time.Now()
				if err := tc.ask(ctx, b); !errors.Is(err, bus.ErrAway) {
					t.Errorf("error %v, want %v", err, bus.ErrAway)
				}
				if took := time.Since(begin); took > 2*bus.AckTimeout {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

func TestChange(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	increment := func(was *int64) (*int64, error) {
		if was == nil {
			return new(int64(1)), nil
		}
		return new(*was + 1), nil
	}
	const writers, changes = 8, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range changes {
				if _, err := b.Locks.Change(t.Context(), "a", increment); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	e, err := b.Locks.Get(t.Context(), "a")
	if err != nil || e.Value != writers*changes {
		t.Fatalf("value %d, %v, want %d", e.Value, err, writers*changes)
	}
	left, err := b.Locks.Change(t.Context(), "a", func(*int64) (*int64, error) { return nil, nil })
	if err != nil || left != e {
		t.Errorf("Change to nothing = %+v, %v, want %+v", left, err, e)
	}
	broken := errors.New("no")
	if _, err := b.Locks.Change(t.Context(), "a", func(*int64) (*int64, error) { return new(int64(7)), broken }); !errors.Is(err, broken) {
		t.Errorf("Change with an error = %v, want %v", err, broken)
	}
	if now, err := b.Locks.Get(t.Context(), "a"); err != nil || now != e {
		t.Errorf("afterwards %+v, %v, want %+v", now, err, e)
	}
	if err := b.Locks.Delete(t.Context(), "a", e.Revision); err != nil {
		t.Fatal(err)
	}
	if e, err = b.Locks.Change(t.Context(), "a", increment); err != nil || e.Value != 1 || e.Key != "a" {
		t.Errorf("Change of a deleted key = %+v, %v, want 1", e, err)
	}
	if now, err := b.Locks.Get(t.Context(), "a"); err != nil || now.Revision != e.Revision {
		t.Errorf("Get = %+v, %v, want revision %d", now, err, e.Revision)
	}
	none, err := b.Locks.Change(t.Context(), "none", func(was *int64) (*int64, error) {
		if was != nil {
			t.Errorf("a key that does not exist has the value %d", *was)
		}
		return nil, nil
	})
	if err != nil || none.Revision != 0 {
		t.Errorf("Change of nothing to nothing = %+v, %v", none, err)
	}
}

// The client closes a watch's channel when its context ends. That must not look
// like the end of the connection.
func TestAWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			filled := func() {
				cancel()
				time.Sleep(time.Second) // the channel is closed after this
			}
			if err := b.Apps.Watch(ctx, func(string, *bus.App, uint64) {}, filled); err != nil {
				t.Fatalf("Watch = %v, want no error", err)
			}
		}
	})
}

func TestStoreKeys(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	for _, key := range []string{"shop.a", "shop.b", "other.a"} {
		if _, err := b.Jobs.Create(t.Context(), key, bus.Job{}); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := b.Jobs.Keys(t.Context(), "shop.*")
	if slices.Sort(keys); err != nil || !slices.Equal(keys, []string{"shop.a", "shop.b"}) {
		t.Errorf("Keys = %v, %v, want those of shop", keys, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if keys, err := b.Jobs.Keys(ended, "shop.*"); err == nil {
		t.Errorf("Keys = %v, want an error since the context has ended", keys)
	}
}
