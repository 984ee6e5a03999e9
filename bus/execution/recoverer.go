package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// recoverer continues what a process left half done. It decides by the last
// result, since the record lags behind:
//
//	no result    request it (an exclusive job: lock, then request), unless it waits for a limit
//	unknown      request the next attempt
//	claimed      if no heartbeat names it: fence it as failed or unknown
//	a stop       stopped, or the command again
//	ended        free the lock and the limits; fold it, if the record does not show it
//	failed       restart it, when its retry is due
//	overdue      stop it; after its grace, fence it as failed
type recoverer struct {
	s       *Service
	checks  map[string]queueCheck // by application
	locksAt time.Time             // when the locks were last checked
}

// queueCheck is when an application's queue was last read, and how long that
// took.
type queueCheck struct {
	asked time.Time
	took  time.Duration
}

func (s *Service) newRecoverer() *recoverer { return &recoverer{s: s, checks: map[string]queueCheck{}} }

// maxParallel bounds how many executions are recovered in parallel.
const maxParallel = 32

func (r *recoverer) runRound(ctx context.Context) error {
	now := time.Now()
	waiting := map[string][]index.Live{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel)
	for _, l := range r.s.x.Live() {
		age := now.Sub(l.UpdateTime.Std())
		switch {
		case l.Deadline != 0 && l.Deadline <= subjects.TimeOf(now):
			g.Go(func() error { return r.endOverdue(gctx, l) })
		case l.BatchStatus.Waiting() && l.StopRequest == "" && r.s.x.AwaitedLimits(l.ID) != "":
		case l.BatchStatus.Waiting() && (age > r.s.cfg.Waiting || l.StopRequest != ""):
			waiting[l.App] = append(waiting[l.App], l)
		case l.BatchStatus.Running() && r.s.agents.IsLost(l.Agent, l.ID, l.Attempt):
			g.Go(func() error { return r.recoverExecution(gctx, l, nil) })
		}
	}
	for app, ones := range waiting {
		queued, err := r.queuedRequests(ctx, app, ones, now)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, l := range ones {
			if queued == nil && l.StopRequest == "" {
				continue
			}
			g.Go(func() error { return r.recoverExecution(gctx, l, queued) })
		}
	}
	for _, d := range r.s.x.DueRetries(subjects.TimeOf(now), maxRetries) {
		g.Go(func() error { r.retryExecution(gctx, d); return nil })
	}
	for _, u := range r.s.x.Unsubmitted() {
		g.Go(func() error { return r.recoverRestart(gctx, u) })
	}
	err := g.Wait()
	if now.Sub(r.locksAt) > r.s.cfg.Waiting {
		r.locksAt = now
		err = errors.Join(err, r.freeLocks(ctx), r.s.limits.freeEnded(ctx))
	}
	return err
}

// queuedRequests returns which executions have a request in the queue. It
// returns nil if the queue was read too recently.
func (r *recoverer) queuedRequests(ctx context.Context, app string, ones []index.Live, now time.Time) (map[int64]bool, error) {
	q := r.checks[app]
	if now.Sub(q.asked) < max(r.s.cfg.Waiting/2, 20*q.took) {
		return nil, nil
	}
	queued, err := r.s.b.QueuedRequests(ctx, app)
	r.checks[app] = queueCheck{now, time.Since(now)}
	return queued, err
}

// recoverExecution recovers one execution. queued is nil if the queue was not
// read.
func (r *recoverer) recoverExecution(ctx context.Context, l index.Live, queued map[int64]bool) error {
	start := time.Now()
	e, err := r.s.Get(ctx, l.App, l.Job, l.ID)
	if bus.HasCode(err, bus.CodeNoSuchExecution) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	stored, err := r.s.b.LastResult(ctx, e.App, e.Job, e.ID)
	if err == nil && stored.Sequence > e.LastSequence {
		// Another bus received these results and died, or is slow: fold them
		// first.
		r.s.p.addResult(pendingResult{stored, nil})
		return nil
	}
	last, err := r.s.readLastResult(ctx, e, subjects.Undispatched)
	if err != nil {
		return err
	}
	if err := checkStepTime(start); err != nil {
		return err
	}
	log := r.s.b.Log.With("app", l.App, "job", l.Job, "execution", l.ID, "attempt", last.Attempt)
	switch {
	case last.BatchStatus.Running() && !r.s.agents.IsLost(last.Agent, l.ID, last.Attempt):
		return nil
	case last.BatchStatus.Ended():
		return nil
	case last.BatchStatus.Waiting() && e.StopRequest == bus.StopRequested:
		return r.s.carryOutStop(ctx, e)
	case last.BatchStatus.Waiting():
		if queued == nil || queued[l.ID] {
			return nil
		}
		log.Info("no request is queued, requesting the attempt again")
		return r.requestNext(ctx, e, last, start)
	}
	return r.fenceAttempt(ctx, e, last, start)
}

// requestNext requests the attempt that follows last.
func (r *recoverer) requestNext(ctx context.Context, e *bus.Execution, last *bus.StoredResult, start time.Time) error {
	if e.Rebuilt || len(e.Definition) == 0 {
		return nil // there is no definition to send; the submitter may still send it
	}
	if err := r.s.b.EnsurePool(ctx, e.App, e.Pool); err != nil {
		return err
	}
	if e.Exclusive && last.Attempt == 0 {
		if err := r.s.acquireLock(ctx, e); err != nil {
			if bus.HasCode(err, bus.CodeExclusive) || errors.Is(err, errLockHeld) { // it ends, or waits
				return nil
			}
			return err
		}
	}
	if e.Limits != "" && last.Attempt == 0 && !r.s.limits.acquire(ctx, e) {
		return nil
	}
	if err := checkStepTime(start); err != nil {
		return err
	}
	err := <-r.s.requestAttempt(e, last.Attempt+1, last.Sequence)
	// A stale request is queued and will be dropped: the next round tries
	// again.
	if errors.Is(err, bus.ErrChanged) {
		return nil
	}
	return err
}

// fenceAttempt ends a lost attempt. One write is both the fence and the
// decision, since a bus can die between two writes.
func (r *recoverer) fenceAttempt(ctx context.Context, e *bus.Execution, last *bus.StoredResult, start time.Time) error {
	status, why := subjects.Failed, fmt.Sprintf("agent %s was lost: its heartbeats no longer named attempt %d", last.Agent, last.Attempt)
	requeue := e.OnAgentLost == subjects.LostRequeue && !e.Rebuilt && len(e.Definition) > 0 &&
		(e.MaxAttempts == 0 || last.Attempt < e.MaxAttempts)
	switch {
	case e.TimedOut != 0:
		return r.fenceOverdue(ctx, e, last)
	case e.StopRequest == bus.StopRequested:
		status = subjects.Stopped
	case requeue:
		status = subjects.Unknown
	}
	seq, err := r.s.b.PublishResult(ctx, r.s.busResult(e, last, status, why), last.Sequence)
	if errors.Is(err, bus.ErrChanged) { // the agent is alive, or another bus decided
		return nil
	}
	if err != nil {
		return err
	}
	r.s.b.Log.Warn("agent lost", "app", e.App, "job", e.Job, "execution", e.ID, "attempt", last.Attempt,
		"agent", last.Agent, "batch_status", status)
	if status != subjects.Unknown {
		return nil
	}
	last.Sequence = seq
	return r.requestNext(ctx, e, last, start)
}

// recoverRestart submits a restart that a bus recorded but did not submit.
func (r *recoverer) recoverRestart(ctx context.Context, u index.Restarted) error {
	start := time.Now()
	old, err := r.s.Get(ctx, u.App, u.Job, u.ID)
	if bus.HasCode(err, bus.CodeNoSuchExecution) {
		return nil
	}
	if err != nil {
		return err
	}
	// The bus that recorded it is probably submitting it.
	if time.Since(old.UpdateTime.Std()) < r.s.cfg.Waiting/5 {
		return nil
	}
	_, _, err = r.s.submitRestart(ctx, old, start, true)
	if bus.HasCode(err, bus.CodeNoSuchJob) || bus.HasCode(err, bus.CodeExclusive) {
		r.s.b.Log.Warn("restart not submitted", "app", u.App, "job", u.Job, "execution", u.By, "err", err)
		return nil
	}
	return err
}
