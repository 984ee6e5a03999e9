package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Another writer comes between the read and the write of a change. The decision
// is then made again, on what the other writer left.
func TestChangeDecidesAgain(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx := t.Context()
	set := func(key string, v int64) (rev uint64) {
		e, err := b.Locks.Change(ctx, key, func(*int64) (*int64, error) { return &v, nil })
		if err != nil {
			t.Error(err)
		}
		return e.Revision
	}
	remove := func(key string, _ int64) uint64 {
		e, err := b.Locks.Get(ctx, key)
		if err == nil {
			err = b.Locks.Delete(ctx, key, e.Revision)
		}
		if err != nil {
			t.Error(err)
		}
		return 0
	}
	const none = math.MinInt64
	for i, tt := range []struct {
		name    string
		begin   int64 // none: the key does not exist
		other   func(key string, v int64) uint64
		decided []int64 // on which values, one after the other
		want    int64
	}{
		{"nobody else writes", 5, nil, []int64{5}, 6},
		{"another writer updates it", 5, set, []int64{5, 20}, 21},
		{"another writer deletes it", 5, remove, []int64{5, none}, 1},
		{"it does not exist, and another writer creates it", none, set, []int64{none, 20}, 21},
		{"it does not exist, and comes and goes", none, func(key string, v int64) uint64 { set(key, v); return remove(key, v) }, []int64{none}, 1},
		{"another writer deletes and creates it", 5, func(key string, v int64) uint64 { remove(key, v); return set(key, v) }, []int64{5, 20}, 21},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := fmt.Sprint("key-", i)
			if tt.begin != none {
				set(key, tt.begin)
			}
			var decided []int64
			e, err := b.Locks.Change(ctx, key, func(was *int64) (*int64, error) {
				v := int64(none)
				if was != nil {
					v = *was
				}
				if decided = append(decided, v); len(decided) == 1 && tt.other != nil {
					tt.other(key, 20)
				}
				if was == nil {
					return new(int64(1)), nil
				}
				return new(v + 1), nil
			})
			if err != nil || e.Value != tt.want || !slices.Equal(decided, tt.decided) {
				t.Errorf("Change = %+v, %v, decided on %v; want %d, decided on %v", e, err, decided, tt.want, tt.decided)
			}
			if now, err := b.Locks.Get(ctx, key); err != nil || now.Value != e.Value || now.Revision != e.Revision {
				t.Errorf("afterwards %+v, %v, want %+v", now, err, e)
			}
		})
	}
}

// A decision may change its mind: what it returns last counts.
func TestChangeLeavesWhatAnotherWriterWrote(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	rev, err := b.Locks.Create(t.Context(), "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	e, err := b.Locks.ChangeEntry(t.Context(), "a", func(was *bus.Entry[int64]) (*int64, error) {
		if calls++; calls == 2 {
			return nil, nil
		}
		if was.Revision != rev || was.Key != "a" {
			t.Errorf("decides on %+v, want revision %d", was, rev)
		}
		rev, err = b.Locks.Update(t.Context(), "a", 9, rev)
		return new(int64(2)), err
	})
	if err != nil || calls != 2 || e.Value != 9 || e.Revision != rev {
		t.Errorf("ChangeEntry = %+v, %v after %d calls; want 9 at %d", e, err, calls, rev)
	}
}

// A change ends when it cannot be carried out.
func TestChangeGivesUp(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	set := func(*bus.Samples) (*bus.Samples, error) { return &bus.Samples{}, nil }
	if _, err := b.Samples.KV().PutString(t.Context(), "broken", "{"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	// Another writer always comes first.
	_, err := b.Locks.Change(ctx, "contested", func(was *int64) (*int64, error) {
		if calls++; calls == 3 {
			cancel()
		}
		_, err := b.Locks.Change(t.Context(), "contested", func(*int64) (*int64, error) { return new(int64(calls)), nil })
		return new(int64(100)), err
	})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("a change whose context ends: %v after %d calls, want %v after 3", err, calls, context.Canceled)
	}
	if e, err := b.Locks.Get(t.Context(), "contested"); err != nil || e.Value != 3 {
		t.Errorf("the other writer's value is %d, %v", e.Value, err)
	}
	if _, err := b.Samples.Change(t.Context(), "broken", set); err == nil || !strings.HasPrefix(err.Error(), "decode ") {
		t.Errorf("a value that cannot be read: %v", err)
	}
	if _, err := b.Samples.Change(t.Context(), "no key at all", set); !errors.Is(err, jetstream.ErrInvalidKey) {
		t.Errorf("a key that no bucket can have: %v, want %v", err, jetstream.ErrInvalidKey)
	}
}

// A value that cannot be encoded is not written, by any kind of write.
func TestValuesThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx := t.Context()
	broken := bus.Job{Name: "j", Definition: []byte(`{`)}
	written := make(chan error, 1)
	b.Jobs.Write("a.j", broken, 0, func(_ uint64, err error) { written <- err })
	for name, err := range map[string]error{
		"create":   errorOf(b.Jobs.Create(ctx, "a.j", broken)),
		"update":   errorOf(b.Jobs.Update(ctx, "a.j", broken, 0)),
		"updateAt": errorOf(b.Jobs.UpdateAt(ctx, "a.j", broken, 0)),
		"message":  errorOf(b.Jobs.Message("a.j", &broken)),
		"write":    <-written,
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "encode jobstreamer_jobs/a.j: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys, err := b.Jobs.Keys(ctx, ">"); err != nil || len(keys) != 0 {
		t.Errorf("keys %v, %v, want none", keys, err)
	}
}

// Write says whether it wrote, and counts a deletion marker as a revision.
func TestWriteNamesTheRevision(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	write := func(v int64, rev uint64) (uint64, error) {
		type outcome struct {
			rev uint64
			err error
		}
		done := make(chan outcome, 1)
		b.Locks.Write("a", v, rev, func(rev uint64, err error) { done <- outcome{rev, err} })
		o := <-done
		return o.rev, o.err
	}
	first, err := write(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := write(2, first)
	if err != nil {
		t.Fatal(err)
	}
	for _, rev := range []uint64{0, first, second + 1} {
		if got, err := write(3, rev); !errors.Is(err, bus.ErrChanged) {
			t.Errorf("a write at %d = %d, %v; want %v", rev, got, err, bus.ErrChanged)
		}
	}
	if err := b.Locks.Delete(t.Context(), "a", second); err != nil {
		t.Fatal(err)
	}
	if _, err := write(4, 0); !errors.Is(err, bus.ErrChanged) {
		t.Errorf("a write of a deleted key: %v, want %v", err, bus.ErrChanged)
	}
	if _, err := b.Locks.Create(t.Context(), "a", 5); err != nil {
		t.Errorf("a creation of a deleted key: %v", err)
	}
}

// Text in a value stays as it is: markup is not escaped, and broken UTF-8 of an
// agent is read.
func TestTextOfValues(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	for i, text := range []string{"<b>&</b>", "夜間", "a\u2028b", "\x00\x1f", "tail\n"} {
		key := fmt.Sprint("k", i)
		if _, err := b.Apps.Create(t.Context(), key, bus.App{Description: text}); err != nil {
			t.Fatal(err)
		}
		e, err := b.Apps.KV().Get(t.Context(), key)
		if err != nil || bytes.Contains(e.Value(), []byte(`\u003c`)) || bytes.HasSuffix(e.Value(), []byte("\n")) {
			t.Errorf("stored %q, %v", e.Value(), err)
		}
		if got, err := b.Apps.Get(t.Context(), key); err != nil || got.Value.Description != text {
			t.Errorf("%q is read as %q, %v", text, got.Value.Description, err)
		}
	}
	if _, err := b.Apps.KV().Put(t.Context(), "broken", []byte("{\"description\":\"a\xffb\"}")); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Apps.Get(t.Context(), "broken"); err != nil || got.Value.Description != "a\uFFFDb" {
		t.Errorf("broken UTF-8 is read as %q, %v", got.Value.Description, err)
	}
}

// A tolerant store logs what it cannot read and goes on. The key can still be
// listed, and is an error for those who read it alone.
func TestTolerantStore(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	for key, value := range map[string]string{"a": `{"user":"one"}`, "b": `{`, "c": `{"user":"two"}`} {
		if _, err := b.Sessions.KV().PutString(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	s := b.Sessions.Tolerant(slog.New(slog.NewTextHandler(&log, nil)))
	all, err := s.List(ctx, ">")
	if err != nil || len(all) != 2 || strings.Count(log.String(), "/b: ") != 1 {
		t.Errorf("List = %v, %v; log %s", all, err, &log)
	}
	var seen []string
	err = s.Watch(ctx, func(key string, v *bus.Session, _ uint64) { seen = append(seen, key+" "+v.User) }, cancel)
	if slices.Sort(seen); err != nil || !slices.Equal(seen, []string{"a one", "c two"}) || strings.Count(log.String(), "/b: ") != 2 {
		t.Errorf("Watch saw %v, %v; log %s", seen, err, &log)
	}
	if keys, err := s.Keys(t.Context(), ">"); err != nil || len(keys) != 3 {
		t.Errorf("Keys = %v, %v, want three", keys, err)
	}
	if _, err := s.Get(t.Context(), "b"); err == nil {
		t.Error("a single value that cannot be read is no error")
	}
	if _, err := b.Sessions.List(t.Context(), ">"); err == nil {
		t.Error("the store itself became tolerant")
	}
}

// A key pattern selects by whole parts of a key. Deleted keys are gone.
func TestKeysAndLists(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx := t.Context()
	var last uint64
	for _, key := range []string{"shop.a", "shop.b", "shop.b.1", "shopping.a", "gone.a"} {
		rev, err := b.Jobs.Create(ctx, key, bus.Job{Name: key})
		if err != nil {
			t.Fatal(err)
		}
		last = rev
	}
	if err := b.Jobs.Delete(ctx, "gone.a", last); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string][]string{
		">":        {"shop.a", "shop.b", "shop.b.1", "shopping.a"},
		"shop.*":   {"shop.a", "shop.b"},
		"shop.>":   {"shop.a", "shop.b", "shop.b.1"},
		"*.a":      {"shop.a", "shopping.a"},
		"shop.b":   {"shop.b"},
		"shop.c":   nil,
		"gone.>":   nil,
		"*.*.*":    {"shop.b.1"},
		"nobody.*": nil,
	} {
		keys, err := b.Jobs.Keys(ctx, filter)
		if slices.Sort(keys); err != nil || !slices.Equal(keys, want) {
			t.Errorf("Keys(%s) = %v, %v, want %v", filter, keys, err, want)
		}
		all, err := b.Jobs.List(ctx, filter)
		var names []string
		for _, e := range all {
			if names = append(names, e.Value.Name); e.Key != e.Value.Name || e.Revision == 0 || e.Time.IsZero() {
				t.Errorf("List(%s) has %+v", filter, e)
			}
		}
		if slices.Sort(names); err != nil || !slices.Equal(names, want) {
			t.Errorf("List(%s) = %v, %v, want %v", filter, names, err, want)
		}
	}
	for what, err := range map[string]error{
		"keys":  errorOf(b.Jobs.Keys(ctx, "a b")),
		"list":  errorOf(b.Jobs.List(ctx, "")),
		"watch": b.Jobs.WatchKeys(ctx, "a..b", nil, nil),
	} {
		if err == nil {
			t.Errorf("%s with a filter that is none: no error", what)
		}
	}
}

// The end of the connection ends lists and watches with an error that says so.
func TestListsWithoutAConnection(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	watched := b.Jobs.Watch(t.Context(), func(string, *bus.Job, uint64) {}, b.NC.Close)
	for what, err := range map[string]error{
		"watch":   watched,
		"list":    errorOf(b.Jobs.List(t.Context(), ">")),
		"keys":    errorOf(b.Jobs.Keys(t.Context(), ">")),
		"get":     errorOf(b.Jobs.Get(t.Context(), "a.j")),
		"create":  errorOf(b.Jobs.Create(t.Context(), "a.j", bus.Job{})),
		"healthy": b.Healthy(t.Context()),
	} {
		if !errors.Is(err, bus.ErrAway) {
			t.Errorf("%s: %v, want %v", what, err, bus.ErrAway)
		}
	}
	if err := b.Room(t.Context()); err != nil {
		t.Errorf("Room = %v; the write itself returns the error", err)
	}
}

// A watch that ends since NATS was away begins again a second later; any other
// error ends it.
func TestRetryWatch(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		errs []error // of one call after the other; then the context ends
		want error
		took time.Duration
	}{
		{"the context ends during the first call", nil, nil, 0},
		{"NATS was away", []error{bus.ErrAway, fmt.Errorf("watch: %w", bus.ErrAway)}, nil, 2 * time.Second},
		{"it is full", []error{bus.ErrFull}, nil, time.Second},
		{"it just ended", []error{nil}, nil, time.Second},
		{"another error", []error{bus.ErrAway, broken}, broken, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begin, calls := time.Now(), 0
				err := bus.RetryWatch(ctx, func() error {
					if calls == len(tt.errs) {
						cancel()
						return bus.ErrAway
					}
					calls++
					return tt.errs[calls-1]
				})
				if took := time.Since(begin); err != tt.want || took != tt.took || calls != len(tt.errs) {
					t.Errorf("RetryWatch = %v after %v and %d calls, want %v after %v", err, took, calls, tt.want, tt.took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := bus.RetryWatch(ctx, func() error { return bus.ErrAway }); err != nil {
			t.Errorf("the context ends between two calls: %v", err)
		}
	})
}

// A watch that is slow sees at least the newest value of each key, in order of
// revisions, and what was there before filled.
func TestSlowWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		const keys, rounds = 20, 10
		write := func(round int) {
			for k := range keys {
				_, err := b.Locks.Change(t.Context(), fmt.Sprint("k", k), func(*int64) (*int64, error) { return new(int64(round)), nil })
				if err != nil {
					t.Error(err)
				}
			}
		}
		write(0)
		newest, last, filled := map[string]int64{}, uint64(0), -1
		done := make(chan error)
		go func() {
			done <- b.Locks.Watch(ctx, func(key string, v *int64, rev uint64) {
				time.Sleep(time.Second) // fake; all writes are faster
				if rev <= last {
					t.Errorf("revision %d came after %d", rev, last)
				}
				newest[key], last = *v, rev
			}, func() { filled = len(newest) })
		}()
		synctest.Wait() // a key that is written while the watch begins comes after filled
		for round := range rounds {
			write(round + 1)
		}
		time.Sleep(time.Hour)
		cancel()
		if err := <-done; err != nil || filled != keys {
			t.Errorf("Watch = %v, filled after %d keys, want %d", err, filled, keys)
		}
		for k := range keys {
			if got := newest[fmt.Sprint("k", k)]; got != rounds {
				t.Errorf("the newest value of key %d was %d, want %d", k, got, rounds)
			}
		}
	})
}

// Writes of several keys at once use the same subjects and markers as a bucket.
func TestSubjectOfAKey(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	if got, want := b.Jobs.Subject("a.j"), "$KV."+subjects.JobsBucket+".a.j"; got != want {
		t.Errorf("Subject = %s, want %s", got, want)
	}
	m, err := b.Jobs.Message("a.j", nil)
	if err != nil || m.Header.Get("KV-Operation") != "DEL" || len(m.Data) != 0 {
		t.Errorf("the message that deletes is %+v, %v", m, err)
	}
}
