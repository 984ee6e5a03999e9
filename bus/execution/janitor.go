package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// janitor removes executions that are old or were deleted. First it purges
// results except the terminal one, which is the fence. It then removes the
// record in this order: the request, if it is still queued; a minute later the
// terminal result; it closes the fire's key; last the record, since the records
// are the janitor's list of work. After that, a claim with the expected
// sequence 0 would succeed; only time prevents it ([maxStep],
// subjects.MaxHold).
type janitor struct {
	s         *Service
	purged    map[int64]time.Time // when the request was purged
	thinned   time.Time
	sweptAt   time.Time     // when the queues were last checked for requests of ended executions
	sweepTime time.Duration // how long that check took
}

func (s *Service) newJanitor() *janitor { return &janitor{s: s, purged: map[int64]time.Time{}} }

const (
	// settleTime is the time between the purge of a request and that of the
	// last result: twice as long as an agent or a bus may hold a request.
	settleTime = 2 * maxStep
	// maxRemoved is the number of executions that one round removes at most.
	maxRemoved = 5000
	// markerTTL is the lifetime of the marker of a removed record, which
	// informs other buses.
	markerTTL = 10 * time.Minute
)

func (j *janitor) runRound(ctx context.Context) error {
	return errors.Join(j.thinResults(ctx), j.purgeEndedRequests(ctx), j.removeOld(ctx))
}

// thinResults purges all results but the last of executions that ended long
// ago.
func (j *janitor) thinResults(ctx context.Context) error {
	keep := j.s.b.Retention().Results
	now := time.Now()
	if now.Sub(j.thinned) < min(keep/4, 10*time.Minute) {
		return nil
	}
	many, err := j.withManyResults(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel / 4)
	for id := range many {
		sum, ok := j.s.x.Find(id)
		if !ok || !sum.BatchStatus.Ended() || now.Sub(sum.EndTime.Std()) < keep {
			continue
		}
		g.Go(func() error { return j.s.b.PurgeResults(ctx, sum.App, sum.Job, id, 1) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	j.thinned = now
	return nil
}

// withManyResults returns the executions with more than one result.
func (j *janitor) withManyResults(ctx context.Context) (map[int64]bool, error) {
	s, err := j.s.b.JS.Stream(ctx, subjects.ResultsStream)
	if err != nil {
		return nil, fmt.Errorf("count the results: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjects.AllResults))
	if err != nil {
		return nil, fmt.Errorf("count the results: %w", err)
	}
	count := map[int64]uint64{}
	many := map[int64]bool{}
	for subject, n := range info.State.Subjects {
		_, _, id, _, err := subjects.ParseResultSubject(subject)
		if err != nil {
			continue
		}
		if count[id] += n; count[id] > 1 {
			many[id] = true
		}
	}
	return many, nil
}

// removeOld removes records that are past their retention, and records that
// somebody deleted.
func (j *janitor) removeOld(ctx context.Context) error {
	type old struct {
		app, job string
		id       int64
	}
	var all []old
	for _, d := range j.s.x.Doomed() {
		all = append(all, old{d.App, d.Job, d.ID})
	}
	if keep := j.s.b.Retention().Executions; keep > 0 {
		for _, s := range j.s.x.EndedBefore(time.Now().Add(-keep), maxRemoved) {
			all = append(all, old{s.App, s.Job, s.ID})
		}
	}
	now := time.Now()
	gone := make([]bool, min(len(all), maxRemoved))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel / 4)
	for i, o := range all[:len(gone)] {
		since, ok := j.purged[o.id]
		switch {
		case !ok:
			j.purged[o.id] = now
			g.Go(func() error {
				e, err := j.s.b.Executions.Get(ctx, bus.ExecutionKey(o.app, o.job, o.id))
				if errors.Is(err, bus.ErrNotFound) {
					return nil
				}
				if err != nil {
					return err
				}
				return j.s.b.PurgeRequest(ctx, &e.Value.Execution)
			})
		case now.Sub(since) >= settleTime:
			g.Go(func() error {
				err := j.removeOne(ctx, o.app, o.job, o.id)
				gone[i] = err == nil
				return err
			})
		}
	}
	err := g.Wait()
	for i, ok := range gone {
		if ok {
			delete(j.purged, all[i].id)
		}
	}
	if err != nil {
		j.purged = map[int64]time.Time{} // a request may not have been purged: start again
	}
	return err
}

func (j *janitor) removeOne(ctx context.Context, app, job string, id int64) error {
	e, err := j.s.b.Executions.Get(ctx, bus.ExecutionKey(app, job, id))
	if errors.Is(err, bus.ErrNotFound) {
		j.s.x.Remove(app, job, id)
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(j.s.b.PurgeLogs(ctx, app, job, id), j.s.b.PurgeResults(ctx, app, job, id, 0)); err != nil {
		return err
	}
	if e.Value.RestartedBy == 0 && e.Value.KeepsStepData() {
		if err := j.s.b.PurgeStepData(ctx, &e.Value); err != nil {
			return err
		}
	}
	if e.Value.FireKey != "" {
		if err := j.closeFire(ctx, e.Value.FireKey, id); err != nil {
			return err
		}
	}
	if err := j.s.b.Executions.Purge(ctx, e.Key, e.Revision, markerTTL); err != nil {
		return err
	}
	j.s.x.Remove(app, job, id)
	return nil
}

// closeFire marks the fire's execution as gone, so that no scheduler creates it
// again.
func (j *janitor) closeFire(ctx context.Context, key string, id int64) error {
	_, err := j.s.b.Fires.Change(ctx, key, func(f *bus.Fire) (*bus.Fire, error) {
		if f == nil || f.Closed || f.Execution != id {
			return nil, nil
		}
		f.Closed = true
		return f, nil
	})
	return err
}
