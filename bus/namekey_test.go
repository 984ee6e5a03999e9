package bus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// What keys are must never change: history is kept under them.
func TestNameKey(t *testing.T) {
	for name, want := range map[string]string{
		"nightly":                      "nightly",
		"1-a_B":                        "1-a_B",
		"chunk-2.0":                    "chunk-2_0--",
		"夜間バッチ":                        "_--",
		"a.b":                          "a_b--",
		"a..b":                         "a_b--",
		"日次.report":                    "_report--",
		strings.Repeat("a", 60) + ".b": strings.Repeat("a", 60) + "--",
		strings.Repeat("夜", 128):       "_--",
	} {
		key := bus.NameKey(name)
		readable, _, made := strings.Cut(key, "--")
		if made {
			readable += "--"
		}
		if readable != want || !subjects.ValidName(key) || len(key) > subjects.MaxName-9 {
			t.Errorf("NameKey(%q) = %q, want %q and a hash", name, key, want)
		}
	}
	if a, b := bus.NameKey("a.b"), bus.NameKey("a..b"); a == b {
		t.Errorf("two names have the key %s", a)
	}
	if got, want := bus.NameKey("夜間バッチ"), "_--m6dfumijsbtyhklfyouf7qooxw"; got != want {
		t.Errorf("NameKey = %s, want %s", got, want)
	}
}

// Nobody can take a name that is the key of another one.
func TestNameLikeAKey(t *testing.T) {
	b := jobsOf{t, bustest.Open(t, bustest.Server(t), bus.Config{})}
	key := bus.NameKey("a.b")
	var field *bus.FieldError
	if _, err := b.create(key, "thief"); !errors.As(err, &field) || field.Path != "/id" {
		t.Errorf("create %s: %v, want a FieldError", key, err)
	}
	for _, name := range []string{"a.b", "ab", "a.b.c"} {
		if _, err := b.create(name, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.rename("ab", key); !errors.As(err, &field) {
		t.Errorf("rename to %s: %v, want a FieldError", key, err)
	}
	for _, name := range []string{"a b", "a/b", "", ".a", "a\n", strings.Repeat("夜", 129)} {
		if _, err := b.create(name, "x"); !errors.As(err, &field) {
			t.Errorf("create %q: %v, want a FieldError", name, err)
		}
	}
	// One that was named so before is not mistaken for the job that the name is
	// a key of.
	old := bus.Job{App: "b", Name: key, Token: key, Definition: []byte(`"old"`)}
	if _, err := b.Jobs.Create(t.Context(), old.Key(), old); err != nil {
		t.Fatal(err)
	}
	if e, err := b.JobNamed(t.Context(), "b", "a.b"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a.b is found as %+v, %v", e.Value, err)
	}
	if e, err := b.JobNamed(t.Context(), "b", key); err != nil || e.Value.Name != key {
		t.Errorf("%s is found as %+v, %v", key, e.Value, err)
	}
	if _, err := b.CreateJob(t.Context(), bus.Job{App: "b", Name: "a.b", Definition: []byte("1")}); !errors.Is(err, bus.ErrExists) {
		t.Errorf("create a.b: %v, want ErrExists", err)
	}
	if got := fmt.Sprint(b.found("a.b", "ab", "a.b.c")); got != "a.b=a.b ab=ab a.b.c=a.b.c" {
		t.Error(got)
	}
}
