package execution

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// unqueue removes the request of an execution that has ended before any agent claimed it: without an agent in its pool nobody else would
// drop it. An agent that has the request in hand finds its claim refused. If it fails the janitor does it.
func (s *Service) unqueue(ctx context.Context, e *bus.Execution) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.AckTimeout)
	defer cancel()
	if err := s.b.PurgeRequest(ctx, &e.Execution); err != nil {
		s.b.Log.Warn("request of an ended execution not removed yet", "app", e.App, "job", e.Job, "execution", e.ID, "err", err)
	}
}

// unqueueEnded removes the requests of all executions that ended a while ago. A bus may have died between the end and the removal, or
// a request have come after it.
func (j *janitor) unqueueEnded(ctx context.Context) error {
	now := time.Now()
	if now.Sub(j.swept) < max(j.s.cfg.Janitor, 20*j.sweep) {
		return nil
	}
	j.swept = now
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce / 4)
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
			g.Go(func() error { return j.unqueueOne(gctx, sum.App, sum.Job, id) })
		}
	}
	failed = errors.Join(failed, g.Wait())
	j.sweep = time.Since(now)
	return failed
}

func (j *janitor) unqueueOne(ctx context.Context, app, job string, id int64) error {
	e, err := j.s.b.Executions.Get(ctx, bus.ExecutionKey(app, job, id))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil || !e.Value.BatchStatus.Ended() {
		return err
	}
	return j.s.b.PurgeRequest(ctx, &e.Value.Execution)
}
