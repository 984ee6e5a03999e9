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

// recoverer goes on with what somebody left half done. It goes by the last result, since the record lags.
//
//	no result    request it (an exclusive job: lock, then request)
//	unknown      request the next attempt
//	claimed      if nobody names it: one write that fences and decides, failed or unknown
//	a wish       stopped, or the command again
//	ended        free the lock; fold it, if the record does not show it
type recoverer struct {
	s       *Service
	queues  map[string]queue // by application
	locksAt time.Time        // when the locks were looked at
}

// queue is what was seen in an application's queue.
type queue struct {
	asked time.Time
	took  time.Duration
}

func (s *Service) newRecoverer() *recoverer { return &recoverer{s: s, queues: map[string]queue{}} }

// atOnce bounds how many executions are looked at side by side.
const atOnce = 32

func (r *recoverer) round(ctx context.Context) error {
	now := time.Now()
	waiting := map[string][]index.Live{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, l := range r.s.x.Live() {
		age := now.Sub(l.UpdateTime.Std())
		switch {
		case l.BatchStatus.Waiting() && (age > r.s.cfg.Waiting || l.Wish != ""):
			waiting[l.App] = append(waiting[l.App], l)
		case l.BatchStatus.Running() && r.s.roster.lost(l.ID, l.Attempt):
			g.Go(func() error { return r.look(gctx, l, nil) })
		}
	}
	for app, ones := range waiting {
		queued, err := r.queued(ctx, app, ones, now)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, l := range ones {
			if queued == nil && l.Wish == "" {
				continue
			}
			g.Go(func() error { return r.look(gctx, l, queued) })
		}
	}
	for _, u := range r.s.x.Unsubmitted() {
		g.Go(func() error { return r.succeed(gctx, u) })
	}
	err := g.Wait()
	if now.Sub(r.locksAt) > r.s.cfg.Waiting {
		r.locksAt = now
		err = errors.Join(err, r.freeLocks(ctx))
	}
	return err
}

// queued asks which executions have a request in the queue, not more often than it is worth. nil: not now.
func (r *recoverer) queued(ctx context.Context, app string, ones []index.Live, now time.Time) (map[int64]bool, error) {
	q := r.queues[app]
	if now.Sub(q.asked) < max(r.s.cfg.Waiting/2, 20*q.took) {
		return nil, nil
	}
	queued, err := r.s.b.QueuedRequests(ctx, app)
	r.queues[app] = queue{now, time.Since(now)}
	return queued, err
}

// look judges one execution. queued is nil if the queue was not looked at.
func (r *recoverer) look(ctx context.Context, l index.Live, queued map[int64]bool) error {
	start := time.Now()
	e, err := r.s.Get(ctx, l.App, l.Job, l.ID)
	if bus.HasCode(err, bus.CodeNoSuchExecution) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	last, err := r.s.last(ctx, e, subjects.Undispatched)
	if err != nil {
		return err
	}
	if err := fresh(start); err != nil {
		return err
	}
	log := r.s.b.Log.With("app", l.App, "job", l.Job, "execution", l.ID, "attempt", last.Attempt)
	switch {
	case last.Sequence > e.LastSequence: // a bus took results in hand and died, or is slow: what is decided here needs them
		r.s.p.add(result{last, nil})
		return nil
	case last.BatchStatus.Running() && !r.s.roster.lost(l.ID, last.Attempt):
		return nil
	case last.BatchStatus.Ended():
		return nil
	case last.BatchStatus.Waiting() && e.Wish == bus.WishStop:
		return r.s.pursue(ctx, e)
	case last.BatchStatus.Waiting():
		if queued == nil || queued[l.ID] {
			return nil
		}
		log.Info("asking for an agent again")
		return r.ask(ctx, e, last, start)
	}
	return r.fence(ctx, e, last, start)
}

// ask requests the attempt that follows last.
func (r *recoverer) ask(ctx context.Context, e *bus.Execution, last *bus.StoredResult, start time.Time) error {
	if e.Rebuilt || len(e.Definition) == 0 {
		return nil // it has no definition to send; whoever submits it still may
	}
	if err := r.s.b.EnsurePool(ctx, e.App, e.Pool); err != nil {
		return err
	}
	if e.Exclusive && last.Sequence == 0 {
		if err := r.s.lock(ctx, e); err != nil {
			if bus.HasCode(err, bus.CodeExclusive) { // it ends as abandoned
				return nil
			}
			return err
		}
	}
	if err := fresh(start); err != nil {
		return err
	}
	err := <-r.s.request(e, last.Attempt+1, last.Sequence)
	if errors.Is(err, bus.ErrChanged) { // a stale one is queued and will be dropped: the next round asks again
		return nil
	}
	return err
}

// fence ends a lost attempt. One write is the fence and the decision, since a bus can die between two.
func (r *recoverer) fence(ctx context.Context, e *bus.Execution, last *bus.StoredResult, start time.Time) error {
	status, why := subjects.Failed, fmt.Sprintf("agent %s was lost: no heartbeat named attempt %d any more", last.Agent, last.Attempt)
	requeue := e.OnAgentLost == subjects.LostRequeue && !e.Rebuilt && len(e.Definition) > 0 &&
		(e.MaxAttempts == 0 || last.Attempt < e.MaxAttempts)
	switch {
	case e.Wish == bus.WishStop:
		status = subjects.Stopped
	case requeue:
		status = subjects.Unknown
	}
	seq, err := r.s.b.PublishResult(ctx, r.s.decided(e, last, status, why), last.Sequence)
	if errors.Is(err, bus.ErrChanged) { // it lives, or somebody else decided
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
	return r.ask(ctx, e, last, start)
}

// succeed submits the restart that a bus noted and did not get to submit.
func (r *recoverer) succeed(ctx context.Context, u index.Restarted) error {
	start := time.Now()
	old, err := r.s.Get(ctx, u.App, u.Job, u.ID)
	if bus.HasCode(err, bus.CodeNoSuchExecution) {
		return nil
	}
	if err != nil {
		return err
	}
	if time.Since(old.UpdateTime.Std()) < r.s.cfg.Waiting/5 { // the bus that noted it is probably at it
		return nil
	}
	_, _, err = r.s.succeed(ctx, old, start, true)
	if bus.HasCode(err, bus.CodeNoSuchJob) || bus.HasCode(err, bus.CodeExclusive) {
		r.s.b.Log.Warn("restart given up", "app", u.App, "job", u.Job, "execution", u.By, "err", err)
		return nil
	}
	return err
}
