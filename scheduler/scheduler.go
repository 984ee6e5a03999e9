package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// workers is the number of schedules walked at the same time. A walk mostly
	// waits for JetStream.
	workers = 32
	// decisionTimeout is the timeout of one decision and of the submission that
	// follows it. Neither is cancelled when the scheduler is told to end.
	decisionTimeout = 2 * bus.AckTimeout
	// maxReadAge is the maximum age, by the wall clock, of data on which the
	// scheduler acts. It must be much shorter than every retention time.
	maxReadAge = 30 * time.Second
)

// Index is the part of the read model that a scheduler needs.
type Index interface {
	Ready() <-chan struct{}
	Schedule(key bus.ScheduleKey) (*bus.Schedule, bool) // of a job that has a definition
	JobName(app, key string) string
	Schedules() []bus.Entry[bus.Schedule]
	ScheduleKeys() []bus.ScheduleKey
	StoredSchedule(key bus.ScheduleKey) (v *bus.Schedule, revision uint64) // nil if there is none
	OnSchedule(f func(key bus.ScheduleKey))
	Calendars() *calendars.Set
	PutCalendar(key string, v *bus.Calendar, revision uint64)
	Pauses() *bus.PauseSet
	PausesChanged() <-chan struct{} // closed at the next change of any pauses
	PutPauses(key string, v *bus.Pauses, revision uint64)
	Find(id int64) (index.Summary, bool)
	Definition(app, key string) (def *bus.Job, parsed *jsl.Job, ok bool)
	OnEnd(f func(app, job string, id int64))
	StartedBy(app, key string) []index.Started
	Triggered() []index.Started
	StartPath(fromApp, fromKey, toApp, toKey string) []string
	CreatedSince(app, key string, since subjects.Time) []index.Summary
	AwaitsRetry(id int64) bool
	RunningOf(key bus.ScheduleKey) (ids []int64)
	RunningBackfilled(backfill int64) int
	Backfilled(app, key string) map[int64]index.Summary
	PutSchedule(key bus.ScheduleKey, v *bus.Schedule, revision uint64)
}

// Submitter creates and stops executions. Submit is idempotent for a given id, even if
// several buses call it at the same time.
type Submitter interface {
	Submit(ctx context.Context, sub execution.Submission) (e *bus.Execution, created bool, err error)
	Stop(ctx context.Context, app, job string, id int64) (*bus.Execution, error)
}

// Config of a [Scheduler].
type Config struct {
	Bus      *bus.Bus
	Index    Index
	Submit   Submitter
	TimeZone *time.Location // for schedules that name none; must be the same on every bus; default UTC
	Log      *slog.Logger   // default: none
}

// Scheduler fires the jobs of one NATS system, together with the schedulers of
// other buses.
type Scheduler struct {
	bus        *bus.Bus
	index      Index
	submit     Submitter
	log        *slog.Logger
	fires      fireStore
	leases     leases
	ledger     *ledger
	plans      *planCache
	wakes      *walkQueue
	locks      scheduleLocks
	leadership leadership
	ended      *endedQueue
	spans      spanCache
	pauseReads sharedRead
	timers     *timers
	timed      chan struct{} // closed once all schedules have timers
}

// New returns a scheduler. Call New before the index runs, and [Scheduler.Run]
// to start the scheduler.
func New(cfg Config) *Scheduler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Scheduler{
		bus: cfg.Bus, index: cfg.Index, submit: cfg.Submit, log: cfg.Log,
		fires:  cfg.Bus.Fires,
		leases: cfg.Bus.Leases,
		ledger: newLedger(),
		plans:  newPlans(cmp.Or(cfg.TimeZone, time.UTC), cfg.Index.Calendars),
		wakes:  newWalkQueue(),
		ended:  newEndedQueue(),
		timed:  make(chan struct{}),
	}
	s.timers = newTimers(s)
	s.index.OnSchedule(s.timers.changes.addKey)
	s.index.OnEnd(s.noteEnd)
	s.index.OnEnd(s.wakeQueued)
	return s
}

// Run fires jobs until ctx ends. It finishes a decision that has begun.
func (s *Scheduler) Run(ctx context.Context) error {
	select {
	case <-s.index.Ready():
	case <-ctx.Done():
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.watchFires(ctx) })
	g.Go(func() error {
		if err := s.ledger.waitLoaded(ctx); err != nil {
			return nil // ctx ended before the ledger was loaded
		}
		g.Go(func() error { s.leases.Keep(ctx, leaseName, s.bus.Name(), s.onRenewal); return nil })
		g.Go(func() error { return s.purgeHourly(ctx) })
		g.Go(func() error { return s.watchPauses(ctx) })
		g.Go(func() error { return s.runTimers(ctx) })
		return s.walkAll(ctx)
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("scheduler: %w", err)
	}
	return nil
}

// walkAll walks the schedules that were woken, until ctx ends.
func (s *Scheduler) walkAll(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(workers)
	for {
		key, ok := s.wakes.nextSchedule(ctx)
		if !ok {
			return g.Wait()
		}
		g.Go(func() error {
			defer s.wakes.endWalk(key)
			if err := s.walkSchedule(ctx, key); err != nil && ctx.Err() == nil {
				s.log.Warn("walk of a schedule failed, retrying", "app", key.App(), "job", key.Job(), "schedule", key.Name(), "err", err)
			}
			s.timers.noteWalk(key)
			return nil
		})
	}
}

// isStale reports whether more than maxReadAge has passed since t.
func isStale(t time.Time) bool { return subjects.WallSince(t) > maxReadAge }
