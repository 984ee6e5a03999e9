package bus_test

import (
	"context"
	"slices"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// A context records every write to a definition with its revisions, and no
// other.
func TestChangesAreRecorded(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx, changes := bus.RecordChanges(t.Context())
	other, of := bus.RecordChanges(t.Context())
	must := func(rev uint64, err error) uint64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	one := must(b.Schedules.Create(ctx, "shop.a", bus.Schedule{}))
	two := must(b.Schedules.Update(ctx, "shop.a", bus.Schedule{}, one))
	must(0, b.Schedules.Delete(ctx, "shop.a", two))
	three := must(b.Users.Create(ctx, "ann", bus.User{}))
	four := must(b.Users.UpdateAt(ctx, "ann", bus.User{}, three))
	must(b.Users.DeleteAt(ctx, "ann", four))
	must(b.Locks.Create(ctx, "shop.a", 7))
	must(b.Apps.Create(context.Background(), "shop", bus.App{}))
	if _, err := b.Apps.Create(ctx, "shop", bus.App{}); err == nil {
		t.Error("an application was created twice")
	}
	must(b.Agents.Create(other, "a1", bus.Agent{}))
	want := []bus.Change{
		{Key: "schedules/shop.a", After: one},
		{Key: "schedules/shop.a", Before: one, After: two},
		{Key: "schedules/shop.a", Before: two},
		{Key: "users/ann", After: three},
		{Key: "users/ann", Before: three, After: four},
		{Key: "users/ann", Before: four},
	}
	if got := changes.List(); !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
	if got := of.List(); len(got) != 1 || got[0].Key != "agents/a1" {
		t.Errorf("changes of another context: %v", got)
	}
	for range 100 {
		two = must(b.Apps.Create(ctx, "shop2", bus.App{}))
		must(0, b.Apps.Delete(ctx, "shop2", two))
	}
	if got := len(changes.List()); got > 32 {
		t.Errorf("%d changes, want 32 at most", got)
	}
}
