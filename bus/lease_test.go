package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// keep keeps a lease on a connection of its own; stop ends it.
func keep(t *testing.T, s *server.Server, holder string) (b *bus.Bus, held *atomic.Bool, stop func()) {
	b, held = bustest.Open(t, s, bus.Config{}), new(atomic.Bool)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		b.Leases.Keep(ctx, "chore", holder, held.Store)
		close(ended)
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	synctest.Wait()
	return b, held, stop
}

func TestKeep(t *testing.T) {
	for _, c := range []struct {
		name     string
		do       func(b *bus.Bus, stop func()) // to the holder, after a minute
		one, two bool                          // who has the lease half a minute later
	}{
		{"a living holder keeps it", func(*bus.Bus, func()) {}, true, false},
		{"one that is told to end gives it up", func(_ *bus.Bus, stop func()) { stop() }, false, true},
		{"one without a connection loses it, and knows", func(b *bus.Bus, _ func()) { b.NC.Close() }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := bustest.Server(t)
				b, one, stop := keep(t, s, "bus-1")
				_, two, _ := keep(t, s, "bus-2")
				time.Sleep(time.Minute)
				if !one.Load() || two.Load() {
					t.Errorf("held by bus-1: %v, by bus-2: %v, want bus-1 alone", one.Load(), two.Load())
				}
				c.do(b, stop)
				time.Sleep(30 * time.Second)
				if one.Load() != c.one || two.Load() != c.two {
					t.Errorf("held by bus-1: %v, by bus-2: %v, want %v and %v", one.Load(), two.Load(), c.one, c.two)
				}
			})
		})
	}
}
