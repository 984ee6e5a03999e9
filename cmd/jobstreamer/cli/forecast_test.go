package cli

import (
	"strings"
	"testing"
	"time"
)

func TestScheduleTonight(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "nightly", "Noop")
	tonight := func(args ...string) outcome {
		return e.runOnce(t.Context(), append([]string{"schedule", "tonight"}, args...)...)
	}
	if got := tonight(); !strings.HasPrefix(got.out, "Nothing fires until ") {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "schedule", "set", "nightly", "0 0 * * * ?"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	got := tonight("--all", "--until", time.Now().UTC().Add(3*time.Hour).Format("2006-01-02 15:04"))
	if !strings.Contains(got.out, "nightly") || !strings.Contains(got.out, "Most in one minute: 1 fire at ") {
		t.Errorf("%+v", got)
	}
	for _, until := range []string{"noon", "2001-01-01"} {
		if got := tonight("--until", until); got.failed == nil || !strings.Contains(got.failed.Error(), "want a time to come") {
			t.Errorf("--until %s: %+v", until, got)
		}
	}
}

func TestEndOfNight(t *testing.T) {
	now := time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"08:00": "25 08:00", "23:30": "24 23:30", "2026-11-26 01:00": "26 01:00", "2026-11-24": "25 00:00"} {
		if got, ok := endOfNight(text, now, time.UTC); !ok || got.Format("02 15:04") != want {
			t.Errorf("%s: %v, %v; want %s", text, got, ok, want)
		}
	}
}
