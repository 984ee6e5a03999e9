package jobflow

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// runStep runs a step, or skips it if it was completed earlier.
func (en *engine) runStep(ctx context.Context, r Runner, s *jsl.Step) passage {
	b := en.before[s.ID]
	if b != nil && b.BatchStatus == subjects.Completed && !s.AllowStartIfComplete.Or(false) { // rule 3a
		x := EarlierExecution(b)
		r.StepSkipped(x)
		return passage{exitStatus: x.ExitStatus, skipped: true, last: []subjects.StepExecution{x}}
	}
	if limit := s.StartLimit.Or(0); limit > 0 && b != nil && b.Starts >= limit { // 8.2
		return failJob("step %s: it was started %d times, its start limit is %d", s.ID, b.Starts, limit)
	}
	x, err := en.beginStep(r, s, b)
	if err != nil {
		if ctx.Err() != nil {
			return stopOnRequest("")
		}
		return failJob("step %s: %v", s.ID, err)
	}
	callStep(ctx, r, s, &x)
	if x.ExitStatus == "" { // 8.7
		x.ExitStatus = strings.ToUpper(string(x.BatchStatus))
	}
	x.EndTime = subjects.Now()
	r.StepEnded(x)
	if x.BatchStatus == subjects.Stopped {
		return stopOnRequest(x.Exception)
	}
	return passage{
		exitStatus: x.ExitStatus, exception: x.Exception, failed: x.BatchStatus == subjects.Failed,
		last: []subjects.StepExecution{x},
	}
}

// beginStep gives a step execution its id and announces it. Steps of concurrent
// flows begin one after another, so the order of the ids is the order in which
// the runner hears of them.
func (en *engine) beginStep(r Runner, s *jsl.Step, b *subjects.StepState) (subjects.StepExecution, error) {
	en.starting.Lock()
	defer en.starting.Unlock()
	en.lastID++
	x := newExecution(en.lastID, s, b)
	return x, r.StepStarted(x)
}

// newExecution returns an execution of a step. It has what the earlier one, b,
// left for it.
func newExecution(id int64, s *jsl.Step, b *subjects.StepState) subjects.StepExecution {
	x := subjects.StepExecution{ID: id, Step: s.ID, BatchStatus: subjects.Started, StartTime: subjects.Now()}
	if b != nil {
		x.StepData = b.StepData
	}
	goesOn := b != nil && b.BatchStatus != subjects.Completed
	if goesOn && s.Partition != nil {
		// From the start: the bus drops partitions of another number (10.8.5).
		x.PartitionCount = b.PartitionCount
	}
	if goesOn && s.Chunk != nil {
		x.Run = b.Run
	}
	if s.Chunk != nil && x.Run == "" {
		x.Run = rand.Text()
	}
	return x
}

// EarlierExecution returns what is known of the newest execution of a step in
// an earlier attempt or execution of the job.
func EarlierExecution(b *subjects.StepState) subjects.StepExecution {
	return subjects.StepExecution{
		ID: b.ID, Step: b.Step, BatchStatus: b.BatchStatus, ExitStatus: b.ExitStatus,
		StartTime: b.StartTime, EndTime: b.EndTime, Metrics: b.Metrics, StepData: b.StepData, Values: b.Values,
	}
}

// callStep calls the runner. A panic, or a status that is none of an end, fails
// the step.
func callStep(ctx context.Context, r Runner, s *jsl.Step, x *subjects.StepExecution) {
	defer func() {
		if p := recover(); p != nil {
			x.BatchStatus, x.Exception = subjects.Failed, fmt.Sprintf("panic: %v", p)
		}
	}()
	r.RunStep(ctx, s, x)
	switch x.BatchStatus {
	case subjects.Completed, subjects.Failed, subjects.Stopped:
	default:
		x.Exception = fmt.Sprintf("the runtime left the step with the batch status %q", x.BatchStatus)
		x.BatchStatus = subjects.Failed
	}
}
