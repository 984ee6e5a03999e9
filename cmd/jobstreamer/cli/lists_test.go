package cli

import (
	"fmt"
	"strings"
	"testing"
)

func TestListsAreWholeOrSayWhatIsLeft(t *testing.T) {
	e, _ := withBus(t)
	for i := range 70 {
		e.applyFiles(t, fmt.Sprintf("j%02d", i), "Noop")
	}
	for _, c := range []struct {
		line  string
		count int
		more  string
	}{
		{"job list -o json", 70, ""}, {"job list -o yaml", 70, ""}, {"job list -o edn", 70, ""},
		{"job list -o json --limit 20", 20, "showing 1 to 20 of 70; see the others with --limit and --offset\n"},
		{"job list -o edn --limit 20 --offset 11", 20, "showing 11 to 30 of 70; see the others with --limit and --offset\n"},
		{"job list -o yaml --limit 20 --offset 51", 20, ""},
	} {
		got := e.runOnce(t.Context(), strings.Fields(c.line)...)
		n := strings.Count(got.out, `restartable`)
		if got.failed != nil || n != c.count || got.err != c.more {
			t.Errorf("%s: %d jobs, %q, %v; want %d and %q", c.line, n, got.err, got.failed, c.count, c.more)
		}
	}
	if got := e.runOnce(t.Context(), "job", "list"); !strings.HasSuffix(got.out, "\nshowing 1 to 50 of 70; see the others with --limit and --offset\n") || strings.Count(got.out, "\n") != 52 {
		t.Errorf("a table:\n%s", got.out)
	}
}

// An invalid filter must not select everything: other commands that change jobs
// may read the list.
func TestFiltersThatAreNotUnderstoodAreRefused(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "nightly", "Noop")
	for line, want := range map[string]string{
		"job list --status fail":     "--status \"fail\": want one of registered, undispatched, unrestarted, queued, starting, started, stopping, unknown, stopped, failed, completed, abandoned\n",
		"job list status:failed":     "q: want since:, until:, batch-status: or exit-status:, or a part of a job's name, got status:failed\n",
		"job list night since:today": "q: want a date in UTC, such as 2026-11-24, got since:today\n",
		"job list since:2026-13-01":  "q: want a date in UTC, such as 2026-11-24, got since:2026-13-01\n",
		"job list pool:a2":           "q: want since:, until:, ",
		"job list batch-status:fail": "q: want batch-status: with one of registered, undispatched, ",
		"job list --sort newest":     "sort_by: want name, ",
		"job list --sort newest x":   "sort_by: want name, ",
	} {
		for _, format := range outputs {
			got := e.runOnce(t.Context(), append(strings.Fields(line), "-o", format)...)
			if got.failed == nil || got.out != "" || !strings.HasPrefix(got.err, want) {
				t.Errorf("%s -o %s: %+v, want %q", line, format, got, want)
			}
		}
	}
	for line, want := range map[string]string{
		"job list --status Failed":              "No job matches; list all with `jobstreamer job list`.\n",
		"job list x --app default":              "No job matches; list all with `jobstreamer job list --app default`.\n",
		"job list batch-status:unknown -o json": "{\n  \"results\": [],\n",
	} {
		if got := e.runOnce(t.Context(), strings.Fields(line)...); got.failed != nil || got.err != "" || !strings.HasPrefix(got.out, want) {
			t.Errorf("%s: %+v, want %q", line, got, want)
		}
	}
}
