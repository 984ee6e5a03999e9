package calendars

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func named(name string, since subjects.Time, include ...string) *bus.Calendar {
	return &bus.Calendar{Calendar: calendar.Calendar{Name: name, Include: include}, Since: since}
}

func TestSet(t *testing.T) {
	var none *Set
	if _, ok := none.Named("a"); ok || none.Revision() != 0 || len(none.All()) != 0 || none.NameOf("k") != "k" {
		t.Error("a nil set is not empty")
	}
	one := none.With("a", named("A", 1000), 1).With("b", named("B", 2000, "a"), 2).With("c", named("C", 3000), 3)
	if shown := one.Shown(&bus.Calendar{Calendar: calendar.Calendar{Exclude: []string{"a", "x"}}}); !slices.Equal(shown.Exclude, []string{"A", "x"}) {
		t.Errorf("shown %v", shown.Exclude)
	}
	stored, err := one.Stored(calendar.Calendar{Intersect: []string{"B"}})
	if err != nil || !slices.Equal(stored.Intersect, []string{"b"}) {
		t.Errorf("stored %v, %v", stored.Intersect, err)
	}
	if _, err := one.Stored(calendar.Calendar{Include: []string{"A", "no"}}); err == nil || !strings.HasPrefix(err.Error(), `/include/1: want the name of a calendar that exists, got "no"`) {
		t.Error(err)
	}
	if got := slices.Sorted(maps.Keys(one.MadeOf("a"))); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("made of a: %v", got)
	}
	// An older revision changes nothing, not even after a deletion.
	two := one.With("c", nil, 9)
	if two.With("c", named("C", 3000), 8) != two || two.Revision() != 9 {
		t.Error("an old revision was taken")
	}
	if _, ok := two.Named("C"); ok {
		t.Error("a deleted calendar is found")
	}
	renamed := one.With("a", named("C2", 1000), 4).With("c", named("A", 3000), 5)
	if e, ok := renamed.Named("A"); !ok || e.Key != "c" {
		t.Errorf("A is %+v", e)
	}
}

func TestCompiledCalendarsStay(t *testing.T) {
	var none *Set
	one := none.With("a", named("A", 1000), 1).With("b", named("B", 2000, "a"), 2).With("c", named("C", 3000), 3)
	compile := func(s *Set, key string) *Compiled {
		t.Helper()
		c, err := s.Compile(key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	b, c := compile(one, "b"), compile(one, "c")
	two := one.With("a", named("A", 5000), 4)
	if compile(two, "c") != c {
		t.Error("c was compiled again, although it did not change")
	}
	if now := compile(two, "b"); now == b || now.Since.UnixMilli() != 5000 || b.Since.UnixMilli() != 2000 {
		t.Errorf("b is not that of the changed a: since %v", now.Since)
	}
	if _, err := two.Compile("none"); !errors.Is(err, bus.ErrNotFound) {
		t.Error(err)
	}
	if _, err := two.With("a", nil, 6).Compile("b"); err == nil {
		t.Error("a calendar that is made of a deleted one compiles")
	}
}
