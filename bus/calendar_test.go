package bus_test

import (
	"encoding/json"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// Earlier versions stored true or false, or nothing.
func TestStoredSubstitutions(t *testing.T) {
	for text, want := range map[string]calendar.Substitution{
		`{"substitution":true}`: calendar.NextUnlessDue, `{"substitution":false}`: calendar.NoSubstitution, `{}`: calendar.NoSubstitution,
		`{"substitution":"previous"}`: calendar.PreviousDay, `{"substitution":"none"}`: calendar.NoSubstitution,
	} {
		var sc bus.Schedule
		if err := json.Unmarshal([]byte(text), &sc); err != nil || sc.Substitution.Or() != want {
			t.Errorf("%s: %q, %v, want %q", text, sc.Substitution.Or(), err, want)
		}
	}
}
