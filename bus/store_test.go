package bus_test

import (
	"context"
	"errors"
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
