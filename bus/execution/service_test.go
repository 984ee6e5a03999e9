package execution

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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
		w.background(func(ctx context.Context) error { return w.bus.chore(ctx, "long", time.Second, round(&one)) })
		time.Sleep(2 * time.Second)
		other := w.idle(Config{})
		w.background(func(ctx context.Context) error { return other.chore(ctx, "long", time.Second, round(&two)) })
		time.Sleep(3 * time.Minute)
		if one.Load() < 3 || two.Load() != 0 {
			t.Errorf("%d rounds by the bus with the lease, %d by the other", one.Load(), two.Load())
		}
	})
}
