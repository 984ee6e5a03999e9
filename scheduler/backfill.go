package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Limits of a backfill.
const (
	DefaultBackfill        = 1000    // fires
	MaxBackfill            = 100_000 // fires
	MaxBackfillConcurrency = 1000

	maxBackfillRange = 366 * 24 * time.Hour
	// maxExamined is the number of nominal times that one backfill looks at.
	maxExamined = 1_000_000
	// maxLeftOut is the number of times left out that an answer lists.
	maxLeftOut = 1000
	// backfillWorkers is the number of keys that are written at the same time. A
	// server that syncs each write to the disk gets them in batches.
	backfillWorkers = 256
	// backfillStarters is the number of fires that a walk starts at the same time.
	backfillStarters = 16
	// retentionMargin is how long before the removal of a decision a backfill
	// stops to rely on it.
	retentionMargin = 10 * time.Minute
	// maxMovedAge is how far before its range a backfill reads decisions: a time
	// of the range may stand for earlier ones, on holidays.
	maxMovedAge = 366 * 24 * time.Hour

	skippedCancelled = "cancelled"
)

// WantBackfillTime says how From and To of a [BackfillQuery] are written.
const WantBackfillTime = "a time such as 2026-11-24T18:00:00Z, or a date or a time in the time zone of the schedule, such as 2026-11-24"

// BackfillQuery orders the fires of past nominal times t with From <= t < To.
// Each of the two is RFC 3339, or a date or a wall clock time in the zone of the
// schedule. A date as To includes that day, and of today means up to now.
type BackfillQuery struct {
	From, To    string
	Limit       int // the number of fires, oldest first; 0: DefaultBackfill
	Concurrency int // how many of the executions may run at the same time; 0: one
	By          string
	DryRun      bool // writes nothing
}

// Backfilled says what a backfill fires.
type Backfilled struct {
	ID       int64 // 0: it fires nothing, or it is a dry run
	From, To time.Time
	Fires    []BackfilledTime
	// Nominal times and times on holidays that do not fire: how many there are,
	// and the first maxLeftOut of them.
	LeftOutCount int
	LeftOut      []LeftOut
	// The first time that was not looked at, because of a limit. Zero: none.
	Next time.Time
}

// BackfilledTime is a nominal time that a backfill fires.
type BackfilledTime struct {
	Time      time.Time // in the zone of the schedule
	Date      string    // its business date
	From      time.Time // the first time that was moved to it; zero: none
	Execution int64     // 0 in a dry run
	Was       string    // why it had been skipped; empty: nothing was decided
}

// LeftOut is a time that a backfill does not fire.
type LeftOut struct {
	Time      time.Time // in the zone of the schedule
	Reason    string    // fired, waiting, holiday, not_due, decided
	Text      string    // for people
	Execution int64     // of fired and waiting
}

// The reasons of [LeftOut].
const (
	leftFired   = "fired"   // it has an execution, or had one
	leftWaiting = "waiting" // it fires as soon as earlier executions have ended
	leftHoliday = "holiday" // a calendar excludes it
	leftNotDue  = "not_due" // jitter delays it until a time to come
	leftDecided = "decided" // the times on holidays that it stands for had executions
)

// Backfill fires past nominal times of a schedule that have no execution, the
// oldest first, also while the schedule is paused. It creates the keys of the
// fires, which then wait until a walk starts them. A time that was skipped gets
// a new decision. Backfill is idempotent: a second call fires what the first one
// left. Errors: [bus.FieldError], [bus.StateError] no_such_job and
// no_such_schedule, ErrAway.
func (s *Scheduler) Backfill(ctx context.Context, key bus.ScheduleKey, q BackfillQuery) (out Backfilled, err error) {
	if err := s.ledger.waitLoaded(ctx); err != nil {
		return out, fmt.Errorf("backfill %s: the scheduler has not loaded the fires yet: %w: %w", key, bus.ErrAway, err)
	}
	q.Limit, q.Concurrency = cmp.Or(q.Limit, DefaultBackfill), cmp.Or(q.Concurrency, 1)
	sc, err := s.Stored(ctx, key)
	switch {
	case err != nil:
		return out, err
	case sc == nil:
		return out, s.noSuchSchedule(key)
	case sc.Calendar != "":
		if err := s.refreshCalendars(ctx); err != nil {
			return out, err
		}
	}
	p, err := s.plans.planFor(sc)
	if err != nil {
		return out, bus.State(bus.CodeNoSuchSchedule, "the schedule %s cannot be read by this version: %v", key.Name(), err)
	}
	now := time.Now()
	from, to, err := q.bounds(p.loc, now)
	if err != nil {
		return out, err
	}
	if err := s.checkKept(ctx, key, q.From, from, now); err != nil {
		return out, err
	}
	past, err := s.readPast(ctx, key, from.Add(-maxMovedAge), to)
	if err != nil {
		return out, err
	}
	out = p.planBackfill(from, to, now, q.Limit, past)
	if q.DryRun || len(out.Fires) == 0 {
		return out, nil
	}
	return out, s.fireBackfill(ctx, sc, p, q, &out)
}

// ParseBackfillTime parses From or To of a [BackfillQuery].
func ParseBackfillTime(text string, zone *time.Location, isEnd bool) (t time.Time, err error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, checkPast(t)
	}
	t, err = parseBound(text, zone, isEnd)
	if err == nil && t.IsZero() {
		err = errors.New("no time")
	}
	if _, day := time.Parse(time.DateOnly, text); day == nil && isEnd {
		t = t.Add(time.Second) // the last second of the day is not excluded
	}
	return t, cmp.Or(err, checkPast(t))
}

func checkPast(t time.Time) error {
	if t.Unix() < 0 {
		return errors.New("a time before 1970")
	}
	return nil
}

// bounds returns the range of a query.
func (q *BackfillQuery) bounds(zone *time.Location, now time.Time) (from, to time.Time, err error) {
	if from, err = ParseBackfillTime(q.From, zone, false); err != nil {
		return from, to, &bus.FieldError{Path: "/from", Want: WantBackfillTime, Got: q.From}
	}
	if to, err = ParseBackfillTime(q.To, zone, true); err != nil {
		return from, to, &bus.FieldError{Path: "/to", Want: WantBackfillTime, Got: q.To}
	}
	if q.To == now.In(zone).Format(time.DateOnly) {
		to = now
	}
	switch {
	case to.After(now):
		err = &bus.FieldError{Path: "/to", Want: "a time that is not to come: the schedule itself fires at those", Got: q.To}
	case !from.Before(to):
		err = &bus.FieldError{Path: "/from", Want: "a time before to", Got: q.From}
	case to.Sub(from) > maxBackfillRange:
		err = &bus.FieldError{Path: "/from", Want: "a time at most a year before to", Got: q.From}
	}
	return from, to, err
}

// checkKept refuses a range that is so old that decisions about it may have been
// removed: its times may have had executions. No decision about a job is older
// than the job.
func (s *Scheduler) checkKept(ctx context.Context, key bus.ScheduleKey, text string, from, now time.Time) error {
	kept := now.Add(retentionMargin - s.bus.Retention().Fires)
	if !from.Before(kept) {
		return nil
	}
	j, err := s.bus.Job(ctx, key.App(), key.Job())
	if errors.Is(err, bus.ErrNotFound) {
		return bus.NoSuchJob(key.App(), s.index.JobName(key.App(), key.Job()))
	}
	if err != nil || j.Value.CreateTime.Std().After(kept) {
		return err
	}
	return &bus.FieldError{
		Path: "/from", Got: text,
		Want: fmt.Sprintf("a time after %s: decisions about earlier times are not kept, so these may have had executions", kept.UTC().Format(time.RFC3339)),
	}
}

// readPast reads the decisions of a schedule about times from <= t < to, and the
// runs of skipped times that reach into that range.
func (s *Scheduler) readPast(ctx context.Context, key bus.ScheduleKey, from, to time.Time) (*pastDecisions, error) {
	past := &pastDecisions{at: map[int64]pastDecision{}}
	err := s.eachFire(ctx, key.FireFilter(), func(schedule bus.ScheduleKey, second int64, f *bus.Fire) {
		if schedule != key {
			return
		}
		if f.SkippedCount > 1 && f.SkippedFrom.Std().Before(to) {
			reason, _ := runReason(f)
			past.runs = append(past.runs, skippedRun{f.SkippedFrom.Std().Unix(), second, reason})
		}
		if t := time.Unix(second, 0); !t.Before(from) && t.Before(to) {
			past.at[second] = pastDecisionOf(f)
		}
	})
	slices.SortFunc(past.runs, func(a, b skippedRun) int { return cmp.Compare(a.to, b.to) })
	return past, err
}

// runReason returns why and when the run of times was skipped for which a key
// stands.
func runReason(f *bus.Fire) (reason string, decided subjects.Time) {
	if f.Backfill != nil {
		return f.Backfill.Was, f.Backfill.WasTime
	}
	return f.Skipped, f.Time
}

// eachFire calls each for all stored decisions whose keys match the filter.
func (s *Scheduler) eachFire(ctx context.Context, filter string, each func(schedule bus.ScheduleKey, second int64, f *bus.Fire)) error {
	all, seen := context.WithCancel(ctx)
	defer seen()
	err := s.bus.Fires.Tolerant(s.log).WatchKeys(all, filter, func(key string, f *bus.Fire, _ uint64) {
		if schedule, second, ok := bus.SplitFireKey(key); ok && f != nil && all.Err() == nil {
			each(schedule, second, f)
		}
	}, seen)
	return cmp.Or(err, ctx.Err())
}

// fireBackfill stores the fires of a backfill. Those that another bus or another
// backfill decided meanwhile become times that are left out.
func (s *Scheduler) fireBackfill(ctx context.Context, sc *bus.Schedule, p *plan, q BackfillQuery, out *Backfilled) error {
	ctx = context.WithoutCancel(ctx) // half of a backfill helps nobody
	if err := s.bus.Room(ctx); err != nil {
		return err
	}
	id, err := s.bus.NextID(ctx)
	if err != nil {
		return err
	}
	for i := range out.Fires { // in order, as the fires are going to be started
		if out.Fires[i].Execution, err = s.bus.NextID(ctx); err != nil {
			return err
		}
	}
	key := sc.Key()
	var stored atomic.Int64
	var mu sync.Mutex
	left := map[int]LeftOut{}
	store := func(ctx context.Context, i int) error {
		t := &out.Fires[i]
		f := p.fireOf(sc, outcome{nominal: t.Time})
		f.Execution = t.Execution
		f.Generation, f.Overlap = 0, bus.OverlapQueueAll // what a bus of an earlier version knows
		f.Backfill = &bus.Backfill{ID: id, Concurrency: q.Concurrency, By: q.By, Was: t.Was}
		is, mine, err := s.storeBackfilled(ctx, key, t.Time.Unix(), f)
		if err != nil {
			return err
		}
		if t.Execution = is.Execution; mine {
			stored.Add(1)
			return nil
		}
		was := pastDecisionOf(&is)
		mu.Lock()
		defer mu.Unlock()
		left[i] = LeftOut{t.Time, was.leftOut(), fmt.Sprintf("execution %d, decided at the same time", is.Execution), is.Execution}
		return nil
	}
	// A bus may start fires while others are being stored. The oldest is stored
	// before all others, so that it is the first to start.
	err = store(ctx, 0)
	if err == nil {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(backfillWorkers)
		for i := 1; i < len(out.Fires) && ctx.Err() == nil; i++ {
			g.Go(func() error { return store(ctx, i) })
		}
		err = g.Wait()
	}
	s.wakes.addSchedule(key)
	if err != nil {
		return fmt.Errorf("backfill %d fires %d of %d times; send it again for the others: %w", id, stored.Load(), len(out.Fires), err)
	}
	s.log.Info("past times fire", "app", key.App(), "job", key.Job(), "schedule", key.Name(), "backfill", id, "count", stored.Load())
	var fires []BackfilledTime
	for i := range out.Fires {
		if l, ok := left[i]; ok {
			out.addLeftOut(l)
			continue
		}
		fires = append(fires, out.Fires[i])
	}
	if out.Fires = fires; len(fires) > 0 {
		out.ID = id
	}
	out.sortLeftOut()
	return nil
}

// storeBackfilled stores a fire of a backfill: it creates the key of the time, or
// replaces a decision that skipped it. It returns the decision as it is then,
// and whether it is that of this backfill.
func (s *Scheduler) storeBackfilled(ctx context.Context, schedule bus.ScheduleKey, second int64, f bus.Fire) (is bus.Fire, mine bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, decisionTimeout)
	defer cancel()
	key := schedule.FireKey(second)
	f.Time = subjects.Now()
	drawn := f.Execution
	if f.Backfill.Was == "" { // most often, there is no key
		switch err := s.writeFire(key, f, 0); {
		case err == nil:
			s.noteBackfilled(key, &f)
			return f, true, nil
		case !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrUnknown):
			return f, false, err
		}
	}
	for {
		e, err := s.fires.Get(ctx, key)
		var write func() (uint64, error)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			is = f
			write = func() (uint64, error) { return s.fires.Create(ctx, key, is) }
		case err != nil:
			return f, false, err
		case e.Value.Backfill != nil && e.Value.Execution == drawn: // its acknowledgement was lost
			return e.Value, true, nil
		default:
			was := pastDecisionOf(&e.Value)
			if was.leftOut() != "" {
				return e.Value, false, nil
			}
			if exists, err := s.wasSubmitted(ctx, schedule, &e.Value); err != nil || exists {
				return e.Value, false, err
			}
			is = replaceSkipped(&e.Value, f)
			write = func() (uint64, error) { return s.fires.Update(ctx, key, is, e.Revision) }
		}
		_, err = write()
		switch {
		case err == nil:
			s.noteBackfilled(key, &is)
			return is, true, nil
		case !errors.Is(err, bus.ErrExists) && !errors.Is(err, bus.ErrChanged):
			return f, false, err
		}
	}
}

// writeFire writes a decision if its key is at the revision, together with other
// writes that wait.
func (s *Scheduler) writeFire(key string, f bus.Fire, revision uint64) error {
	done := make(chan error, 1)
	s.fires.Write(key, f, revision, func(_ uint64, err error) { done <- err })
	return <-done
}

// noteBackfilled says that a fire of a backfill was stored.
func (s *Scheduler) noteBackfilled(key string, f *bus.Fire) {
	s.ledger.addDecision(key, f)
	schedule, _, _ := bus.SplitFireKey(key)
	s.publishFire(schedule, f)
}

// wasSubmitted reports whether the execution of a fire that was closed has a
// record nevertheless.
func (s *Scheduler) wasSubmitted(ctx context.Context, schedule bus.ScheduleKey, f *bus.Fire) (bool, error) {
	if f.Execution == 0 {
		return false, nil
	}
	_, err := s.bus.Executions.Get(ctx, bus.ExecutionKey(schedule.App(), schedule.Job(), f.Execution))
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// replaceSkipped returns the fire f in place of a decision that skipped its
// time. It keeps what a walk needs: the generation, and the run of skipped times
// that shares the key. The id of an execution that was drawn before stays: a bus
// may be about to submit it.
func replaceSkipped(was *bus.Fire, f bus.Fire) bus.Fire {
	b := *f.Backfill
	b.Was, b.WasTime = was.Skipped, was.Time
	if f.SkippedFrom, f.SkippedCount = was.SkippedFrom, was.SkippedCount; was.SkippedCount > 1 {
		b.Was, b.WasTime = runReason(was)
	}
	f.Generation, f.Execution, f.Backfill = was.Generation, cmp.Or(was.Execution, f.Execution), &b
	return f
}

// adoptDecision reads the stored decision about a time that a walk has decided
// too. If a backfill created the key, the walk adds its generation, so that
// later walks begin there, and the run of skipped times that it wanted to store
// with this key.
func (s *Scheduler) adoptDecision(ctx context.Context, key string, f *bus.Fire) error {
	for {
		e, err := s.fires.Get(ctx, key)
		if err != nil {
			return err
		}
		is := e.Value
		if is.Generation != 0 || is.Backfill == nil {
			s.ledger.addDecision(key, &is)
			return nil
		}
		b := *is.Backfill
		if is.Generation = f.Generation; f.SkippedCount > 1 {
			is.SkippedFrom, is.SkippedCount = f.SkippedFrom, f.SkippedCount
			b.Was, b.WasTime = f.Skipped, f.Time
		}
		is.Backfill = &b
		switch _, err := s.fires.Update(ctx, key, is, e.Revision); {
		case err == nil:
			s.ledger.addDecision(key, &is)
			return nil
		case !errors.Is(err, bus.ErrChanged):
			return err
		}
	}
}
