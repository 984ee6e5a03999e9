package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// fireStore is the part of bucket fires that the scheduler needs.
type fireStore interface {
	Get(ctx context.Context, key string) (bus.Entry[bus.Fire], error) // or ErrNotFound
	Create(ctx context.Context, key string, f bus.Fire, opts ...jetstream.KVCreateOpt) (revision uint64, err error)
	Update(ctx context.Context, key string, f bus.Fire, revision uint64) (uint64, error) // or ErrChanged
	// At revision 0 it creates a key that was never written.
	Write(key string, f bus.Fire, revision uint64, done func(revision uint64, err error)) // or ErrChanged
}

// FireQuery selects at most Limit nominal times t with From <= t < To, the
// newest first. A zero From or To sets no limit.
type FireQuery struct {
	From, To time.Time
	Limit    int
}

// startsBeforeTo reports whether the fire is before To, or for a run of skipped
// times whether its oldest time is.
func (q *FireQuery) startsBeforeTo(f *bus.Fire) bool {
	return q.To.IsZero() || cmp.Or(f.SkippedFrom, f.Nominal).Std().Before(q.To)
}

// Decided is a decision with the schedule that it belongs to.
type Decided struct {
	bus.Fire
	Schedule bus.ScheduleKey
}

// decidedAt names a decision of a schedule.
type decidedAt struct {
	schedule bus.ScheduleKey
	second   int64
}

// Fires returns the decisions about the nominal times of all schedules of a
// job, or of one if name is not empty, newest first. A run of times that were
// skipped together is in the list if the query selects any of them.
func (s *Scheduler) Fires(ctx context.Context, app, job, name string, q FireQuery) ([]Decided, error) {
	keys, err := s.listDecided(ctx, app, job, name)
	if err != nil {
		return nil, fmt.Errorf("list fires of %s: %w", bus.JobKey(app, job), err)
	}
	all := map[bus.ScheduleKey][]decidedAt{}
	for _, d := range keys {
		all[d.schedule] = append(all[d.schedule], d)
	}
	keys = nil
	var page []Decided
	for schedule, of := range all {
		if schedule.IsTrigger() {
			triggered, err := s.listTriggered(ctx, schedule, q)
			if err != nil {
				return nil, err
			}
			page = append(page, triggered...)
			continue
		}
		slices.SortFunc(of, newestFirst)
		keys = append(keys, s.dropNewer(&q, schedule, of)...)
	}
	slices.SortFunc(keys, newestFirst)
	read := 0
	for _, d := range keys {
		if read >= q.Limit || time.Unix(d.second, 0).Before(q.From) {
			break
		}
		e, err := s.fires.Get(ctx, d.schedule.FireKey(d.second))
		switch {
		case err == nil && q.startsBeforeTo(&e.Value):
			for _, f := range splitDecision(e.Value) {
				if q.startsBeforeTo(&f) {
					page = append(page, Decided{f, d.schedule})
				}
			}
			read++
		case err == nil:
		case !errors.Is(err, bus.ErrNotFound): // not found: just purged
			return nil, err
		}
	}
	slices.SortStableFunc(page, func(a, b Decided) int { return cmp.Compare(b.Nominal, a.Nominal) })
	return page[:min(len(page), q.Limit)], nil
}

// listTriggered returns the decisions about a trigger that the query selects.
// Their numbers are no times, so each is read.
func (s *Scheduler) listTriggered(ctx context.Context, trigger bus.ScheduleKey, q FireQuery) (selected []Decided, err error) {
	all, err := s.bus.Fires.List(ctx, trigger.FireFilter())
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if at := e.Value.Nominal.Std(); !at.Before(q.From) && (q.To.IsZero() || at.Before(q.To)) {
			selected = append(selected, Decided{e.Value, trigger})
		}
	}
	return selected, nil
}

func newestFirst(a, b decidedAt) int {
	return cmp.Or(cmp.Compare(b.second, a.second), a.schedule.Compare(b.schedule))
}

// splitDecision returns a stored decision as a list shows it. The key of a run of
// skipped times may stand for a fire too, by which a backfill replaced the
// newest of them.
func splitDecision(f bus.Fire) []bus.Fire {
	if f.Backfill == nil || f.SkippedCount <= 1 {
		return []bus.Fire{f}
	}
	run := bus.Fire{Generation: f.Generation, Nominal: f.Nominal, SkippedFrom: f.SkippedFrom, SkippedCount: f.SkippedCount}
	run.Skipped, run.Time = runReason(&f)
	f.SkippedFrom, f.SkippedCount = 0, 0
	return []bus.Fire{f, run}
}

// dropNewer drops decisions that the query cannot select from those of one
// schedule, the newest first. It keeps the key at or after To that may stand for
// a run of skipped times which begins before To: the oldest one, or if there
// are fires of backfills within the run, the one that the ledger names.
func (s *Scheduler) dropNewer(q *FireQuery, schedule bus.ScheduleKey, of []decidedAt) []decidedAt {
	if q.To.IsZero() {
		return of
	}
	first := slices.IndexFunc(of, func(d decidedAt) bool { return time.Unix(d.second, 0).Before(q.To) })
	if first < 0 {
		first = len(of)
	}
	kept := of[max(first-1, 0):]
	run, ok := s.ledger.runOver(schedule, q.To.Add(-1).Unix())
	if ok && !slices.Contains(kept, decidedAt{schedule, run}) {
		kept = append([]decidedAt{{schedule, run}}, kept...)
	}
	return kept
}

// decisionAbout returns the stored decision about a nominal time, nil for none:
// that of its own key, or of a run of skipped times that contains it.
func (s *Scheduler) decisionAbout(ctx context.Context, schedule bus.ScheduleKey, nominal time.Time) (*Decided, error) {
	e, err := s.fires.Get(ctx, schedule.FireKey(nominal.Unix()))
	if err == nil {
		return &Decided{splitDecision(e.Value)[0], schedule}, nil
	}
	if !errors.Is(err, bus.ErrNotFound) {
		return nil, err
	}
	found, err := s.Fires(ctx, schedule.App(), schedule.Job(), schedule.Name(), FireQuery{From: nominal, To: nominal.Add(time.Second), Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// listDecided returns the nominal times that have a key, of all schedules of a
// job, or of one if name is not empty, in no particular order.
func (s *Scheduler) listDecided(ctx context.Context, app, job, name string) ([]decidedAt, error) {
	filter := bus.JobKey(app, job) + ".>"
	if name != "" {
		filter = bus.NewScheduleKey(app, job, name).FireFilter()
	}
	keys, err := s.bus.Fires.Keys(ctx, filter)
	if err != nil {
		return nil, err
	}
	var all []decidedAt
	for _, k := range keys {
		if schedule, second, ok := bus.SplitFireKey(k); ok {
			all = append(all, decidedAt{schedule, second})
		}
	}
	return all, nil
}
