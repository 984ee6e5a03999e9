package execution

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxStep bounds the time between a decision and its write.
const maxStep = 30 * time.Second

// Config configures a [Service].
type Config struct {
	Waiting   time.Duration          // time after which an unclaimed execution is recovered; default 10 s
	Every     time.Duration          // interval of the recoverer; default 1 s
	Heartbeat time.Duration          // assumed interval of agents that tell none; default 2 s
	Janitor   time.Duration          // interval of the janitor; default 1 min
	Runnable  func(j *jsl.Job) error // returns why no agent can run the job, or nil
}

// Service submits, records, stops, restarts and removes executions.
type Service struct {
	b      *bus.Bus
	x      *index.Index
	cfg    Config
	p      *projector
	agents *agents.Registry
	limits *limiter
	sent   sentDefinitions
}

// New returns a Service. It needs [Service.Run] to be running.
func New(b *bus.Bus, x *index.Index, cfg Config) *Service {
	cfg.Waiting = cmp.Or(cfg.Waiting, 10*time.Second)
	cfg.Every = cmp.Or(cfg.Every, time.Second)
	cfg.Janitor = cmp.Or(cfg.Janitor, time.Minute)
	s := &Service{b: b, x: x, cfg: cfg}
	s.p = newProjector(b, x)
	s.limits = newLimiter(s)
	s.p.freeLimits = s.limits.free
	s.agents = agents.New(b, x, agents.Config{Heartbeat: cfg.Heartbeat})
	return s
}

// Run records results, runs the registry of agents, recovers and purges until
// ctx ends. The index must run as long.
func (s *Service) Run(ctx context.Context) error {
	if err := s.x.WaitReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.p.consumeResults(ctx) })
	g.Go(func() error { return s.agents.Run(ctx) })
	g.Go(func() error { return s.limits.run(ctx) })
	g.Go(func() error { return s.b.RunLeasedTask(ctx, "recoverer", s.cfg.Every, s.newRecoverer().runRound) })
	g.Go(func() error { return s.b.RunLeasedTask(ctx, "janitor", s.cfg.Janitor, s.newJanitor().runRound) })
	return g.Wait()
}

// Agents returns the registry of agents, which s runs.
func (s *Service) Agents() *agents.Registry { return s.agents }

// Get reads the record of an execution. The error is a StateError
// no_such_job_execution if there is none. If job is empty, any job of the
// application may have it.
func (s *Service) Get(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	e, err := s.getEntry(ctx, app, job, id)
	return &e.Value, err
}

func (s *Service) getEntry(ctx context.Context, app, job string, id int64) (bus.Entry[bus.Execution], error) {
	of := "the application " + app
	if job != "" {
		of = s.x.JobName(app, job)
	}
	none := bus.State(bus.CodeNoSuchExecution, "there is no execution %d of %s", id, of)
	if job == "" {
		sum, ok := s.x.Find(id)
		switch {
		case ok && sum.App == app:
			job = sum.Job
		case ok:
			return bus.Entry[bus.Execution]{}, none
		default: // another bus may have just created it
			found, err := s.b.Executions.List(ctx, fmt.Sprintf("%s.*.%d", app, id))
			if err != nil {
				return bus.Entry[bus.Execution]{}, err
			}
			if len(found) == 0 || found[0].Value.DeleteTime != 0 {
				return bus.Entry[bus.Execution]{}, none
			}
			s.x.PutExecution(&found[0].Value, found[0].Revision)
			return found[0], nil
		}
	}
	e, err := s.b.Executions.Get(ctx, bus.ExecutionKey(app, job, id))
	if err == nil { // a client that sees it here must find it in lists too
		s.x.PutExecution(&e.Value, e.Revision)
	}
	if errors.Is(err, bus.ErrNotFound) || err == nil && e.Value.DeleteTime != 0 {
		return e, none
	}
	return e, err
}

// Wait blocks until the execution has ended, and returns its record. If ctx
// ends first, the error is that of ctx.
func (s *Service) Wait(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	_, whole, err := s.x.WaitRecord(ctx, id)
	if err != nil {
		return nil, err
	}
	if whole != nil {
		return whole, nil
	}
	return s.Get(ctx, app, job, id)
}

// checkStepTime returns an error if a step that began at start has taken longer
// than [maxStep].
func checkStepTime(start time.Time) error {
	if d := subjects.WallSince(start); d > maxStep || d < -maxStep {
		return fmt.Errorf("gave up after %v: %w", d.Round(time.Second), bus.ErrUnknown)
	}
	return nil
}

// changeRecord reads the record, lets do change it, and writes it by
// compare-and-set; if the record has changed meanwhile, it starts again. do
// returns false to leave the record as it is.
func (s *Service) changeRecord(ctx context.Context, app, job string, id int64, do func(*bus.Execution) (bool, error)) (*bus.Execution, error) {
	for {
		start := time.Now()
		e, err := s.getEntry(ctx, app, job, id)
		if err != nil {
			return nil, err
		}
		r := e.Value
		write, err := do(&r)
		if err != nil || !write {
			return &r, err
		}
		if err := checkStepTime(start); err != nil {
			return nil, err
		}
		rev, err := s.b.Executions.Update(ctx, r.Key(), r, e.Revision)
		if errors.Is(err, bus.ErrChanged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.x.PutExecution(&r, rev)
		return &r, nil
	}
}
