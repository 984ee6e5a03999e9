package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
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

// pastDecision is what a backfill needs of a stored decision.
type pastDecision struct {
	execution     int64
	skipped       string
	closed, waits bool
}

// decisions are stored decisions of a schedule, by the second of the time.
type pastDecisions struct {
	at   map[int64]pastDecision
	runs []skippedRun // by their end
}

// skippedRun are consecutive skipped times that share a key.
type skippedRun struct {
	from, to int64 // seconds, both included
	reason   string
}

func pastDecisionOf(f *bus.Fire) pastDecision {
	return pastDecision{execution: f.Execution, skipped: f.Skipped, closed: f.Closed, waits: f.Waits()}
}

// leftOut returns why a time with this decision does not fire again, or "".
func (d *pastDecision) leftOut() string {
	switch {
	case d.skipped == bus.CodeNoSuchExecution: // it was deleted while the fire was being submitted
		return leftFired
	case d.skipped != "":
		return ""
	case d.waits:
		return leftWaiting
	}
	return leftFired
}

// skippedWithin returns the reason why a time without a key of its own was
// skipped in a run, or "".
func (d *pastDecisions) skippedWithin(second int64) string {
	i, _ := slices.BinarySearchFunc(d.runs, second, func(r skippedRun, s int64) int { return cmp.Compare(r.to, s) })
	if i < len(d.runs) && d.runs[i].from <= second {
		return d.runs[i].reason
	}
	return ""
}

// planBackfill returns which of the plan's nominal times t, from <= t < to, a
// backfill fires. It is a pure function of the plan and the stored decisions.
func (p *plan) planBackfill(from, to, now time.Time, limit int, past *pastDecisions) Backfilled {
	out := Backfilled{From: from.In(p.loc), To: to.In(p.loc)}
	examined := 0
	for t := range p.timesBetween(from.Add(-1), to.Add(-1)) {
		if examined++; len(out.Fires) == limit || examined > maxExamined {
			out.Next = t
			break
		}
		if left := p.leaveOut(t, now, past); left != nil {
			out.addLeftOut(*left)
			continue
		}
		d := p.decisionAt(t)
		f := BackfilledTime{Time: t.In(p.loc), Date: d.Date.String(), Was: past.skippedWithin(t.Unix())}
		if was, ok := past.at[t.Unix()]; ok {
			f.Was = was.skipped
		}
		if !d.From.IsZero() {
			f.From = d.From.In(p.loc)
		}
		out.Fires = append(out.Fires, f)
	}
	if p.moved == nil {
		return out
	}
	if !out.Next.IsZero() {
		to = out.Next
	}
	for d := range p.moved.Decisions(from.Add(-1), to.Add(-1)) {
		if d.Fires {
			continue
		}
		left := LeftOut{Time: d.Time.In(p.loc), Reason: leftHoliday, Text: fmt.Sprint(d.Why)}
		if !d.To.IsZero() {
			left.Text += "; " + ShownTime(d.To.In(p.loc)) + " is there in its place"
		}
		out.addLeftOut(left)
	}
	slices.SortStableFunc(out.LeftOut, func(a, b LeftOut) int { return a.Time.Compare(b.Time) })
	out.LeftOut = out.LeftOut[:min(len(out.LeftOut), maxLeftOut)]
	return out
}

func (b *Backfilled) addLeftOut(l LeftOut) {
	if b.LeftOutCount++; len(b.LeftOut) < 2*maxLeftOut { // those on holidays are merged in later
		b.LeftOut = append(b.LeftOut, l)
	}
}

// leaveOut returns why a nominal time does not fire, or nil if it fires.
func (p *plan) leaveOut(t, now time.Time, past *pastDecisions) *LeftOut {
	left := &LeftOut{Time: t.In(p.loc)}
	if was, ok := past.at[t.Unix()]; ok {
		left.Reason, left.Execution = was.leftOut(), was.execution
		switch left.Reason {
		case leftFired:
			left.Text = fmt.Sprintf("execution %d", was.execution)
			return left
		case leftWaiting:
			left.Text = fmt.Sprintf("execution %d waits in another backfill", was.execution)
			return left
		}
		left.Execution = 0
	}
	if due := t.Add(p.shift); due.After(now) {
		left.Reason, left.Text = leftNotDue, "the schedule fires it at "+ShownTime(due.In(p.loc))
		return left
	}
	sources, last := 0, int64(0)
	for source := range p.movedTo(t) {
		was, ok := past.at[source.Unix()]
		if !ok || was.leftOut() == "" {
			return nil
		}
		sources, last = sources+1, was.execution
	}
	if sources == 0 {
		return nil
	}
	left.Reason, left.Execution = leftDecided, last
	left.Text = fmt.Sprintf("it is there in place of times that fired, the last one as execution %d", last)
	return left
}

// movedTo returns the times on holidays in whose place the nominal time t is,
// unless the schedule names t itself.
func (p *plan) movedTo(t time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if p.moved == nil {
			return
		}
		d := p.decisionAt(t)
		if d.From.IsZero() {
			return
		}
		for source := range p.moved.Decisions(d.From.Add(-time.Second), t) {
			if !source.Fires && !source.StoodIn && source.To.Equal(t) && !yield(source.Time) {
				return
			}
		}
	}
}

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
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(backfillWorkers)
	for i := range out.Fires {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
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
		})
	}
	err = g.Wait()
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
	slices.SortStableFunc(out.LeftOut, func(a, b LeftOut) int { return a.Time.Compare(b.Time) })
	out.LeftOut = out.LeftOut[:min(len(out.LeftOut), maxLeftOut)]
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
	_, parsed, ok := s.index.Definition(schedule.App(), schedule.Job())
	if !ok || parsed == nil || !parsed.Exclusive {
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
		return 0, bus.State(bus.CodeNoSuchBackfill, "job %s of application %s has no backfill %s", s.index.JobName(app, job), app, strconv.FormatInt(id, 10))
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
