package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// Each write of a store names the revision that it was decided on.
func TestStoreWritesAreConditional(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx := t.Context()
	if _, err := b.Apps.Get(ctx, "shop"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("get of nothing: %v, want %v", err, bus.ErrNotFound)
	}
	rev, err := b.Apps.Create(ctx, "shop", bus.App{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apps.Create(ctx, "shop", bus.App{}); !errors.Is(err, bus.ErrExists) {
		t.Errorf("a second creation: %v, want %v", err, bus.ErrExists)
	}
	next, err := b.Apps.Update(ctx, "shop", bus.App{Name: "shop", Description: "2"}, rev)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"update": errorOf(b.Apps.Update(ctx, "shop", bus.App{}, rev)),
		"delete": b.Apps.Delete(ctx, "shop", rev),
		"purge":  b.Apps.Purge(ctx, "shop", rev, time.Minute),
	} {
		if !errors.Is(err, bus.ErrChanged) {
			t.Errorf("%s at an old revision: %v, want %v", name, err, bus.ErrChanged)
		}
	}
	if e, err := b.Apps.Get(ctx, "shop"); err != nil || e.Revision != next || e.Value.Description != "2" || e.Key != "shop" {
		t.Errorf("Get = %+v, %v", e, err)
	}
	if err := b.Apps.Delete(ctx, "shop", next); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apps.Create(ctx, "shop", bus.App{Name: "shop"}); err != nil {
		t.Errorf("a creation after the deletion: %v", err)
	}
}

// errorOf returns the error of a call that also returns a value.
func errorOf[A any](_ A, err error) error { return err }

// Some decisions depend on all keys of a bucket.
func TestStoreWritesAtTheBucketsRevision(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx := t.Context()
	one, err := b.Users.Create(ctx, "one", bus.User{ID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Users.Create(ctx, "two", bus.User{ID: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Users.UpdateAt(ctx, "one", bus.User{ID: "one"}, one); !errors.Is(err, bus.ErrChanged) {
		t.Errorf("an update that does not know of the other key: %v, want %v", err, bus.ErrChanged)
	}
	if _, err := b.Users.DeleteAt(ctx, "one", one); !errors.Is(err, bus.ErrChanged) {
		t.Errorf("a deletion that does not know of the other key: %v, want %v", err, bus.ErrChanged)
	}
	three, err := b.Users.UpdateAt(ctx, "one", bus.User{ID: "one", Password: "x"}, two)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Users.DeleteAt(ctx, "two", three); err != nil {
		t.Fatal(err)
	}
	all, err := b.Users.List(ctx, ">")
	if err != nil || len(all) != 1 || all[0].Value.Password != "x" {
		t.Errorf("users: %+v, %v", all, err)
	}
}

// change is one call of a watcher.
type change struct {
	key  string
	what string
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		ctx := t.Context()
		create := func(app, job string) uint64 {
			t.Helper()
			rev, err := b.Jobs.Create(ctx, bus.JobKey(app, job), bus.Job{App: app, Name: job})
			if err != nil {
				t.Fatal(err)
			}
			return rev
		}
		create("a", "old")
		create("b", "old")
		var seen []change
		done := make(chan error)
		watch, end := context.WithCancel(t.Context())
		go func() {
			done <- b.Jobs.WatchKeys(watch, "a.*", func(key string, j *bus.Job, rev uint64) {
				what := fmt.Sprint("deleted, revision given: ", rev > 0)
				if j != nil {
					what = j.Name
				}
				seen = append(seen, change{key, what})
			}, func() { seen = append(seen, change{"", "filled"}) })
		}()
		synctest.Wait()
		rev := create("a", "new")
		create("b", "new")
		if err := b.Jobs.Delete(ctx, bus.JobKey("a", "new"), rev); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []change{{"a.old", "old"}, {"", "filled"}, {"a.new", "new"}, {"a.new", "deleted, revision given: true"}}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %v, want %v", seen, want)
		}
	})
}

// A value that cannot be read ends a list and a watch with an error that names
// the key.
func TestValuesThatCannotBeRead(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	if _, err := b.Jobs.KV().PutString(t.Context(), "a.broken", "{"); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"get":   errorOf(b.Jobs.Get(t.Context(), "a.broken")),
		"list":  errorOf(b.Jobs.List(t.Context(), ">")),
		"watch": b.Jobs.Watch(t.Context(), func(string, *bus.Job, uint64) {}, func() {}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "decode jobstreamer_jobs/a.broken: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
