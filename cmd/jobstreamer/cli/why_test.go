package cli

import (
	"strings"
	"testing"
)

func TestWhy(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "nightly", "Noop")
	why := func(args ...string) outcome { return e.runOnce(t.Context(), append([]string{"why"}, args...)...) }
	if got := why("nightly"); got.out != "The job has no schedule and no triggers: it runs only when somebody starts it.\n" {
		t.Errorf("%+v", got)
	}
	for _, args := range [][]string{{"schedule", "set", "nightly", "0 0 2 * * ?"}, {"schedule", "set", "nightly", "0 0 3 * * ?", "--name", "late"}} {
		if got := e.runOnce(t.Context(), args...); got.failed != nil {
			t.Fatalf("%+v", got)
		}
	}
	got := why("nightly", "2001-01-01 12:00")
	if !strings.HasPrefix(got.out, "2001-01-01 02:00:00 UTC was before the schedule was stored") || !strings.Contains(got.out, "\nSchedule late: 2001-01-01 03:00:00 UTC was before") {
		t.Errorf("%+v", got)
	}
	if got := why("nightly", "2001-01-01", "-o", "json"); !strings.Contains(got.out, `"outcome": "edited"`) || !strings.Contains(got.out, `"at": "2001-01-02T00:00:00`) {
		t.Errorf("%+v", got)
	}
	if got := why("nightly", "noon"); got.failed == nil || !strings.Contains(got.failed.Error(), `TIME "noon": want`) {
		t.Errorf("%+v", got)
	}
	if got := why("none"); got.failed == nil || !strings.Contains(got.failed.Error(), "none") {
		t.Errorf("%+v", got)
	}

	if got := e.runOnce(t.Context(), "run", "nightly"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	got = e.runOnce(t.Context(), "execution", "list", "-o", "json")
	_, id, _ := strings.Cut(got.out, `"execution_id": `)
	id, _, _ = strings.Cut(id, ",")
	if got := why(id); !strings.HasPrefix(got.out, "Execution "+id+" of nightly is undispatched.\n  It was started through the API at ") {
		t.Errorf("%+v", got)
	}
	if got := why(id, "02:00"); got.failed == nil || !strings.Contains(got.failed.Error(), "want none after the number of an execution") {
		t.Errorf("%+v", got)
	}
}
