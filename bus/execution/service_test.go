package execution

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A round that takes longer than the lease lasts does not lose it.
func TestLongChore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var one, two atomic.Int32
		round := func(n *atomic.Int32) func(context.Context) error {
			return func(ctx context.Context) error {
				n.Add(1)
				select {
				case <-time.After(time.Minute):
				case <-ctx.Done():
				}
				return nil
			}
		}
		bustest.RunBackground(w, func(ctx context.Context) error { return w.bus.b.RunLeasedTask(ctx, "long", time.Second, round(&one)) })
		time.Sleep(2 * time.Second)
		other := w.idle(Config{})
		bustest.RunBackground(w, func(ctx context.Context) error { return other.b.RunLeasedTask(ctx, "long", time.Second, round(&two)) })
		time.Sleep(3 * time.Minute)
		if one.Load() < 3 || two.Load() != 0 {
			t.Errorf("%d rounds by the bus with the lease, %d by the other", one.Load(), two.Load())
		}
	})
}

// Whoever makes fires gives one up for a StateError, so there must be none
// while the record may still be stored.
func TestExisting(t *testing.T) {
	for _, c := range []struct {
		name    string
		cause   error
		unknown bool
	}{
		{"perhaps stored, and not there yet", bus.ErrUnknown, true},
		{"refused, since it was deleted", bus.ErrChanged, false},
	} {
		play(t, c.name, func(w *world) {
			rec := &bus.Execution{Execution: subjects.Execution{ID: 99, App: "default", Job: "J"}}
			there, err := w.bus.existingRecord(w.Context(), rec, c.cause)
			if there != nil || errors.Is(err, bus.ErrUnknown) != c.unknown || bus.HasCode(err, bus.CodeNoSuchExecution) == c.unknown {
				w.Errorf("%v, %v; want it unknown: %v", there, err, c.unknown)
			}
		})
	}
}
