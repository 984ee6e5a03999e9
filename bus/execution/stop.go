package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// shown is how long Stop and Abandon wait for the read model to show what RESULTS decided.
const shown = 2 * time.Second

// Stop keeps the wish in the record, and from then on it holds: who waits is stopped, an agent is told
// until its heartbeats no longer name the execution. The error is a StateError job_execution_not_running if it has ended.
func (s *Service) Stop(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	e, err := s.change(ctx, app, job, id, func(e *bus.Execution) (bool, error) {
		if e.BatchStatus.Ended() {
			return false, bus.State(bus.CodeNotRunning, "execution %d has ended: it is %s", id, e.BatchStatus)
		}
		return wishStop(e), nil
	})
	if err != nil {
		return nil, err
	}
	s.tryToStop(ctx, e)
	return s.whatIs(ctx, e), nil
}

// wishStop keeps the wish in a record. It returns false if it is there.
func wishStop(e *bus.Execution) bool {
	if e.Wish == bus.WishStop {
		return false
	}
	e.Wish, e.UpdateTime = bus.WishStop, subjects.Now()
	if e.BatchStatus.Running() {
		e.BatchStatus = subjects.Stopping
	}
	return true
}

// tryToStop does at once what the wish asks for. If it fails the recoverer goes on with it.
func (s *Service) tryToStop(ctx context.Context, e *bus.Execution) {
	if err := s.pursue(ctx, e); err != nil {
		s.b.Log.Warn("stop not carried out yet", "app", e.App, "job", e.Job, "execution", e.ID, "err", err)
	}
}

// pursue does what the wish to stop asks for, by what RESULTS says.
func (s *Service) pursue(ctx context.Context, e *bus.Execution) error {
	for {
		start := time.Now()
		last, err := s.last(ctx, e, subjects.Undispatched)
		if err != nil {
			return err
		}
		switch {
		case last.BatchStatus.Ended():
			return nil
		case last.BatchStatus.Running():
			return s.command(ctx, last.Agent, subjects.StopCommand, subjects.Command{ID: e.ID, Attempt: last.Attempt})
		}
		if err := fresh(start); err != nil {
			return err
		}
		_, err = s.b.PublishResult(ctx, s.decided(e, last, subjects.Stopped, ""), last.Sequence)
		if err == nil {
			s.unqueue(ctx, e)
		}
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
}

// last is the newest result of an execution; without one, otherwise is its status.
func (s *Service) last(ctx context.Context, e *bus.Execution, otherwise subjects.BatchStatus) (*bus.StoredResult, error) {
	r, err := s.b.LastResult(ctx, e.App, e.Job, e.ID)
	if errors.Is(err, bus.ErrNotFound) {
		return &bus.StoredResult{Result: subjects.Result{BatchStatus: otherwise}}, nil
	}
	return r, err
}

// decided is a result of the bus itself that follows last.
func (s *Service) decided(e *bus.Execution, last *bus.StoredResult, status subjects.BatchStatus, why string) *subjects.Result {
	return &subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: last.Attempt, BatchStatus: status, Exception: why, Time: subjects.Now(),
	}
}

// command asks an agent to do something. That nobody answers is no error: the wish is kept, and told at each heartbeat again.
func (s *Service) command(ctx context.Context, agent, verb string, c subjects.Command) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := s.b.NC.RequestWithContext(ctx, subjects.CommandSubject(agent, verb), data); err != nil {
		s.b.Log.Debug("command not answered", "agent", agent, "verb", verb, "execution", c.ID, "err", err)
	}
	return nil
}

// whatIs reads the record after what was decided is folded in, or says what is known.
func (s *Service) whatIs(ctx context.Context, e *bus.Execution) *bus.Execution {
	if e.BatchStatus.Waiting() {
		wait, cancel := context.WithTimeout(ctx, shown)
		defer cancel()
		_, _ = s.x.WaitEnd(wait, e.ID) // not shown in time: the answer says what the record says
	}
	if now, err := s.Get(ctx, e.App, e.Job, e.ID); err == nil {
		e = now
	}
	return e
}

// Abandon gives an execution up that waits, or has stopped or failed, so that it cannot be restarted. StateErrors:
// job_execution_is_running, job_execution_already_complete.
func (s *Service) Abandon(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	for {
		start := time.Now()
		e, err := s.Get(ctx, app, job, id)
		if err != nil {
			return nil, err
		}
		last, err := s.last(ctx, e, e.BatchStatus)
		if err != nil {
			return nil, err
		}
		switch {
		case last.BatchStatus == subjects.Abandoned:
			return s.abandoned(ctx, e)
		case last.BatchStatus == subjects.Completed:
			return nil, bus.State(bus.CodeAlreadyComplete, "execution %d has completed", id)
		case last.BatchStatus.Running():
			return nil, bus.State(bus.CodeIsRunning, "execution %d is %s: stop it first", id, last.BatchStatus)
		case last.BatchStatus.Ended() && e.RestartedBy != 0:
			return nil, bus.State(bus.CodeNotMostRecent, "execution %d was restarted as %d", id, e.RestartedBy)
		}
		if err := fresh(start); err != nil {
			return nil, err
		}
		_, err = s.b.PublishResult(ctx, s.decided(e, last, subjects.Abandoned, ""), last.Sequence)
		if err == nil {
			if !last.BatchStatus.Ended() {
				s.unqueue(ctx, e)
			}
			return s.abandoned(ctx, e)
		}
		if !errors.Is(err, bus.ErrChanged) {
			return nil, err
		}
	}
}

// abandoned waits until the record shows it.
func (s *Service) abandoned(ctx context.Context, e *bus.Execution) (*bus.Execution, error) {
	for end := time.Now().Add(shown); ; {
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
