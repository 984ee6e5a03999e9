// Package execution is the life cycle of executions: submit, record results, stop, restart, recover, retain.
package execution

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Config of a [Service].
type Config struct{}

// Service does it.
type Service struct{}

func New(b *bus.Bus, x *index.Index, cfg Config) *Service { panic("x") }

// Run folds results, follows agents, recovers and purges until ctx ends.
func (s *Service) Run(ctx context.Context) error { panic("x") }

// Submission asks for an execution.
type Submission struct {
	App, Job       string
	Parameters     map[string]string
	IdempotencyKey string
	ID             int64         // of a fire, which drew it before; 0: draw one
	ScheduledFor   subjects.Time // the nominal time of a fire
	FireKey        string        // of a fire
}

// Submit makes the record and the request. created is false if the IdempotencyKey named an execution that was
// there before. Errors: StateError (no_such_job, job_is_exclusive, job_start, idempotency_key_reused), ErrUnknown (with the execution, since its id is known), ErrAway.
func (s *Service) Submit(ctx context.Context, sub Submission) (e *bus.Execution, created bool, err error) {
	panic("x")
}

// Get reads the record; StateError no_such_job_execution. job may be empty.
func (s *Service) Get(ctx context.Context, app, job string, id int64) (*bus.Execution, error) { panic("x") }

// Stop keeps the wish and sees to it. StateError job_execution_not_running.
func (s *Service) Stop(ctx context.Context, app, job string, id int64) (*bus.Execution, error) { panic("x") }

// Abandon. StateError job_execution_is_running.
func (s *Service) Abandon(ctx context.Context, app, job string, id int64) (*bus.Execution, error) { panic("x") }

// Restart returns the new execution. StateErrors of JSR-352's restart. created is false if it was restarted before.
func (s *Service) Restart(ctx context.Context, app, job string, id int64, parameters map[string]string) (e *bus.Execution, created bool, err error) {
	panic("x")
}

// DeleteJob removes a definition at its revision (0: whatever it is), with its schedule, and its history unless it is to be kept.
// StateError job_execution_is_running.
func (s *Service) DeleteJob(ctx context.Context, app, job string, revision uint64, keepHistory bool) error { panic("x") }

// DeleteHistory removes all ended executions of a job.
func (s *Service) DeleteHistory(ctx context.Context, app, job string) error { panic("x") }

// DeleteApp removes an application without jobs. StateError app_in_use.
func (s *Service) DeleteApp(ctx context.Context, app string) error { panic("x") }

// AgentInfo is an agent as this bus sees it.
type AgentInfo struct {
	bus.Agent
	Alive bool
}

// Agents that are alive, or were within the last day, by name.
func (s *Service) Agents() []AgentInfo { panic("x") }

// Agent by name or instance id (UUID).
func (s *Service) Agent(nameOrID string) (AgentInfo, bool) { panic("x") }

// Block or unblock an agent.
func (s *Service) Block(ctx context.Context, agent string, blocked bool) error { panic("x") }
