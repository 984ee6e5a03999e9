package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// errStale means that the data was read too long ago to act on. The caller must
// read again.
var errStale = errors.New("the data is too old to act on")

// walkSchedule finishes the schedule's open fires, then decides its due times.
// It does nothing on a bus that does not lead.
func (s *Scheduler) walkSchedule(ctx context.Context, key bus.ScheduleKey) error {
	if !s.leadership.isLeading() {
		return nil
	}
	release, err := s.locks.lockSchedule(ctx, key)
	if err != nil {
		return err
	}
	defer release()
	unfinished := cmp.Or(s.finishOpenFires(ctx, key), s.startBackfills(ctx, key))
	if key.IsTrigger() {
		err = s.walkTrigger(ctx, key)
	} else {
		err = s.decideUntil(ctx, key, subjects.Now())
	}
	return cmp.Or(err, unfinished)
}

// decideUntil decides the schedule's nominal times up to now.
func (s *Scheduler) decideUntil(ctx context.Context, key bus.ScheduleKey, now subjects.Time) error {
	if !s.hasDue(key, now) {
		return nil
	}
	e, err := s.bus.Schedules.Get(ctx, key.String()) // not from the read model, which may lag behind an edit
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.decideDue(ctx, &e.Value, now, atWalk)
	if errors.Is(err, errStale) {
		s.wakes.addSchedule(key)
		return nil
	}
	return err
}

// hasDue reports whether the schedule has a due time that this bus has not seen
// decided. It reads memory only. Most walks end here.
func (s *Scheduler) hasDue(key bus.ScheduleKey, now subjects.Time) bool {
	sc, ok := s.index.Schedule(key)
	return ok && sc.Active && s.isDue(sc, s.heldUntil(sc, now.Std()))
}

func (s *Scheduler) isDue(sc *bus.Schedule, now time.Time) bool {
	p, err := s.plans.planFor(sc)
	if err != nil {
		return false // addTimer has logged it
	}
	return p.isDue(s.ledger.walkStart(sc, p), now)
}

// decideDue decides the schedule's nominal times up to now, in order. A fire
// that cannot be submitted stays open.
func (s *Scheduler) decideDue(ctx context.Context, sc *bus.Schedule, now subjects.Time, o occasion) error {
	read := time.Now()
	if sc.Calendar != "" {
		if err := s.refreshCalendars(ctx); err != nil { // the read model may lag behind a change
			return err
		}
	}
	if sc.Active {
		if err := s.refreshPauses(ctx); err != nil {
			return err
		}
	}
	p, err := s.plans.planFor(sc)
	if err != nil {
		return nil // a broken schedule has no nominal times
	}
	downUntil, unledUntil := s.leadership.unattendedUntil(now.Std())
	at := moment{now: now.Std(), downUntil: downUntil, unledUntil: unledUntil, pauses: s.pausesOf(sc.App), occasion: o}
	for st := range p.decisions(sc, s.ledger.walkStart(sc, p), at) {
		if isStale(read) {
			return errStale
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if st, err = s.checkOutcome(ctx, sc, p, st); err != nil {
			return err
		}
		if err := s.storeFire(ctx, sc.Key(), st.nominal.Unix(), p.fireOf(sc, st)); err != nil {
			return err
		}
	}
	return nil
}

// checkOutcome changes the outcome of a nominal time that would fire, if earlier
// decisions or executions of the schedule stand against it.
func (s *Scheduler) checkOutcome(ctx context.Context, sc *bus.Schedule, p *plan, st outcome) (outcome, error) {
	if st.skipped == "" && p.moved != nil {
		if decided, err := s.wasDecided(ctx, sc, p, st.nominal); err != nil {
			return st, err
		} else if decided {
			st.skipped, st.caughtUp = skippedDecided, false
		}
	}
	if st.skipped == "" && sc.Overlap != "" && sc.Overlap != bus.OverlapAllow {
		return s.applyOverlap(ctx, sc, st)
	}
	return st, nil
}

// storeFire stores a decision by creating its key, which ends with the number.
// A decision that skips nothing gets the id of an execution. If this bus
// created the key, it submits the execution.
func (s *Scheduler) storeFire(ctx context.Context, schedule bus.ScheduleKey, number int64, f bus.Fire) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decisionTimeout)
	defer cancel()
	f.Time = subjects.Now()
	if f.Skipped == "" {
		if err := s.bus.Room(ctx); err != nil { // the time stays undecided until there is room again
			return err
		}
		id, err := s.bus.NextID(ctx)
		if err != nil {
			return err
		}
		f.Execution = id
	}
	key := schedule.FireKey(number)
	read := time.Now()
	switch _, err := s.fires.Create(ctx, key, f); {
	case errors.Is(err, bus.ErrExists):
		return s.adoptDecision(ctx, key, &f)
	case err != nil: // if the key was stored nevertheless, a later walk finds the open fire
		return err
	}
	s.ledger.addDecision(key, &f)
	s.publishFire(schedule, &f)
	switch {
	case !f.Open():
		return nil
	case queuesFires(f.Overlap):
		s.wakes.addSchedule(schedule) // a walk starts it, after those that wait already
		return nil
	}
	if err := s.submitFire(ctx, key, &f, read); err != nil {
		s.log.Warn("submission of a fire failed, retrying", "app", schedule.App(), "job", schedule.Job(), "schedule", schedule.Name(), "execution", f.Execution, "err", err)
	}
	return nil
}

// publishFire publishes the event of a decision.
func (s *Scheduler) publishFire(schedule bus.ScheduleKey, f *bus.Fire) {
	what := "fired"
	switch {
	case f.Skipped != "":
		what = "skipped"
	case f.CaughtUp:
		what = "caught_up"
	}
	detail := struct {
		bus.Fire
		Schedule string `json:"schedule"`
	}{*f, schedule.Name()}
	detail.Parameters = nil // everybody on NATS sees events
	s.bus.Event("fire", what, []string{schedule.App(), schedule.Job()}, detail)
}

// finishOpenFires submits the executions of the schedule's open fires,
// whichever bus decided them. It tries each of them, even if another one fails.
// Of those that are queued it tries the first one only: the others wait for it.
func (s *Scheduler) finishOpenFires(ctx context.Context, schedule bus.ScheduleKey) (failed error) {
	queued := false
	for _, o := range s.ledger.openFires(schedule) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, known := s.index.Find(o.execution); known {
			s.ledger.removeOpen(o.key)
			continue
		}
		waits := queuesFires(o.overlap) && queued
		queued = queued || queuesFires(o.overlap)
		if waits || o.retryAt.After(time.Now()) {
			continue
		}
		if err := s.finishOpenFire(ctx, schedule, o); err != nil {
			failed = fmt.Errorf("finish fire %s: %w", o.key, err)
			if !errors.Is(err, bus.ErrAway) && !errors.Is(err, bus.ErrUnknown) {
				s.ledger.backOff(o.key)
			}
		}
	}
	return failed
}

// finishOpenFire submits the execution of an open fire unless it has a record,
// or has to wait.
func (s *Scheduler) finishOpenFire(ctx context.Context, schedule bus.ScheduleKey, o openFire) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decisionTimeout)
	defer cancel()
	read := time.Now()
	e, err := s.bus.Executions.Get(ctx, bus.ExecutionKey(schedule.App(), schedule.Job(), o.execution))
	if err == nil {
		if o.overlap == "" || e.Value.BatchStatus.Ended() { // else the read model is about to know it
			s.ledger.removeOpen(o.key)
		}
		return nil
	}
	if !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	// Read the key after the record: a bus that deletes a record closes the key
	// first.
	f, err := s.fires.Get(ctx, o.key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		s.ledger.removeOpen(o.key)
		return nil
	case err != nil:
		return err
	case !f.Value.Open() || f.Value.Execution != o.execution:
		s.ledger.removeOpen(o.key)
		return nil
	}
	if queuesFires(f.Value.Overlap) {
		if wait, err := s.mustWait(ctx, schedule, &f.Value); wait || err != nil {
			return err
		}
	}
	return s.submitFire(ctx, o.key, &f.Value, read)
}

// submitFire submits the execution of a fire. read is when the key was last
// read or written.
func (s *Scheduler) submitFire(ctx context.Context, key string, f *bus.Fire, read time.Time) error {
	if isStale(read) {
		return errStale
	}
	schedule, _, _ := bus.SplitFireKey(key)
	sub := execution.Submission{
		App: schedule.App(), Job: schedule.Job(), ID: f.Execution, ScheduledFor: f.Nominal, ScheduledDate: f.Date, FireKey: key,
		Parameters: f.Parameters, Priority: f.Priority, Pool: f.Pool, Causes: f.Causes,
	}
	if f.Backfill != nil {
		sub.Backfill = f.Backfill.ID
	}
	if schedule.IsTrigger() {
		sub.ScheduledFor = 0
	}
	_, _, err := s.submit.Submit(ctx, sub)
	var state *bus.StateError
	var field *bus.FieldError
	switch {
	case bus.HasCode(err, bus.CodeExclusive):
		s.log.Info("fire abandoned, its exclusive job is running", "app", schedule.App(), "job", schedule.Job(), "schedule", schedule.Name(), "execution", f.Execution)
	case errors.As(err, &state):
		return s.giveUpFire(ctx, key, state.Code, err)
	case errors.As(err, &field):
		return s.giveUpFire(ctx, key, "definition", err)
	case err != nil:
		return err
	}
	// The overlap policies count an open fire as running. The read model has to
	// take over.
	if _, known := s.index.Find(f.Execution); known || f.Overlap == "" {
		s.ledger.removeOpen(key)
	}
	return nil
}

// giveUpFire closes a fire that can never have an execution, and stores the
// reason.
func (s *Scheduler) giveUpFire(ctx context.Context, key, reason string, cause error) error {
	e, err := s.fires.Get(ctx, key)
	if err != nil {
		return err
	}
	f := e.Value
	f.Skipped, f.Closed = reason, true
	if _, err := s.fires.Update(ctx, key, f, e.Revision); err != nil && !errors.Is(err, bus.ErrChanged) {
		return err
	}
	s.ledger.removeOpen(key)
	schedule, _, _ := bus.SplitFireKey(key)
	s.log.Warn("fire closed without an execution", "app", schedule.App(), "job", schedule.Job(), "schedule", schedule.Name(), "execution", f.Execution, "err", cause)
	s.publishFire(schedule, &f)
	return nil
}
