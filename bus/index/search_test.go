package index

import (
	"errors"
	"testing"

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
