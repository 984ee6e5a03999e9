package scheduler

import (
	"context"
	"errors"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	// maxQueued is the number of fires of a schedule that wait with queue_all.
	maxQueued = 1000

	skippedOverlap = "overlap"
)

// queuesFires reports whether a fire with this overlap policy waits for the end
// of earlier executions. Its key exists while it waits, and the fire is open:
// the wait needs no other storage, and every bus can end it.
func queuesFires(overlap string) bool {
	switch overlap {
	case bus.OverlapQueueOne, bus.OverlapQueueAll, bus.OverlapCancelRunning:
		return true
	}
	return false
}

// applyOverlap changes the outcome of a nominal time that would fire, by the
// overlap policy of its schedule. It reads which executions run at this moment.
func (s *Scheduler) applyOverlap(ctx context.Context, sc *bus.Schedule, st outcome) (outcome, error) {
	running, err := s.findRunning(ctx, sc.Key())
	if err != nil {
		return st, err
	}
	var id int64
	if running != nil {
		id = running.ID
	}
	if by := blockerOf(sc.Overlap, id, s.waitingFires(sc.Key())); by != 0 {
		st.skipped, st.blocker = skippedOverlap, by
	}
	return st, nil
}

// blockerOf returns the execution because of which an overlap policy skips a
// nominal time, or 0. running is an execution of the schedule that has not
// ended, or 0. waiting are those of its fires that have no execution yet.
func blockerOf(overlap string, running int64, waiting []openFire) int64 {
	if len(waiting) > 0 && running == 0 && queuesFires(overlap) {
		waiting = waiting[1:] // the first of them is about to start
	}
	most := 1
	switch {
	case overlap == bus.OverlapSkip && running != 0:
		return running
	case overlap == bus.OverlapQueueAll:
		most = maxQueued
	}
	if len(waiting) < most {
		return 0
	}
	return waiting[len(waiting)-1].execution
}

// waitingFires returns the open fires of a schedule whose execution the read
// model does not know, oldest first.
func (s *Scheduler) waitingFires(key bus.ScheduleKey) (waiting []openFire) {
	for _, o := range s.ledger.openFires(key) {
		if _, known := s.index.Find(o.execution); !known {
			waiting = append(waiting, o)
		}
	}
	return waiting
}

// findRunning returns an execution that the schedule fired and that has not
// ended, or nil. A failed execution that is going to be retried has not ended.
// The read model names the candidates, and the records decide.
func (s *Scheduler) findRunning(ctx context.Context, key bus.ScheduleKey) (*bus.Execution, error) {
	for _, id := range s.index.RunningOf(key) {
		e, err := s.bus.Executions.Get(ctx, bus.ExecutionKey(key.App(), key.Job(), id))
		switch {
		case errors.Is(err, bus.ErrNotFound):
		case err != nil:
			return nil, err
		case !e.Value.BatchStatus.Ended() || e.Value.AwaitsRetry():
			return &e.Value, nil
		}
	}
	return nil, nil
}

// mustWait reports whether a queued fire has to wait for an execution of its
// schedule. With the policy cancel_running it requests a stop of the execution,
// unless somebody has done so.
func (s *Scheduler) mustWait(ctx context.Context, key bus.ScheduleKey, f *bus.Fire) (bool, error) {
	running, err := s.findRunning(ctx, key)
	if err != nil || running == nil {
		return false, err
	}
	if f.Overlap != bus.OverlapCancelRunning || running.StopRequest != "" {
		return true, nil
	}
	if _, err := s.submit.Stop(ctx, key.App(), key.Job(), running.ID); err != nil && !bus.HasCode(err, bus.CodeNotRunning) {
		return true, err
	}
	return true, nil
}

// wakeQueued wakes the schedules of a job whose fires wait for the end of an
// execution.
func (s *Scheduler) wakeQueued(app, job string, _ int64) {
	for _, key := range s.ledger.queuedSchedules(app, job) {
		s.wakes.addSchedule(key)
	}
}

// closeQueued closes the fires of a job that wait in a queue. They must not
// start a later job of the same name.
func (s *Scheduler) closeQueued(ctx context.Context, app, job string) error {
	for _, key := range s.ledger.queuedSchedules(app, job) {
		for _, o := range s.waitingFires(key) {
			if !queuesFires(o.overlap) {
				continue
			}
			if err := s.giveUpFire(ctx, o.key, skippedDeleted, errJobDeleted); err != nil && !errors.Is(err, bus.ErrNotFound) {
				return err
			}
		}
	}
	_, err := s.closeBackfilled(ctx, s.ledger.waitingBackfills(app, job), skippedDeleted)
	return err
}

var errJobDeleted = errors.New("the job was deleted")
