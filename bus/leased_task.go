package bus

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Chore calls round at every interval while this bus holds the lease, and
// renews the lease meanwhile. It logs a round that fails, and calls round again
// at the next interval.
func (b *Bus) Chore(ctx context.Context, name string, every time.Duration, round func(context.Context) error) error {
	var held atomic.Bool
	var kept sync.WaitGroup
	kept.Go(func() { b.Leases.Keep(ctx, name, b.Name(), held.Store) })
	defer kept.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if !held.Load() {
			continue
		}
		if err := round(ctx); err != nil && ctx.Err() == nil {
			b.Log.Warn("round not finished, trying again", "chore", name, "err", err)
		}
	}
}
