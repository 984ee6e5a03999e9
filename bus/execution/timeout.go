package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// An execution that runs longer than its timeout is stopped. The bus first
// writes to the record that it has timed out, then commands the stop. From that
// write on, a result "stopped" counts as failed with the exit status TIMEOUT. If
// the execution has not ended after its grace, the bus publishes that end
// itself, after the last result: the broker refuses what the agent says later.

// endOverdue stops an execution that runs longer than its timeout, or ends it
// after its grace.
func (r *recoverer) endOverdue(ctx context.Context, l index.Live) error {
	start := time.Now()
	e, err := r.s.Get(ctx, l.App, l.Job, l.ID)
	if bus.HasCode(err, bus.CodeNoSuchExecution) {
		return nil
	}
	if err != nil || e.BatchStatus.Ended() {
		return err
	}
	last, err := r.s.readLastResult(ctx, e, subjects.Undispatched)
	if err != nil || last.BatchStatus.Ended() { // the projector records the end
		return err
	}
	if e.TimedOut == 0 {
		if e, err = r.s.markTimedOut(ctx, e); err != nil || e.BatchStatus.Ended() {
			return err
		}
		r.s.b.Log.Warn("execution runs longer than its timeout", "app", e.App, "job", e.Job, "execution", e.ID, "timeout", timeoutOf(e))
		if last.BatchStatus.Running() {
			r.s.agents.Send(ctx, last.Agent, subjects.StopCommand, subjects.Command{ID: e.ID, Attempt: last.Attempt})
		}
	}
	grace := time.Duration(e.GraceMS) * time.Millisecond
	if last.BatchStatus.Running() && time.Since(e.TimedOut.Std()) < grace && !r.s.agents.IsLost(last.Agent, e.ID, last.Attempt) {
		return nil // the registry repeats the command
	}
	if err := checkStepTime(start); err != nil {
		return err
	}
	return r.fenceOverdue(ctx, e, last)
}

// fenceOverdue ends an execution that ran longer than its timeout, if last is
// still its last result.
func (r *recoverer) fenceOverdue(ctx context.Context, e *bus.Execution, last *bus.StoredResult) error {
	end := r.s.busResult(e, last, subjects.Failed, timeoutReason(e)+fmt.Sprintf(", and had not ended %v later", time.Duration(e.GraceMS)*time.Millisecond))
	if !last.BatchStatus.Running() {
		end.Exception = timeoutReason(e) + ", and waited for its next attempt"
	}
	end.ExitStatus = bus.TimeoutExit
	_, err := r.s.b.PublishResult(ctx, end, last.Sequence)
	if errors.Is(err, bus.ErrChanged) { // it has ended, or another bus decided
		return nil
	}
	if err == nil && !last.BatchStatus.Running() {
		r.s.purgeRequest(ctx, e)
	}
	return err
}

// markTimedOut writes to the record that the execution has timed out.
func (s *Service) markTimedOut(ctx context.Context, e *bus.Execution) (*bus.Execution, error) {
	return s.changeRecord(ctx, e.App, e.Job, e.ID, func(e *bus.Execution) (bool, error) {
		if e.TimedOut != 0 || e.BatchStatus.Ended() {
			return false, nil
		}
		e.TimedOut = subjects.Now()
		e.UpdateTime = e.TimedOut
		if e.BatchStatus.Running() {
			e.BatchStatus = subjects.Stopping
		}
		return true, nil
	})
}

// isStopping reports whether the execution is to stop.
func isStopping(e *bus.Execution) bool {
	return e.StopRequest == bus.StopRequested || e.TimedOut != 0
}

// asTimedOut returns r as it counts for e. If e ran longer than its timeout,
// stopped counts as failed.
func asTimedOut(e *bus.Execution, r *bus.StoredResult) *bus.StoredResult {
	if e.TimedOut == 0 || r.BatchStatus != subjects.Stopped {
		return r
	}
	failed := *r
	failed.BatchStatus, failed.ExitStatus, failed.Exception = subjects.Failed, bus.TimeoutExit, timeoutReason(e)
	return &failed
}

func timeoutOf(e *bus.Execution) time.Duration { return time.Duration(e.TimeoutMS) * time.Millisecond }

func timeoutReason(e *bus.Execution) string {
	return fmt.Sprintf("it ran longer than its timeout of %v", timeoutOf(e))
}
