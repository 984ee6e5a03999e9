package execution

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// purgeRequest removes the request of an execution that ended before any agent
// claimed it: without an agent in its pool, nothing else would remove it. If an
// agent holds the request, the broker refuses its claim. If the purge fails,
// the janitor repeats it.
func (s *Service) purgeRequest(ctx context.Context, e *bus.Execution) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.AckTimeout)
	defer cancel()
	if err := s.b.PurgeRequest(ctx, &e.Execution); err != nil {
		s.b.Log.Warn("request of an ended execution not removed, the janitor retries", "app", e.App, "job", e.Job, "execution", e.ID, "err", err)
	}
}

// purgeEndedRequests removes the requests of all executions that ended a while
// ago. A bus may have died between the end and the purge, or the request may
// have arrived later.
func (j *janitor) purgeEndedRequests(ctx context.Context) error {
	now := time.Now()
	if now.Sub(j.sweptAt) < max(j.s.cfg.Janitor, 20*j.sweepTime) {
		return nil
	}
	j.sweptAt = now
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel / 4)
	var failed error
	for _, app := range j.s.x.Apps() {
		queued, err := j.s.b.QueuedRequests(ctx, app.Name)
		if err != nil {
			failed = err
			break
		}
		for id := range queued {
			sum, ok := j.s.x.Find(id)
			if !ok || !sum.BatchStatus.Ended() || now.Sub(sum.UpdateTime.Std()) < maxStep {
				continue
			}
			g.Go(func() error { return j.purgeEndedRequest(gctx, sum.App, sum.Job, id) })
		}
	}
	failed = errors.Join(failed, g.Wait())
	j.sweepTime = time.Since(now)
	return failed
}

func (j *janitor) purgeEndedRequest(ctx context.Context, app, job string, id int64) error {
	e, err := j.s.b.Executions.Get(ctx, bus.ExecutionKey(app, job, id))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil || !e.Value.BatchStatus.Ended() {
		return err
	}
	return j.s.b.PurgeRequest(ctx, &e.Value.Execution)
}
