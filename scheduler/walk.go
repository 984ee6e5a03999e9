package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// errOld means that what was read may not hold any more: read again.
var errOld = errors.New("took too long since it was read")

// walk finishes the schedule's open fires and decides what is due. A bus that
// does not lead has nothing to do.
func (s *Scheduler) walk(ctx context.Context, key string) error {
	if !s.watch.leading() {
		return nil
	}
	release, err := s.locks.take(ctx, key)
	if err != nil {
		return err
	}
	defer release()
	unfinished := s.finish(ctx, key)
	if err := s.walkTo(ctx, key, subjects.Now()); err != nil {
		return err
	}
	return unfinished
}

// walkTo decides what is due until now.
func (s *Scheduler) walkTo(ctx context.Context, key string, now subjects.Time) error {
	if !s.due(key, now) {
		return nil
	}
	e, err := s.bus.Schedules.Get(ctx, key) // the read model may lag behind an edit
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.decide(ctx, &e.Value, now, atWalk)
	if errors.Is(err, errOld) {
		s.wakes.add(key)
		return nil
	}
	return err
}

// due says whether by what this bus has seen there is something to decide. Most
// walks end here.
func (s *Scheduler) due(key string, now subjects.Time) bool {
	app, job, _ := bus.SplitJobKey(key)
	j, ok := s.index.Job(app, job)
	if !ok || j.Schedule == nil || !j.Schedule.Active {
		return false
	}
	p, err := s.plans.of(j.Schedule)
	if err != nil {
		return false // whoever set the timers has told
	}
	next := p.next(s.ledger.newest(j.Schedule))
	return !next.IsZero() && !next.After(now.Std())
}

// decide decides the schedule's nominal times until now, in order. A fire that
// cannot be submitted stays open.
func (s *Scheduler) decide(ctx context.Context, sc *bus.Schedule, now subjects.Time, o occasion) error {
	p, err := s.plans.of(sc)
	if err != nil || !sc.Active {
		return nil // a plan that nobody can read asks for nothing
	}
	read := time.Now()
	missed, unled := s.watch.watched(now.Std())
	for st := range p.due(s.ledger.newest(sc), now.Std(), latenessOf(sc, now.Std(), missed, unled, o)) {
		if old(read) {
			return errOld
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.claim(ctx, sc, st); err != nil {
			return err
		}
	}
	return nil
}

// claim makes the decision by creating the key, and if it is this bus's own and
// a fire, the execution.
func (s *Scheduler) claim(ctx context.Context, sc *bus.Schedule, st step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	f := bus.Fire{
		Generation: sc.Generation, Nominal: subjects.TimeOf(st.nominal),
		CaughtUp: st.caughtUp, Skipped: st.skipped, Time: subjects.Now(),
	}
	if st.count > 1 {
		f.SkippedFrom, f.SkippedCount = subjects.TimeOf(st.from), st.count
	}
	if st.skipped == "" {
		if err := s.bus.Room(ctx); err != nil { // decided when there is room again, by the misfire policy
			return err
		}
		id, err := s.bus.NextID(ctx)
		if err != nil {
			return err
		}
		f.Execution = id
		if p, err := s.plans.of(sc); err == nil {
			f.Date = st.nominal.In(p.loc).Format(time.DateOnly)
		}
	}
	key := bus.FireKey(sc.App, sc.Job, st.nominal.Unix())
	read := time.Now()
	switch _, err := s.fires.Create(ctx, key, f); {
	case errors.Is(err, bus.ErrExists):
		return s.learn(ctx, key)
	case err != nil: // if it was stored all the same, the fire is open and will be found
		return err
	}
	s.ledger.take(key, &f)
	s.tell(sc.Key(), &f)
	if !f.Open() {
		return nil
	}
	if err := s.launch(ctx, key, &f, read); err != nil {
		s.log.Warn("fire not submitted, trying again", "app", sc.App, "job", sc.Job, "execution", f.Execution, "err", err)
	}
	return nil
}

// learn takes in what somebody else, or a step whose acknowledgement was lost,
// has decided.
func (s *Scheduler) learn(ctx context.Context, key string) error {
	e, err := s.fires.Get(ctx, key)
	if err == nil {
		s.ledger.take(key, &e.Value)
	}
	return err
}

func (s *Scheduler) tell(schedule string, f *bus.Fire) {
	what := "fired"
	switch {
	case f.Skipped != "":
		what = "skipped"
	case f.CaughtUp:
		what = "caught_up"
	}
	app, job, _ := bus.SplitJobKey(schedule)
	s.bus.Event("fire", what, []string{app, job}, f)
}

// finish makes the executions of fires that were decided by anybody, at any
// time, and have none. A fire that cannot be finished does not keep others
// waiting.
func (s *Scheduler) finish(ctx context.Context, schedule string) (failed error) {
	for _, o := range s.ledger.open(schedule) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.finishOne(ctx, schedule, o); err != nil {
			failed = fmt.Errorf("finish fire %s: %w", o.key, err)
			if !errors.Is(err, bus.ErrAway) && !errors.Is(err, bus.ErrUnknown) {
				s.ledger.later(o.key)
			}
		}
	}
	return failed
}

func (s *Scheduler) finishOne(ctx context.Context, schedule string, o openFire) error {
	if _, ok := s.index.Find(o.execution); ok {
		s.ledger.done(o.key)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	app, job, _ := bus.SplitJobKey(schedule)
	read := time.Now()
	_, err := s.bus.Executions.Get(ctx, bus.ExecutionKey(app, job, o.execution))
	if err == nil {
		s.ledger.done(o.key)
		return nil
	}
	if !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	// After the record, since whoever deletes a record has closed the key
	// before.
	f, err := s.fires.Get(ctx, o.key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		s.ledger.done(o.key)
		return nil
	case err != nil:
		return err
	case !f.Value.Open() || f.Value.Execution != o.execution:
		s.ledger.done(o.key)
		return nil
	}
	return s.launch(ctx, o.key, &f.Value, read)
}

// launch makes the fire's execution; read is when the fire was seen to need it.
func (s *Scheduler) launch(ctx context.Context, key string, f *bus.Fire, read time.Time) error {
	if old(read) {
		return errOld
	}
	schedule, _, _ := bus.SplitFireKey(key)
	app, job, _ := bus.SplitJobKey(schedule)
	_, _, err := s.submit.Submit(ctx, execution.Submission{
		App: app, Job: job, ID: f.Execution, ScheduledFor: f.Nominal, ScheduledDate: f.Date, FireKey: key,
	})
	var state *bus.StateError
	var field *bus.FieldError
	switch {
	case bus.HasCode(err, bus.CodeExclusive):
		s.log.Info("fire of an exclusive job that runs", "app", app, "job", job, "execution", f.Execution)
	case errors.As(err, &state):
		return s.giveUp(ctx, key, state.Code, err)
	case errors.As(err, &field):
		return s.giveUp(ctx, key, "definition", err)
	case err != nil:
		return err
	}
	s.ledger.done(key)
	return nil
}

// giveUp closes a fire that can have no execution, and keeps why.
func (s *Scheduler) giveUp(ctx context.Context, key, reason string, cause error) error {
	e, err := s.fires.Get(ctx, key)
	if err != nil {
		return err
	}
	f := e.Value
	f.Skipped, f.Closed = reason, true
	if _, err := s.fires.Update(ctx, key, f, e.Revision); err != nil && !errors.Is(err, bus.ErrChanged) {
		return err
	}
	s.ledger.done(key)
	schedule, _, _ := bus.SplitFireKey(key)
	app, job, _ := bus.SplitJobKey(schedule)
	s.log.Warn("fire given up", "app", app, "job", job, "execution", f.Execution, "err", cause)
	s.tell(schedule, &f)
	return nil
}
