package bus_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestKeys(t *testing.T) {
	job := bus.Job{App: "a", Name: "j"}
	schedule := bus.Schedule{App: "a", Job: "j"}
	execution := bus.Execution{Execution: subjects.Execution{App: "a", Job: "j", ID: 12}}
	revision := bus.Revision{App: "a", Number: 3}
	for got, want := range map[string]string{
		job.Key(): "a.j", schedule.Key().String(): "a.j", execution.Key(): "a.j.12", revision.Key(): "a.3",
		bus.NewScheduleKey("a", "j", "").FireKey(946684800): "a.j.946684800",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
	if app, key, ok := bus.SplitJobKey("a.j"); !ok || app != "a" || key != "j" {
		t.Errorf("SplitJobKey(a.j) = %s, %s, %v", app, key, ok)
	}
	for _, key := range []string{"a", "a.j.weekly"} {
		if _, _, ok := bus.SplitJobKey(key); ok {
			t.Errorf("%s is the key of a job", key)
		}
	}
	named := bus.Job{App: "a", Name: "Umsätze"}
	if app, key, _ := bus.SplitJobKey(named.Key()); app != "a" || key != bus.NameKey("Umsätze") {
		t.Errorf("the key of a name that is no subject token: %s", named.Key())
	}
}

func TestOpenFires(t *testing.T) {
	for _, tt := range []struct {
		name string
		fire bus.Fire
		want bool
	}{
		{"fired", bus.Fire{Execution: 1}, true},
		{"purged", bus.Fire{Execution: 1, Closed: true}, false},
		{"skipped", bus.Fire{Skipped: "calendar"}, false},
	} {
		if got := tt.fire.Open(); got != tt.want {
			t.Errorf("%s: open %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestErrorsSayWhatIsWanted(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&bus.FieldError{Path: "/steps/0", Want: "a step", Got: "7"}, "/steps/0: want a step, got 7"},
		{&bus.FieldError{Path: "/password", Want: "8 characters"}, "/password: want 8 characters"},
		{bus.NoSuchJob("shop", "nightly"), "there is no job nightly in the application shop"},
		{bus.State(bus.CodeNotRunning, "execution %d has ended", 4), "execution 4 has ended"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	wrapped := fmt.Errorf("stop 4: %w", bus.State(bus.CodeNotRunning, "ended"))
	if !bus.HasCode(wrapped, bus.CodeNotRunning) || bus.HasCode(wrapped, bus.CodeNoSuchJob) || bus.HasCode(errors.New("x"), bus.CodeNotRunning) {
		t.Error("HasCode does not tell the codes apart")
	}
	if !errors.Is(bus.ErrFull, bus.ErrAway) || errors.Is(bus.ErrAway, bus.ErrFull) {
		t.Error("a full JetStream is away for those who do not tell the two apart, and not the other way round")
	}
}

func TestRoles(t *testing.T) {
	all := map[string]string{"shop": bus.RoleAdmin, bus.AnyApp: bus.RoleOperator, bus.DefaultApp: bus.RoleWatcher}
	for _, tt := range []struct {
		name  string
		roles map[string]string
		app   string
		want  string
	}{
		{"the role of the application", all, "shop", bus.RoleAdmin},
		{"the role of any application", all, "other", bus.RoleOperator},
		{"the role of the default application", map[string]string{bus.DefaultApp: bus.RoleWatcher}, "other", bus.RoleWatcher},
		{"what belongs to no application", map[string]string{bus.AnyApp: bus.RoleAdmin}, "", bus.RoleAdmin},
		{"none", map[string]string{"shop": bus.RoleAdmin}, "other", ""},
	} {
		u := bus.User{Roles: tt.roles}
		if got := u.Role(tt.app); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
