package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// startBackfills starts fires of backfills of a schedule, the oldest first, as
// long as fewer executions of the backfill run than may run at the same time.
func (s *Scheduler) startBackfills(ctx context.Context, schedule bus.ScheduleKey) (failed error) {
	for _, id := range s.ledger.openBackfills(schedule) {
		if err := s.startBackfill(ctx, schedule, id); err != nil {
			failed = fmt.Errorf("backfill %d: %w", id, err)
		}
	}
	return failed
}

func (s *Scheduler) startBackfill(ctx context.Context, schedule bus.ScheduleKey, id int64) error {
	started, waiting, concurrency := s.ledger.backfillFires(schedule, id)
	running := s.index.RunningBackfilled(id)
	for _, o := range started {
		if _, known := s.index.Find(o.execution); known {
			s.ledger.removeOpen(o.key)
			continue
		}
		running++
		if o.retryAt.After(time.Now()) {
			continue
		}
		if err := s.finishBackfilled(ctx, schedule, &o); err != nil {
			return err
		}
	}
	waiting = waiting[:max(0, min(len(waiting), concurrency-running))]
	if later := slices.IndexFunc(waiting, func(o openFire) bool { return o.retryAt.After(time.Now()) }); later >= 0 {
		waiting = waiting[:later]
	}
	if len(waiting) == 0 {
		return nil
	}
	if wait, err := s.isLocked(ctx, schedule); wait || err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(backfillStarters)
	for _, o := range waiting {
		g.Go(func() error { return s.finishBackfilled(ctx, schedule, &o) })
	}
	return g.Wait()
}

// isLocked reports whether the job is exclusive and has an execution that runs.
// A fire would end as abandoned then.
func (s *Scheduler) isLocked(ctx context.Context, schedule bus.ScheduleKey) (bool, error) {
	// A job that the index does not know yet can be exclusive.
	if _, parsed, ok := s.index.Definition(schedule.App(), schedule.Job()); ok && parsed != nil && !parsed.Exclusive {
		return false, nil
	}
	_, err := s.bus.Locks.Get(ctx, bus.JobKey(schedule.App(), schedule.Job()))
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// finishBackfilled submits the execution of a fire of a backfill, after its key
// says that it was started. From then on nobody can cancel it.
func (s *Scheduler) finishBackfilled(ctx context.Context, schedule bus.ScheduleKey, o *openFire) error {
	err := s.tryBackfilled(ctx, schedule, o)
	if err == nil || errors.Is(err, bus.ErrChanged) {
		return nil // the watch of the fires tells what changed
	}
	if !errors.Is(err, bus.ErrAway) && !errors.Is(err, bus.ErrUnknown) {
		s.ledger.backOff(o.key)
	}
	return fmt.Errorf("fire %s: %w", o.key, err)
}

func (s *Scheduler) tryBackfilled(ctx context.Context, schedule bus.ScheduleKey, o *openFire) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decisionTimeout)
	defer cancel()
	if o.backfill.Started != 0 {
		e, err := s.bus.Executions.Get(ctx, bus.ExecutionKey(schedule.App(), schedule.Job(), o.execution))
		switch {
		case err == nil && e.Value.BatchStatus.Ended():
			s.ledger.removeOpen(o.key)
			return nil
		case err == nil: // the read model is about to know it
			return nil
		case !errors.Is(err, bus.ErrNotFound):
			return err
		}
	}
	if err := s.bus.Room(ctx); err != nil {
		return err
	}
	read := time.Now()
	e, err := s.fires.Get(ctx, o.key)
	if errors.Is(err, bus.ErrNotFound) {
		s.ledger.removeOpen(o.key)
		return nil
	}
	if err != nil {
		return err
	}
	f := e.Value
	if !f.Open() || f.Backfill == nil {
		s.ledger.removeOpen(o.key)
		return nil
	}
	if f.Waits() {
		b := *f.Backfill
		b.Started = subjects.Now()
		f.Backfill = &b
		if _, err := s.fires.Update(ctx, o.key, f, e.Revision); err != nil {
			return err
		}
		s.ledger.addDecision(o.key, &f)
	}
	return s.submitFire(ctx, o.key, &f, read)
}

// BackfillStatus says how far a backfill is.
type BackfillStatus struct {
	ID          int64
	Schedule    bus.ScheduleKey
	By          string
	Time        subjects.Time // when it was ordered
	From, To    subjects.Time // its oldest and its newest nominal time
	Concurrency int
	// The number of fires that wait, whose execution runs, and that have ended.
	// A restart of an execution counts in its place.
	Waiting, Running, Completed, Failed int
	Removed                             int // ended executions that were deleted
	Cancelled                           int
	Skipped                             int // for other reasons, such as a definition that cannot run
}

// Fires returns the number of fires of the backfill.
func (b *BackfillStatus) Fires() int {
	return b.Waiting + b.Running + b.Completed + b.Failed + b.Removed + b.Cancelled + b.Skipped
}

// Backfills returns the backfills of a job whose decisions are kept, the newest
// first.
func (s *Scheduler) Backfills(ctx context.Context, app, job string) ([]BackfillStatus, error) {
	all := map[int64]*BackfillStatus{}
	newest := s.index.Backfilled(app, job)
	count := func(schedule bus.ScheduleKey, _ int64, f *bus.Fire) {
		if f.Backfill == nil {
			return
		}
		b := all[f.Backfill.ID]
		if b == nil {
			b = &BackfillStatus{ID: f.Backfill.ID, Schedule: schedule, By: f.Backfill.By, Concurrency: f.Backfill.Concurrency, Time: f.Time, From: f.Nominal, To: f.Nominal}
			all[b.ID] = b
		}
		b.Time, b.From, b.To = min(b.Time, f.Time), min(b.From, f.Nominal), max(b.To, f.Nominal)
		e, known := newest[f.Execution]
		switch {
		case f.Waits():
			b.Waiting++
		case f.Skipped == skippedCancelled:
			b.Cancelled++
		case f.Skipped != "":
			b.Skipped++
		case !known && f.Closed:
			b.Removed++
		case !known, !e.BatchStatus.Ended(), s.index.AwaitsRetry(e.ID):
			b.Running++
		case e.BatchStatus == subjects.Completed:
			b.Completed++
		default:
			b.Failed++
		}
	}
	if err := s.eachFireOf(ctx, app, job, count); err != nil {
		return nil, fmt.Errorf("list backfills of %s: %w", bus.JobKey(app, job), err)
	}
	var list []BackfillStatus
	for _, b := range all {
		list = append(list, *b)
	}
	slices.SortFunc(list, func(a, b BackfillStatus) int { return cmp.Compare(b.ID, a.ID) })
	return list, nil
}

// eachFireOf is eachFire for all schedules of a job.
func (s *Scheduler) eachFireOf(ctx context.Context, app, job string, each func(schedule bus.ScheduleKey, second int64, f *bus.Fire)) error {
	return s.eachFire(ctx, bus.JobKey(app, job)+".>", func(schedule bus.ScheduleKey, second int64, f *bus.Fire) {
		if !schedule.IsTrigger() {
			each(schedule, second, f)
		}
	})
}

// CancelBackfill closes the fires of a backfill that wait, or of all backfills
// of a job if id is 0, and returns how many it closed. The executions of a
// backfill that were started go on. Errors: [bus.StateError] no_such_backfill,
// ErrAway.
func (s *Scheduler) CancelBackfill(ctx context.Context, app, job string, id int64) (closed int, err error) {
	found := false
	var keys []string
	err = s.eachFireOf(ctx, app, job, func(schedule bus.ScheduleKey, second int64, f *bus.Fire) {
		if f.Backfill == nil || id != 0 && f.Backfill.ID != id {
			return
		}
		if found = true; f.Waits() {
			keys = append(keys, schedule.FireKey(second))
		}
	})
	switch {
	case err != nil:
		return 0, err
	case id != 0 && !found:
		return 0, bus.State(bus.CodeNoSuchBackfill, "job %s of application %s has no backfill %d", s.index.JobName(app, job), app, id)
	}
	return s.closeBackfilled(ctx, keys, skippedCancelled)
}

// closeBackfilled closes fires of backfills that wait, with a reason. It leaves
// those that were started meanwhile.
func (s *Scheduler) closeBackfilled(ctx context.Context, keys []string, reason string) (int, error) {
	var closed atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(backfillWorkers)
	for _, key := range keys {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			for {
				e, err := s.fires.Get(ctx, key)
				if errors.Is(err, bus.ErrNotFound) || err == nil && !e.Value.Waits() {
					return nil
				}
				if err != nil {
					return err
				}
				f := e.Value
				f.Skipped, f.Closed = reason, true
				switch err := s.writeFire(key, f, e.Revision); {
				case err == nil:
					closed.Add(1)
					schedule, _, _ := bus.SplitFireKey(key)
					s.ledger.removeOpen(key)
					s.publishFire(schedule, &f)
					return nil
				case !errors.Is(err, bus.ErrChanged):
					return err
				}
			}
		})
	}
	err := g.Wait()
	return int(closed.Load()), err
}
