package jobflow_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// slow is a runner whose steps take weeks.
type slow struct{ idle }

func (s slow) Fork() jobflow.Runner { return s }

func (slow) RunStep(_ context.Context, _ *jsl.Step, x *subjects.StepExecution) {
	time.Sleep(500 * time.Hour) // fake
	x.BatchStatus = subjects.Completed
}

// A split waits for its flows without a limit (8.4).
func TestLongSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := &jsl.Job{ID: "job", Elements: []jsl.Element{&jsl.Split{ID: "s", Flows: []*jsl.Flow{chain("f", 3), chain("g", 1)}}}}
		begin := time.Now()
		if o := jobflow.Run(t.Context(), job, jobflow.Start{}, slow{}); o.BatchStatus != subjects.Completed {
			t.Errorf("the job is %+v", o)
		}
		if took := time.Since(begin); took != 1500*time.Hour {
			t.Errorf("it took %v, want the time of the longest flow", took)
		}
	})
}
