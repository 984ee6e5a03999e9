package index

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A condition that is not understood is reported; the others hold.
func TestConditionsOnTheLatestExecution(t *testing.T) {
	match, wrong := ParseConditions([]string{"batch-status:FAILED", "since:yesterday", "exit_status:no_"})
	if len(wrong) != 1 || wrong[0].Got != "since:yesterday" || wrong[0].Want != wantDay {
		t.Errorf("wrong: %v", wrong)
	}
	for _, tc := range []struct {
		latest *Summary
		want   bool
	}{
		{nil, false},
		{&Summary{BatchStatus: subjects.Failed, ExitStatus: "NO_FILE"}, true},
		{&Summary{BatchStatus: subjects.Completed, ExitStatus: "NO_FILE"}, false},
		{&Summary{BatchStatus: subjects.Failed, ExitStatus: "FAILED"}, false},
	} {
		if got := match(&Job{Latest: tc.latest}); got != tc.want {
			t.Errorf("%+v: %v, want %v", tc.latest, got, tc.want)
		}
	}
	if match, _ := ParseConditions(nil); match != nil {
		t.Error("no condition selects jobs that have an execution")
	}
}

// Days are days of UTC. The first moment of a day belongs to it.
func TestEachConditionAtItsEdges(t *testing.T) {
	t.Parallel()
	at := func(s string) subjects.Time {
		if s == "" {
			return 0
		}
		parsed, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return subjects.TimeOf(parsed)
	}
	for _, tt := range []struct {
		word       string
		start, end string
		status     subjects.BatchStatus
		exit       string
		want       bool
	}{
		{"since:2026-11-24", "2026-11-24T00:00:00Z", "", subjects.Started, "", true},
		{"since:2026-11-24", "2026-11-23T23:59:59.999Z", "2026-11-25T00:00:00Z", subjects.Failed, "", false},
		{"since:2026-11-24", "2026-11-24T00:30:00+01:00", "", subjects.Started, "", false},
		{"since:1969-01-01", "", "", subjects.Undispatched, "", false},
		{"until:2026-11-24", "2026-11-01T00:00:00Z", "2026-11-24T23:59:59.999Z", subjects.Failed, "", true},
		{"until:2026-11-24", "2026-11-01T00:00:00Z", "2026-11-25T00:00:00Z", subjects.Failed, "", false},
		{"until:2026-12-31", "2026-11-01T00:00:00Z", "2026-12-31T12:00:00Z", subjects.Failed, "", true},
		{"until:2999-01-01", "2026-11-24T00:00:00Z", "", subjects.Started, "", false},
		{"exit-status:space", "", "", subjects.Failed, "NO_SPACE", true},
		{"exit_status:no_space", "", "", subjects.Failed, "No_Space_Left", true},
		{"exit-status:a:b", "", "", subjects.Failed, "xA:Bx", true},
		{"exit-status:ß", "", "", subjects.Failed, "SPASS", false},
		{"exit-status:夜", "", "", subjects.Failed, "今夜", true},
		{"exit-status:space", "", "", subjects.Failed, "", false},
		{"batch-status:Completed", "", "", subjects.Completed, "", true},
		{"batch_status:completed", "", "", subjects.Failed, "", false},
	} {
		match, wrong := ParseConditions([]string{tt.word})
		if len(wrong) != 0 {
			t.Errorf("%s: %v", tt.word, wrong[0])
			continue
		}
		latest := &Summary{StartTime: at(tt.start), EndTime: at(tt.end), BatchStatus: tt.status, ExitStatus: tt.exit}
		if got := match(&Job{Latest: latest}); got != tt.want {
			t.Errorf("%s of %+v: %v, want %v", tt.word, latest, got, tt.want)
		}
	}
}

// What is not understood is named, with what would be.
func TestOddConditions(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"":                           "since:, until:",
		":":                          "since:, until:",
		"colour:red":                 "since:, until:",
		"SINCE:2026-11-24":           "since:, until:",
		"\x00:\xff":                  "since:, until:",
		"since":                      "a date",
		"since:":                     "a date",
		"since:2026-02-30":           "a date",
		"until:2026-1-1":             "a date",
		"until: 2026-01-01":          "a date",
		"until:2026-01-01T00:00:00Z": "a date",
		"exit-status":                "part of an exit status",
		"exit-status:":               "part of an exit status",
		"batch-status:":              "batch-status: with one of",
		"batch-status:fail":          "batch-status: with one of",
		"batch-status: failed":       "batch-status: with one of",
	} {
		match, wrong := ParseConditions([]string{word})
		if match != nil || len(wrong) != 1 || !strings.HasPrefix(wrong[0].Want, want) || wrong[0].Got != word {
			t.Errorf("%q: %v, want %q", word, wrong, want)
			continue
		}
		if text := wrong[0].Error(); text != "want "+wrong[0].Want+", got "+word {
			t.Errorf("%q: the error is %q", word, text)
		}
	}
}

// A key that is not understood is reported; the others sort.
func TestOrderOfJobs(t *testing.T) {
	less, err := ParseOrder("colour,last-execution-duration:desc", nil)
	if e, ok := errors.AsType[*QueryError](err); !ok || e.Got != "colour" {
		t.Errorf("%v", err)
	}
	long, short := &Job{Latest: &Summary{StartTime: 1, EndTime: 9}}, &Job{Latest: &Summary{StartTime: 5, EndTime: 9}}
	if less(long, short) >= 0 || less(short, &Job{}) >= 0 {
		t.Error("not sorted by the duration, longest first")
	}
}

// jobsToSort are a, b, c, d and e. The last one never ran.
func jobsToSort() []*Job {
	job := func(name string, status subjects.BatchStatus, start, end subjects.Time) *Job {
		j := &Job{Latest: &Summary{BatchStatus: status, StartTime: start, EndTime: end}}
		j.Name = name
		return j
	}
	e := &Job{}
	e.Name = "e"
	return []*Job{
		job("c", subjects.Started, 300, 0),
		e,
		job("a", subjects.Failed, 200, 280),
		job("d", subjects.Completed, 100, 120),
		job("b", subjects.Failed, 400, 420),
	}
}

func TestEachOrderOfJobs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ by, want string }{
		{"name", "abcde"},
		{"name:asc", "abcde"},
		{"name:desc", "edcba"},
		{"last_execution_started", "edacb"},
		{"last-execution-started:desc", "bcade"},
		{"last_execution_duration", "ecbda"}, // c has not ended; b and d are equal, so by name
		{"last_execution_duration:desc", "abdce"},
		{"last_execution_duration:desc,name:desc", "adbce"},
		{"last_execution_status", "edabc"},
		{" last_execution_status , last_execution_started:desc ", "edbac"},
		{"next_execution_start", "acdbe"}, // a, c and d never fire
		{"next_execution_start:desc,name:desc", "ebdca"},
	} {
		asked := map[string]int{}
		less, err := ParseOrder(tt.by, func(j *Job) subjects.Time {
			asked[j.Name]++
			return map[string]subjects.Time{"b": 10, "e": 20}[j.Name]
		})
		if err != nil {
			t.Errorf("%q: %v", tt.by, err)
			continue
		}
		jobs, got := jobsToSort(), ""
		slices.SortFunc(jobs, less)
		for _, j := range jobs {
			got += j.Name
			if asked[j.Name] > 1 {
				t.Errorf("%q: the next fire of %s was computed %d times", tt.by, j.Name, asked[j.Name])
			}
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.by, got, tt.want)
		}
	}
}

func TestOddOrders(t *testing.T) {
	t.Parallel()
	if less, err := ParseOrder("", nil); less != nil || err != nil {
		t.Errorf("no keys: %v, want the order by name, which is nil", err)
	}
	for by, got := range map[string]string{
		" ": " ", ",": "", "name,": "", "name:up": "name:up", "name:": "none", "Name": "Name", "name:DESC": "name:DESC",
		"name:desc:asc": "name:desc:asc", "last execution started": "last execution started",
	} {
		less, err := ParseOrder(by, nil)
		e, wrong := errors.AsType[*QueryError](err)
		if wrong != (got != "none") || wrong && e.Got != got {
			t.Errorf("%q: %v", by, err)
		}
		jobs := jobsToSort()
		slices.SortFunc(jobs, less)
		if jobs[0].Name != "a" || jobs[4].Name != "e" {
			t.Errorf("%q does not sort by name", by)
		}
	}
}
