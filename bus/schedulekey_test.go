package bus_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestScheduleKeys(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  bus.ScheduleKey
		text string
	}{
		{"a key without a name is that of the default schedule", bus.NewScheduleKey("a", "j", ""), "a.j"},
		{"the default schedule has no name in its key", bus.NewScheduleKey("a", "j", "default"), "a.j"},
		{"another schedule has its name in its key", bus.NewScheduleKey("a", "j", "weekly"), "a.j.weekly"},
		{"a name may be a number", bus.NewScheduleKey("a", "j", "946684800"), "a.j.946684800"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.key.String() != tt.text || tt.key.App() != "a" || tt.key.Job() != "j" {
				t.Errorf("key %v of %s and %s, want %s", tt.key, tt.key.App(), tt.key.Job(), tt.text)
			}
			if k, ok := bus.ParseScheduleKey(tt.text); !ok || k != tt.key {
				t.Errorf("ParseScheduleKey(%s) = %v, %v", tt.text, k, ok)
			}
			fire := tt.key.FireKey(946684800)
			if fire != tt.text+".946684800" {
				t.Errorf("fire key %s", fire)
			}
			if k, second, ok := bus.SplitFireKey(fire); !ok || k != tt.key || second != 946684800 {
				t.Errorf("SplitFireKey(%s) = %v, %d, %v", fire, k, second, ok)
			}
		})
	}
	for _, key := range []string{"", "a", "a.", ".j", "a.j.", "a.j.n.x", "a.j.default"} {
		if k, ok := bus.ParseScheduleKey(key); ok {
			t.Errorf("%q is the key of schedule %v", key, k)
		}
	}
	for _, key := range []string{"a", "a.1", "a.j.", "a.j.x", "a.j.n.x", "a.j.n.x.1"} {
		if k, _, ok := bus.SplitFireKey(key); ok {
			t.Errorf("%q is the key of a fire of %v", key, k)
		}
	}
}

func TestScheduleNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"": true, "default": true, "weekly": true, "A-1_b": true, strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false, "a.b": false, "a b": false, "pause": false, "resume": false, "*": false, ">": false,
	} {
		err := bus.CheckScheduleName(name)
		var field *bus.FieldError
		if (err == nil) != ok || err != nil && (!errors.As(err, &field) || field.Path != "/name") {
			t.Errorf("CheckScheduleName(%q) = %v", name, err)
		}
	}
}

func TestFiredBy(t *testing.T) {
	for _, tt := range []struct {
		name      string
		execution bus.Execution
		want      string
	}{
		{"an execution that nobody scheduled", bus.Execution{}, ""},
		{"a record of an earlier version", bus.Execution{FireKey: "a.j.946684800"}, "default"},
		{"a fire of a named schedule", bus.Execution{FireKey: "a.j.weekly.946684800"}, "weekly"},
		{"a restart", bus.Execution{Schedule: "weekly"}, "weekly"},
	} {
		if got := tt.execution.FiredBy(); got != tt.want {
			t.Errorf("%s: FiredBy() = %q, want %q", tt.name, got, tt.want)
		}
	}
}
