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

// janitor removes what is old or was deleted. Results go first, down to the terminal one, which is the fence. With the
// record go, in this order: the request, if it is still queued after all; a minute later the terminal result, the fire key
// closed, the record, which is the list of what to do. From then on an expectation of 0 would pass again, and time is the
// guard ([maxStep], subjects.MaxHold).
type janitor struct {
	s       *Service
	purged  map[int64]time.Time // when the request was
	thinned time.Time
	swept   time.Time     // when queues were looked at for requests of what has ended
	sweep   time.Duration // how long that took
}

func (s *Service) newJanitor() *janitor { return &janitor{s: s, purged: map[int64]time.Time{}} }

const (
	// settle is the time between the purge of a request and that of the last result: twice what anybody may hold it.
	settle = 2 * maxStep
	// maxRemoved is how many executions are removed in a round.
	maxRemoved = 5000
	// markerLife is how long the marker of a removed record tells other buses.
	markerLife = 10 * time.Minute
)

func (j *janitor) round(ctx context.Context) error {
	return errors.Join(j.thin(ctx), j.unqueueEnded(ctx), j.remove(ctx))
}

// thin purges the results of executions that ended long ago, but for the last.
func (j *janitor) thin(ctx context.Context) error {
	keep := j.s.b.Retention().Results
	now := time.Now()
	if now.Sub(j.thinned) < min(keep/4, 10*time.Minute) {
		return nil
	}
	many, err := j.many(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce / 4)
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

// many returns the executions with more than one result.
func (j *janitor) many(ctx context.Context) (map[int64]bool, error) {
	s, err := j.s.b.JS.Stream(ctx, subjects.ResultsStream)
	if err != nil {
		return nil, fmt.Errorf("look at the results: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjects.AllResults))
	if err != nil {
		return nil, fmt.Errorf("look at the results: %w", err)
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

// remove takes records away whose time is over, and those that somebody deleted.
func (j *janitor) remove(ctx context.Context) error {
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
	g.SetLimit(atOnce / 4)
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
		case now.Sub(since) >= settle:
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
		j.purged = map[int64]time.Time{} // a request may not be purged: begin again
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
	if e.Value.FireKey != "" {
		if err := j.closeFire(ctx, e.Value.FireKey, id); err != nil {
			return err
		}
	}
	if err := j.s.b.Executions.Purge(ctx, e.Key, e.Revision, markerLife); err != nil {
		return err
	}
	j.s.x.Remove(app, job, id)
	return nil
}

// closeFire says that the fire's execution is gone, so that no walk makes it again.
func (j *janitor) closeFire(ctx context.Context, key string, id int64) error {
	for {
		f, err := j.s.b.Fires.Get(ctx, key)
		if errors.Is(err, bus.ErrNotFound) {
			return nil
		}
		if err != nil || f.Value.Closed || f.Value.Execution != id {
			return err
		}
		f.Value.Closed = true
		if _, err = j.s.b.Fires.Update(ctx, key, f.Value, f.Revision); !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
}
