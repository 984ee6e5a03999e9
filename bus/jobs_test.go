package bus_test

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
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
