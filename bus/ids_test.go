package bus_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// Three buses take ids at the same time. Each id is used once.
func TestIDsAreUnique(t *testing.T) {
	const buses, each = 3, 400
	s := bustest.Server(t)
	var mu sync.Mutex
	var all sync.WaitGroup
	taken := map[int64]int{}
	for range buses {
		b := bustest.Open(t, s, bus.Config{})
		for range 2 { // two clients of a bus
			all.Go(func() {
				for range each / 2 {
					id, err := b.NextID(t.Context())
					if err != nil || id < 1 {
						t.Errorf("NextID = %d, %v", id, err)
						return
					}
					mu.Lock()
					taken[id]++
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	if len(taken) != buses*each {
		t.Errorf("%d different ids of %d", len(taken), buses*each)
	}
}

// A bus that starts thousands of executions a second reserves large blocks; a
// bus at rest loses few ids when it ends.
func TestBlocksOfIDsGrowWithTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		reserved := func() int64 { // a bus that takes its first id takes it after all blocks
			id, err := bustest.Open(t, s, bus.Config{}).NextID(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		b := bustest.Open(t, s, bus.Config{})
		var last int64
		next := func() {
			var err error
			if last, err = b.NextID(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 5000 {
			next()
		}
		if lost := reserved() - last; lost > 1001 {
			t.Errorf("a busy bus holds %d ids, want at most 1000", lost)
		}
		for range 2000 { // the rest of the large block
			time.Sleep(2 * time.Second)
			next()
		}
		if lost := reserved() - last; lost > 21 {
			t.Errorf("a bus at rest holds %d ids, want at most 10, and 10 of the bus before", lost)
		}
	})
}

// A caller that gives up takes no id, and leaves the next caller alone.
func TestIDsEndWithTheirContext(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if id, err := b.NextID(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("NextID = %d, %v; want %v", id, err, context.Canceled)
	}
	if id, err := b.NextID(t.Context()); err != nil || id != 1 {
		t.Errorf("NextID = %d, %v; want 1", id, err)
	}
}
