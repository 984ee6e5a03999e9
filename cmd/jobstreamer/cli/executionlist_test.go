package cli

import (
	"fmt"
	"strings"
	"testing"
)

// executionIDs returns the first words of the rows of a table.
func (o outcome) executionIDs() (ids string) {
	for line := range strings.Lines(o.out) {
		if f := strings.Fields(line); len(f) > 1 && line[0] == ' ' {
			ids += f[0] + " "
		}
	}
	return strings.TrimSpace(ids)
}

func TestExecutionListOverAllJobs(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "night-1", "Noop")
	e.applyFiles(t, "night-2", "Noop")
	for _, line := range []string{"run night-1 -p date=1", "run night-2 -p date=2", "run night-2 -p date=1", "execution abandon 2"} {
		if got := e.runOnce(t.Context(), strings.Fields(line)...); got.failed != nil {
			t.Fatalf("%s: %+v", line, got)
		}
	}
	for line, want := range map[string]string{
		"":                              "3 2 1",
		"night-2":                       "3 2",
		"--job *-1":                     "1",
		"--status undispatched":         "3 1",
		"--status abandoned,started":    "2",
		"--status Abandoned":            "2",
		"--exit-status ABAN*":           "2",
		"--parameter date=1":            "3 1",
		"-p date=1 --status abandoned":  "",
		"--since 2h":                    "3 2 1",
		"--since 3h --until 2h":         "",
		"--until yesterday":             "",
		"--after 2":                     "1",
		"-p date=1 --after 3":           "1",
		"--agent a2":                    "",
		"--limit 1":                     "3",
		"--limit 1 --offset 2":          "2",
		"night-2 --status undispatched": "3",
	} {
		got := e.runOnce(t.Context(), append([]string{"execution", "list"}, strings.Fields(line)...)...)
		if got.failed != nil || got.executionIDs() != want {
			t.Errorf("execution list %s: %q, want %q\n%+v", line, got.executionIDs(), want, got)
		}
		if want == "" && got.out != "No execution matches.\n" {
			t.Errorf("execution list %s: %s", line, got.out)
		}
	}
	for line, want := range map[string]string{
		"--status fail":         `--status "fail": want one of `,
		"--status=":             "--status: want one of",
		"--since tonight":       `--since "tonight": want 18:00 (its latest occurrence), today, yesterday`,
		"--since=":              `--since "": want 18:00`,
		"--until 2026-13-01":    `--until "2026-13-01": want`,
		"--since 1h --until 2h": "--until 2h: want a time after --since 1h",
		"--job=":                "--job: want a value",
		"--agent=":              "--agent: want a value",
		"--exit-status=":        "--exit-status: want a value",
		"--parameter date":      `--parameter "date": want NAME=VALUE`,
		"--after x":             `"x": want an execution number`,
		"--after 2 --offset 3":  "--offset cannot be combined with --after",
		"night-1 --job night-2": "--job cannot be combined with the argument night-1",
		"none --status failed":  "there is no job none",
		"-p date=1 --offset 2":  "--offset cannot be combined with",
	} {
		got := e.runOnce(t.Context(), append([]string{"execution", "list"}, strings.Fields(line)...)...)
		if got.failed == nil || !strings.Contains(got.err, want) || got.out != "" {
			t.Errorf("execution list %s: %+v, want %s", line, got, want)
		}
	}
	got := e.runOnce(t.Context(), "execution", "list", "--limit", "1")
	if !strings.HasSuffix(got.out, "\nshowing 1 to 1 of 3; see more with --limit, or the next page with --after 3\n") {
		t.Error(got.out)
	}
	if got := e.runOnce(t.Context(), "execution", "list", "-o", "json", "--limit", "1"); !strings.Contains(got.err, "--after 3") || !strings.Contains(got.out, `"next": "3"`) {
		t.Errorf("%+v", got)
	}
}

// A waiting command prints the reason why an execution waits.
func TestWhatAnExecutionWaitsFor(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "j", "Noop")
	const why = "no agent serves pool default of application default"
	got := e.runOnce(t.Context(), "run", "j", "--wait", "--timeout", "3s")
	if want := "Execution 1 of j is waiting: " + why + ".\n"; strings.Count(got.err, want) != 1 {
		t.Errorf("run --wait: %+v, want %s", got, want)
	}
	got = e.runOnce(t.Context(), "execution", "wait", "1", "--follow", "--timeout", "3s")
	if want := "Execution 1 of j is waiting: " + why + ".\n"; strings.Count(got.err, want) != 1 {
		t.Errorf("execution wait --follow: %+v, want %s", got, want)
	}
	if got := e.runOnce(t.Context(), "run", "j"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	got = e.runOnce(t.Context(), "execution", "show", "2")
	want := fmt.Sprintf("Waiting for   %s\n              position 2 in the queue of its pool\n", why)
	if !strings.Contains(got.out, want) {
		t.Errorf("execution show:\n%s\nwant\n%s", got.out, want)
	}
}
