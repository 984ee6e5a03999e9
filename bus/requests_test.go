package bus_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func requestOf(app string, id int64) *subjects.Request {
	return &subjects.Request{Attempt: 1, Execution: subjects.Execution{
		ID: id, App: app, Job: "j", Pool: subjects.DefaultPool, Priority: subjects.Normal,
	}}
}

// ask publishes a request and waits for the outcome.
func ask(b *bus.Bus, r *subjects.Request) error {
	done := make(chan error, 1)
	b.Request(r, func(err error) { done <- err })
	return <-done
}

func queued(t *testing.T, b *bus.Bus, app string) []int64 {
	t.Helper()
	all, err := b.QueuedRequests(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(all))
}

// The queue is the same whether a bus groups its writes or sends each alone.
func TestRequests(t *testing.T) {
	for _, group := range []bool{false, true} {
		t.Run(fmt.Sprint("grouped ", group), func(t *testing.T) {
			b := bustest.Open(t, bustest.Server(t), bus.Config{Group: group})
			if got := queued(t, b, "shop"); len(got) != 0 {
				t.Errorf("queued without a queue: %v", got)
			}
			if err := b.PurgeRequest(t.Context(), &requestOf("shop", 1).Execution); err != nil {
				t.Errorf("purge without a queue: %v", err)
			}
			for _, app := range []string{"shop", "other"} {
				for range 2 { // the second time does nothing
					if err := b.EnsurePool(t.Context(), app, subjects.DefaultPool); err != nil {
						t.Fatal(err)
					}
				}
			}
			for id := range int64(20) {
				if err := ask(b, requestOf("shop", id+1)); err != nil {
					t.Fatal(err)
				}
			}
			if err := ask(b, requestOf("other", 21)); err != nil {
				t.Fatal(err)
			}
			if err := ask(b, requestOf("shop", 7)); !errors.Is(err, bus.ErrChanged) {
				t.Errorf("a second request of one execution: %v, want %v", err, bus.ErrChanged)
			}
			if got := queued(t, b, "shop"); len(got) != 20 || got[0] != 1 || got[19] != 20 {
				t.Errorf("queued: %v, want 1 to 20", got)
			}
			if err := b.PurgeRequest(t.Context(), &requestOf("shop", 7).Execution); err != nil {
				t.Fatal(err)
			}
			if got := queued(t, b, "shop"); len(got) != 19 || slices.Contains(got, 7) {
				t.Errorf("queued after the purge of 7: %v", got)
			}
			if err := ask(b, requestOf("shop", 7)); err != nil {
				t.Errorf("a request after the purge: %v", err)
			}
		})
	}
}

// A queue that was removed comes back with the next pool.
func TestQueueIsRemoved(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	if err := b.RemoveQueue(t.Context(), "shop"); err != nil {
		t.Errorf("remove a queue that is not there: %v", err)
	}
	for _, app := range []string{"shop", "shop2"} {
		if err := b.EnsurePool(t.Context(), app, "linux"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.RemoveQueue(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.JS.Stream(t.Context(), subjects.RequestStream("shop")); err == nil {
		t.Error("the queue is still there")
	}
	if err := b.EnsurePool(t.Context(), "shop", "linux"); err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{"shop", "shop2"} {
		for _, priority := range subjects.Priorities() {
			if _, err := b.JS.Consumer(t.Context(), subjects.RequestStream(app), subjects.RequestConsumer("linux", priority)); err != nil {
				t.Errorf("consumer of %s, %s: %v", app, priority, err)
			}
		}
	}
}
