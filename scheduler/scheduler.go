package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
)

const (
	// workers is how many schedules are walked at once; a walk mostly waits for
	// JetStream.
	workers = 32
	// stepTimeout bounds one decision with what follows from it. It is not cut
	// short when the scheduler is told to end.
	stepTimeout = 2 * bus.AckTimeout
	// stepDeadline is how old what was read may be, by the wall clock, when it
	// is acted on. Every retention is far longer.
	stepDeadline = 30 * time.Second
)

// Index is the part of the read model that a scheduler needs.
type Index interface {
	Ready() <-chan struct{}
	Job(app, token string) (*index.Job, bool)
	JobName(app, token string) string
	Schedules() []bus.Entry[bus.Schedule]
	ScheduleChanged() <-chan struct{} // closed at the next change of any schedule
	Find(id int64) (index.Summary, bool)
	PutSchedule(app, job string, v *bus.Schedule, revision uint64)
}

// Submitter makes executions. With a given id it may be called again, and by
// several buses at once.
type Submitter interface {
	Submit(ctx context.Context, sub execution.Submission) (e *bus.Execution, created bool, err error)
}

// Config of a [Scheduler].
type Config struct {
	Bus      *bus.Bus
	Index    Index
	Submit   Submitter
	TimeZone *time.Location // of schedules that name none, the same at every bus; default UTC
	Log      *slog.Logger   // default: none
}

// Scheduler fires the jobs of one NATS, together with those of other buses.
type Scheduler struct {
	bus    *bus.Bus
	index  Index
	submit Submitter
	log    *slog.Logger
	fires  decisions
	leases leases
	ledger *ledger
	plans  *plans
	wakes  *queue
	locks  locks
	watch  watch
}

// New returns a scheduler; [Scheduler.Run] runs it.
func New(cfg Config) *Scheduler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Scheduler{
		bus: cfg.Bus, index: cfg.Index, submit: cfg.Submit, log: cfg.Log,
		fires:  cfg.Bus.Fires,
		leases: cfg.Bus.Leases,
		ledger: newLedger(),
		plans:  newPlans(cmp.Or(cfg.TimeZone, time.UTC)),
		wakes:  newQueue(),
	}
}

// Run fires jobs until ctx ends. A decision that was begun is ended first.
func (s *Scheduler) Run(ctx context.Context) error {
	select {
	case <-s.index.Ready():
	case <-ctx.Done():
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.follow(ctx) })
	g.Go(func() error {
		if err := s.ledger.wait(ctx); err != nil {
			return nil // told to end before it began
		}
		g.Go(func() error { s.leases.Keep(ctx, leaseName, s.bus.Name(), s.renewed); return nil })
		g.Go(func() error { return s.retain(ctx) })
		g.Go(func() error { return s.runTimers(ctx) })
		return s.walkAll(ctx)
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("scheduler: %w", err)
	}
	return nil
}

// walkAll walks the schedules that are woken.
func (s *Scheduler) walkAll(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(workers)
	for {
		key, ok := s.wakes.take(ctx)
		if !ok {
			return g.Wait()
		}
		g.Go(func() error {
			defer s.wakes.done(key)
			if err := s.walk(ctx, key); err != nil && ctx.Err() == nil {
				app, job, _ := bus.SplitJobKey(key)
				s.log.Warn("schedule not walked, trying again", "app", app, "job", job, "err", err)
			}
			return nil
		})
	}
}

// old says whether more than stepDeadline passed since t. The monotonic clock
// is not asked: it stops in suspend.
func old(t time.Time) bool { return time.Now().Round(0).Sub(t.Round(0)) > stepDeadline }
