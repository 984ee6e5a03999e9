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
func keep(t *testing.T, s *server.Server, holder string, cfg bus.Config) (b *bus.Bus, held *atomic.Bool, stop func()) {
	b, held = bustest.Open(t, s, cfg), new(atomic.Bool)
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
				b, one, stop := keep(t, s, "bus-1", bus.Config{})
				_, two, _ := keep(t, s, "bus-2", bus.Config{})
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

// The holder dies: its connection ends, and nobody gives the lease up.
func TestLeaseOfADeadHolder(t *testing.T) {
	inside, network := bus.Config{Embedded: true}, bus.Config{}
	for _, c := range []struct {
		name     string
		one, two bus.Config
		atOnce   bool // whether bus-2 has the lease as soon as it is up
	}{
		{"a bus with the broker in it follows such a bus at once", inside, inside, true},
		{"a holder on the network may live on", network, inside, false},
		{"a bus on the network cannot know", inside, network, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := bustest.Server(t)
				one, _, _ := keep(t, s, "bus-1", c.one)
				one.NC.Close()
				_, two, _ := keep(t, s, "bus-2", c.two)
				if two.Load() != c.atOnce {
					t.Errorf("held by bus-2 at once: %v, want %v", two.Load(), c.atOnce)
				}
				time.Sleep(bus.LeaseTTL + 10*time.Second)
				if !two.Load() {
					t.Error("bus-2 does not have the lease of a silent holder")
				}
			})
		})
	}
}
