package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// checkLock returns a StateError if a running execution holds the lock of the
// job.
func (s *Service) checkLock(ctx context.Context, app, job string) error {
	l, err := s.b.Locks.Get(ctx, bus.JobKey(app, job))
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return s.exclusiveError(app, job, l.Value)
}

func (s *Service) exclusiveError(app, job string, holder int64) error {
	return bus.State(bus.CodeExclusive, "the job %s is exclusive, and its execution %d has not ended", bus.JobKey(app, s.x.JobName(app, job)), holder)
}

// errLockHeld means that a retry waits until another execution of its exclusive
// job has ended.
var errLockHeld = errors.New("another execution of the exclusive job has not ended")

// acquireLock acquires the lock of an exclusive job for rec. If another
// execution holds it, rec ends as abandoned, unless an agent has claimed it,
// and the error is a StateError. A retry does not end: the error is
// errLockHeld.
func (s *Service) acquireLock(ctx context.Context, rec *bus.Execution) error {
	key := bus.JobKey(rec.App, rec.Job)
	for {
		_, err := s.b.Locks.Create(ctx, key, rec.ID)
		if err == nil {
			return nil
		}
		if !errors.Is(err, bus.ErrExists) {
			return fmt.Errorf("%w: %w", bus.ErrUnknown, err)
		}
		l, err := s.b.Locks.Get(ctx, key)
		switch {
		case errors.Is(err, bus.ErrNotFound): // just freed
			continue
		case err != nil:
			return fmt.Errorf("%w: %w", bus.ErrUnknown, err)
		case l.Value == rec.ID:
			return nil
		}
		last, err := s.readLastResult(ctx, rec, subjects.Undispatched)
		if err != nil {
			return fmt.Errorf("%w: %w", bus.ErrUnknown, err)
		}
		// An agent claimed it: it was requested by a bus that had acquired the
		// lock.
		if last.Attempt > 0 || last.BatchStatus.Ended() {
			return nil
		}
		if isRetry(rec) {
			return errLockHeld
		}
		why := fmt.Sprintf("the job is exclusive, and its execution %d had not ended", l.Value)
		_, err = s.b.PublishResult(ctx, s.busResult(rec, last, subjects.Abandoned, why), last.Sequence)
		if errors.Is(err, bus.ErrChanged) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %w", bus.ErrUnknown, err)
		}
		return s.exclusiveError(rec.App, rec.Job, l.Value)
	}
}

// releaseLock frees the lock of an exclusive job after RESULTS shows the end of
// the execution, so that the next one can start.
func (p *projector) releaseLock(app, job string, id int64) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout)
	defer cancel()
	if err := deleteLock(ctx, p.b, app, job, id); err != nil {
		p.b.Log.Warn("lock not released, the recoverer retries", "app", app, "job", job, "execution", id, "err", err)
	}
}

// deleteLock deletes the lock if id holds it, at the revision that it read.
func deleteLock(ctx context.Context, b *bus.Bus, app, job string, id int64) error {
	l, err := b.Locks.Get(ctx, bus.JobKey(app, job))
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil
	case err != nil || l.Value != id:
		return err
	}
	if err := b.Locks.Purge(ctx, l.Key, l.Revision, time.Minute); err != nil && !errors.Is(err, bus.ErrChanged) {
		return err
	}
	return nil
}

// freeLocks frees the locks whose holders have ended according to RESULTS.
func (r *recoverer) freeLocks(ctx context.Context) error {
	locks, err := r.s.b.Locks.List(ctx, ">")
	if err != nil {
		return err
	}
	for _, l := range locks {
		if time.Since(l.Time) < r.s.cfg.Waiting {
			continue
		}
		app, job, ok := bus.SplitJobKey(l.Key)
		if !ok {
			continue
		}
		e, err := r.s.Get(ctx, app, job, l.Value)
		gone := bus.HasCode(err, bus.CodeNoSuchExecution)
		if gone { // or only its record is lost
			e, err = &bus.Execution{Execution: subjects.Execution{App: app, Job: job, ID: l.Value, BatchStatus: subjects.Undispatched}}, nil
		}
		if err != nil {
			return err
		}
		last, err := r.s.readLastResult(ctx, e, subjects.Undispatched)
		if err != nil {
			return err
		}
		if gone && last.Sequence == 0 || last.BatchStatus.Ended() {
			if err := deleteLock(ctx, r.s.b, app, job, l.Value); err != nil {
				return err
			}
		}
	}
	return nil
}
