package execution

import (
	"context"
	"errors"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// showTimeout is how long Stop and Abandon wait for the read model to show what
// RESULTS decided.
const showTimeout = 2 * time.Second

// Stop writes a stop request to the record, which holds from then on. A waiting
// execution is stopped. For a running one, the bus sends the command to the
// agent until its heartbeats no longer name the execution. A failed execution
// that awaits its retry is not restarted. The error is a StateError
// job_execution_not_running if the execution has ended otherwise.
func (s *Service) Stop(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	e, err := s.changeRecord(ctx, app, job, id, func(e *bus.Execution) (bool, error) {
		if e.AwaitsRetry() {
			e.EndRetry("it was stopped")
			return true, nil
		}
		if e.BatchStatus.Ended() {
			return false, bus.State(bus.CodeNotRunning, "execution %d has ended: it is %s", id, e.BatchStatus)
		}
		return requestStop(e), nil
	})
	if err != nil {
		return nil, err
	}
	s.tryToStop(ctx, e)
	return s.recordAfterStop(ctx, e), nil
}

// requestStop sets the stop request in a record. It returns false if the record
// already has it.
func requestStop(e *bus.Execution) bool {
	if e.StopRequest == bus.StopRequested {
		return false
	}
	e.StopRequest, e.UpdateTime = bus.StopRequested, subjects.Now()
	if e.BatchStatus.Running() {
		e.BatchStatus = subjects.Stopping
	}
	return true
}

// tryToStop carries out a stop request now. If that fails, the recoverer does
// it later.
func (s *Service) tryToStop(ctx context.Context, e *bus.Execution) {
	if err := s.carryOutStop(ctx, e); err != nil {
		s.b.Log.Warn("stop not carried out, the recoverer retries", "app", e.App, "job", e.Job, "execution", e.ID, "err", err)
	}
}

// carryOutStop carries out a stop request according to the last result.
func (s *Service) carryOutStop(ctx context.Context, e *bus.Execution) error {
	for {
		start := time.Now()
		last, err := s.readLastResult(ctx, e, subjects.Undispatched)
		if err != nil {
			return err
		}
		switch {
		case last.BatchStatus.Ended():
			return nil
		case last.BatchStatus.Running():
			s.agents.Send(ctx, last.Agent, subjects.StopCommand, subjects.Command{ID: e.ID, Attempt: last.Attempt})
			return nil
		}
		if err := checkStepTime(start); err != nil {
			return err
		}
		_, err = s.b.PublishResult(ctx, s.busResult(e, last, subjects.Stopped, ""), last.Sequence)
		if err == nil {
			s.purgeRequest(ctx, e)
		}
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
}

// readLastResult reads the newest result of an execution. Its status, attempt
// and agent are those that the execution has since then, as the result may not
// count (see isTaken). If there is none, it returns a result with the status
// otherwise.
func (s *Service) readLastResult(ctx context.Context, e *bus.Execution, otherwise subjects.BatchStatus) (*bus.StoredResult, error) {
	r, err := s.b.LastResult(ctx, e.App, e.Job, e.ID)
	if errors.Is(err, bus.ErrNotFound) {
		return &bus.StoredResult{Result: subjects.Result{BatchStatus: otherwise}}, nil
	}
	if err != nil || r.Agent == subjects.Bus {
		return r, err
	}
	now := *e
	if now.LastSequence < r.Sequence {
		if _, err := s.foldUpTo(ctx, &now, r); err != nil {
			return nil, err
		}
	}
	r.BatchStatus, r.Attempt, r.Agent = now.BatchStatus, now.Attempt, now.Agent
	return r, nil
}

// busResult returns a result of the bus itself that follows last.
func (s *Service) busResult(e *bus.Execution, last *bus.StoredResult, status subjects.BatchStatus, why string) *subjects.Result {
	return &subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: last.Attempt, BatchStatus: status, Exception: why, Time: subjects.Now(),
	}
}

// recordAfterStop reads the record after the decision is folded in, or returns
// e.
func (s *Service) recordAfterStop(ctx context.Context, e *bus.Execution) *bus.Execution {
	if e.BatchStatus.Waiting() {
		wait, cancel := context.WithTimeout(ctx, showTimeout)
		defer cancel()
		_, _ = s.x.WaitEnd(wait, e.ID) // after the timeout, return the record as it is
	}
	if now, err := s.Get(ctx, e.App, e.Job, e.ID); err == nil {
		e = now
	}
	return e
}

// Abandon marks a waiting, stopped or failed execution as abandoned, so that it
// cannot be restarted. StateErrors: job_execution_is_running,
// job_execution_already_complete.
func (s *Service) Abandon(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	for {
		start := time.Now()
		e, err := s.Get(ctx, app, job, id)
		if err != nil {
			return nil, err
		}
		last, err := s.readLastResult(ctx, e, e.BatchStatus)
		if err != nil {
			return nil, err
		}
		switch {
		case last.BatchStatus == subjects.Abandoned:
			return s.waitAbandoned(ctx, e)
		case last.BatchStatus == subjects.Completed:
			return nil, bus.State(bus.CodeAlreadyComplete, "execution %d has completed", id)
		case last.BatchStatus.Running():
			return nil, bus.State(bus.CodeIsRunning, "execution %d is %s: stop it first", id, last.BatchStatus)
		case last.BatchStatus.Ended() && e.RestartedBy != 0:
			return nil, bus.State(bus.CodeNotMostRecent, "execution %d was restarted as %d", id, e.RestartedBy)
		}
		if e.Retry != nil && last.BatchStatus.Ended() && !e.BatchStatus.Ended() {
			// The record does not say yet whether there is a retry.
			if err := s.foldEnd(ctx, e, last); err != nil {
				return nil, err
			}
			continue
		}
		if e.AwaitsRetry() {
			if err := s.abandonRetry(ctx, e); err != nil {
				return nil, err
			}
		}
		if err := checkStepTime(start); err != nil {
			return nil, err
		}
		_, err = s.b.PublishResult(ctx, s.busResult(e, last, subjects.Abandoned, ""), last.Sequence)
		if err == nil {
			if !last.BatchStatus.Ended() {
				s.purgeRequest(ctx, e)
			}
			return s.waitAbandoned(ctx, e)
		}
		if !errors.Is(err, bus.ErrChanged) {
			return nil, err
		}
	}
}

// waitAbandoned waits until the record shows the abandon.
func (s *Service) waitAbandoned(ctx context.Context, e *bus.Execution) (*bus.Execution, error) {
	for end := time.Now().Add(showTimeout); ; {
		if sum, ok := s.x.Find(e.ID); !ok || sum.BatchStatus == subjects.Abandoned || time.Now().After(end) {
			return s.Get(ctx, e.App, e.Job, e.ID)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return e, nil
		}
	}
}
