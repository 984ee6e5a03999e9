package bus_test

import (
	"fmt"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestPauseSet(t *testing.T) {
	on := func(from int64) *bus.Pauses {
		return &bus.Pauses{Periods: []bus.PausePeriod{{From: 1, To: 2}, {From: 9, By: fmt.Sprint("user", from)}}}
	}
	ended := &bus.Pauses{Periods: []bus.PausePeriod{{From: 1, To: 2}}}
	names := func(all []bus.GroupPause) (text string) {
		for _, p := range all {
			text += p.App + "=" + p.By + " "
		}
		return text
	}
	var none *bus.PauseSet
	if none.Revision() != 0 || none.Of("a") != nil || len(none.On("a")) != 0 || len(none.AllOn()) != 0 {
		t.Error("a set of nothing has something")
	}
	set := none.With(bus.PausesKey("b"), on(1), 1).With(bus.PausesKey(""), on(2), 2).With(bus.PausesKey("a"), on(3), 3).With(bus.PausesKey("all"), ended, 4)
	for _, tt := range []struct {
		name, want string
		got        []bus.GroupPause
	}{
		{"all that are on", "=user2 a=user3 b=user1 ", set.AllOn()},
		{"those of an application", "=user2 b=user1 ", set.On("b")},
		{"those of an application with another name", "=user2 ", set.On("c")},
		{"those of an application named all", "=user2 ", set.On("all")},
		{"that of all schedules", "=user2 ", set.On("")},
		{"after a deletion", "=user2 b=user1 ", set.With(bus.PausesKey("a"), nil, 5).AllOn()},
		{"after the end of that of all", "a=user3 b=user1 ", set.With(bus.PausesKey(""), ended, 5).AllOn()},
	} {
		if got := names(tt.got); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if old := set.With(bus.PausesKey("a"), nil, 3); old != set {
		t.Error("an older revision changes the set")
	}
	if got := set.With(bus.PausesKey("b"), nil, 9).With(bus.PausesKey("c"), on(1), 7).Revision(); got != 9 {
		t.Errorf("the newest revision is %d, want 9", got)
	}
}
