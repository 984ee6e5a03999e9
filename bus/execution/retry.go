package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A retry is a restart by the bus. Its time is in the record of the failed
// execution: the write that records the end also records the time, so no bus
// can die between them. When the time has come, the recoverer restarts the
// execution as a user would. The compare-and-set of restarted_by in that record
// makes it happen once, whichever buses try, and whether a user restarts the
// execution at the same time. A restart that was recorded but not submitted is
// completed by the recoverer.

// maxRetries is the number of retries that one round of the recoverer starts at
// most.
const maxRetries = 500

// retryOf returns the retry in a definition as a record has it, or nil.
func retryOf(j *jsl.Job) *bus.Retry {
	if j.Retry == nil {
		return nil
	}
	r := j.Retry
	return &bus.Retry{Attempts: r.Attempts, Backoff: r.Backoff, MaxBackoff: r.MaxBackoff, On: r.On, NotOn: r.NotOn, Run: 1}
}

// setPolicies sets what the bus keeps of a definition in the record.
func setPolicies(rec *bus.Execution, j *jsl.Job) {
	rec.Retry = retryOf(j)
	var needs []bus.Need
	for _, use := range j.Limits {
		needs = append(needs, bus.Need{Limit: use.Name, Units: use.Units})
	}
	rec.Limits = bus.NeedsOf(needs)
	if timeout, grace := j.RunLimit(); timeout > 0 {
		rec.TimeoutMS, rec.GraceMS = timeout.Milliseconds(), grace.Milliseconds()
	}
}

// isRetry reports whether the bus started the execution as a retry.
func isRetry(e *bus.Execution) bool { return e.Retry != nil && e.Retry.Run > 1 }

// planRetry sets when the bus restarts an execution that ended with r, or why
// it does not.
func planRetry(e *bus.Execution, r *bus.StoredResult) {
	if e.Retry == nil {
		return
	}
	if e.BatchStatus != subjects.Failed {
		e.RetryDue = 0
		return
	}
	p := jsl.Retry{Attempts: e.Retry.Attempts, Backoff: e.Retry.Backoff, MaxBackoff: e.Retry.MaxBackoff, On: e.Retry.On, NotOn: e.Retry.NotOn}
	switch {
	case e.StopRequest == bus.StopRequested:
		e.EndRetry("it was to be stopped")
	case !p.Matches(failedExits(e)...):
		e.EndRetry("not with the exit status " + strings.Join(failedExits(e), ", "))
	case e.Retry.Run >= p.Attempts:
		e.EndRetry(fmt.Sprintf("it was the last of %d runs", p.Attempts))
	default:
		// The time of the result is that of the agent, whose clock may be fast.
		end := min(r.Time, subjects.Now()).Std()
		e.RetryDue = subjects.TimeOf(end.Add(p.Delay(e.Retry.Run)))
	}
}

// failedExits returns the exit statuses of a failed execution and of its steps
// that failed, each once.
func failedExits(e *bus.Execution) []string {
	exits := []string{e.ExitStatus}
	for _, s := range e.StepExecutions {
		if s.BatchStatus == subjects.Failed && !slices.Contains(exits, s.ExitStatus) {
			exits = append(exits, s.ExitStatus)
		}
	}
	return exits
}

// rebuildPolicies sets the retry, the limits and the timeout of a record that was rebuilt
// from a claim. Nobody has stored the definition that the execution began with,
// so the present one counts.
func (p *projector) rebuildPolicies(ctx context.Context, rec *bus.Execution) error {
	_, parsed, ok := p.x.Definition(rec.App, rec.Job)
	if !ok {
		return nil
	}
	if setPolicies(rec, parsed); rec.Retry == nil || rec.RestartOf == 0 {
		return nil
	}
	old, err := p.b.Executions.Get(ctx, bus.ExecutionKey(rec.App, rec.Job, rec.RestartOf))
	switch {
	case errors.Is(err, bus.ErrNotFound):
	case err != nil:
		return err
	case old.Value.RestartedBy == rec.ID:
		rec.Retry.Run = max(1, old.Value.RestartRun)
	}
	return nil
}

// checkRun returns a StateError if the present definition does not allow the
// automatic retry with this number. If run is 0, the restart is no retry.
func checkRun(old *bus.Execution, parsed *jsl.Job, run int) error {
	switch {
	case run == 0:
		return nil
	case parsed.Retry == nil:
		return bus.State(bus.CodeRestartRefused, "the job %s has no retry any more", bus.JobKey(old.App, parsed.ID))
	case parsed.Retry.Attempts < run:
		return bus.State(bus.CodeRestartRefused, "the retry of the job %s now allows %d runs only", bus.JobKey(old.App, parsed.ID), parsed.Retry.Attempts)
	}
	return nil
}

// retryExecution restarts a failed execution whose retry is due. What fails for
// a passing reason, such as the lock of an exclusive job, is tried again in the
// next round.
func (r *recoverer) retryExecution(ctx context.Context, d index.DueRetry) {
	log := r.s.b.Log.With("app", d.App, "job", d.Job, "execution", d.ID)
	start := time.Now()
	old, err := r.s.Get(ctx, d.App, d.Job, d.ID)
	if bus.HasCode(err, bus.CodeNoSuchExecution) || err == nil && !old.AwaitsRetry() {
		return
	}
	var e *bus.Execution
	if err == nil {
		e, _, err = r.s.restartAs(ctx, old, nil, old.Retry.Run+1, start)
	}
	var field *bus.FieldError
	switch {
	case err == nil:
		log.Info("failed execution is retried", "retried_as", e.ID, "run", old.Retry.Run+1, "of", old.Retry.Attempts)
		return
	case bus.HasCode(err, bus.CodeExclusive), bus.HasCode(err, bus.CodeNotMostRecent), bus.HasCode(err, bus.CodeNoSuchExecution), ctx.Err() != nil:
		return
	case bus.HasCode(err, bus.CodeNoSuchJob), bus.HasCode(err, bus.CodeStartRefused), bus.HasCode(err, bus.CodeRestartRefused), errors.As(err, &field):
		err = r.s.endRetry(ctx, old, err.Error())
	}
	if err != nil {
		log.Warn("failed execution not retried yet", "err", err)
	}
}

// endRetry records why an execution is not going to be retried.
func (s *Service) endRetry(ctx context.Context, e *bus.Execution, why string) error {
	_, err := s.changeRecord(ctx, e.App, e.Job, e.ID, func(e *bus.Execution) (bool, error) {
		if !e.AwaitsRetry() {
			return false, nil
		}
		e.EndRetry(why)
		return true, nil
	})
	if bus.HasCode(err, bus.CodeNoSuchExecution) {
		return nil
	}
	return err
}

// abandonRetry ends the retry of an execution before it is abandoned, so that
// no bus restarts it in between. The error is a StateError if it was restarted.
func (s *Service) abandonRetry(ctx context.Context, e *bus.Execution) error {
	_, err := s.changeRecord(ctx, e.App, e.Job, e.ID, func(e *bus.Execution) (bool, error) {
		if e.RestartedBy != 0 {
			return false, bus.State(bus.CodeNotMostRecent, "execution %d was restarted as %d", e.ID, e.RestartedBy)
		}
		e.EndRetry("it was abandoned")
		return true, nil
	})
	return err
}

// foldEnd folds the end of an execution into its record, and waits until the
// record has it.
func (s *Service) foldEnd(ctx context.Context, e *bus.Execution, last *bus.StoredResult) error {
	stored, err := s.b.LastResult(ctx, e.App, e.Job, e.ID)
	if err != nil {
		return err
	}
	s.p.addResult(pendingResult{stored, nil})
	ctx, cancel := context.WithTimeout(ctx, bus.AckTimeout)
	defer cancel()
	if _, err := s.x.WaitEnd(ctx, e.ID); err != nil {
		return fmt.Errorf("record the end of %d after %d: %w: %w", e.ID, last.Sequence, bus.ErrUnknown, err)
	}
	return nil
}
