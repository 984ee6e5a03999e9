package httpapi

import (
	"context"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// How executions look in answers.

func summaryOf(e *index.Summary) rest.ExecutionSummary {
	return rest.ExecutionSummary{
		ExecutionID: e.ID, InstanceID: e.InstanceID, App: e.App, Job: e.Name,
		BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
		CreateTime: e.CreateTime, StartTime: e.StartTime, EndTime: e.EndTime, LastUpdatedTime: e.UpdateTime,
		Agent: agentRef(e.Agent), Attempt: e.Attempt, ScheduledFor: e.ScheduledFor, RestartOf: orNil(e.RestartOf),
	}
}

func (s *Server) executionOf(e *bus.Execution) rest.Execution {
	v := rest.Execution{
		ExecutionSummary: rest.ExecutionSummary{
			ExecutionID: e.ID, InstanceID: e.InstanceID, App: e.App, Job: s.cfg.Index.JobName(e.App, e.Job),
			BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
			CreateTime: e.CreateTime, StartTime: e.StartTime, EndTime: e.EndTime, LastUpdatedTime: e.UpdateTime,
			Agent: agentRef(e.Agent), Attempt: e.Attempt, ScheduledFor: e.ScheduledFor, RestartOf: orNil(e.RestartOf),
		},
		Exception:     orNil(e.Exception),
		JobParameters: e.Parameters,
		ScheduledDate: orNil(e.ScheduledDate),
		LogDropped:    e.LogDropped,
	}
	if len(e.StepExecutions) > 0 {
		v.StepExecutions = make([]rest.StepExecution, len(e.StepExecutions))
	}
	for i := range e.StepExecutions {
		v.StepExecutions[i] = stepOf(e.ID, &e.StepExecutions[i])
	}
	return v
}

func (s *Server) waitingFor(ctx context.Context, e *bus.Execution) rest.Waiting {
	return waitingOf(s.cfg.Executions.WaitingFor(ctx, e))
}

func waitingOf(w execution.Waiting) rest.Waiting {
	return rest.Waiting{For: orNil(w.For), Position: orNil(w.Position)}
}

func stepOf(execution int64, e *subjects.StepExecution) rest.StepExecution {
	return rest.StepExecution{
		DBID:            rest.DBID("step", strconv.FormatInt(execution, 10), strconv.FormatInt(e.ID, 10)),
		StepExecutionID: e.ID, StepName: e.Step,
		BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
		StartTime: e.StartTime, EndTime: e.EndTime, Exception: orNil(e.Exception),
	}
}

func (s *Server) eventOf(e *bus.Execution) rest.Event {
	return rest.Event{
		ExecutionID: e.ID, App: e.App, Job: s.cfg.Index.JobName(e.App, e.Job),
		BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
		Attempt: e.Attempt, Agent: agentRef(e.Agent),
		CreateTime: e.CreateTime, StartTime: e.StartTime, EndTime: e.EndTime, LastUpdatedTime: e.UpdateTime,
	}
}

// exitStatus is null until there is one. At the end it is the batch status if
// nobody said another (JSR-352 section 8.7).
func exitStatus(batch subjects.BatchStatus, exit string) *string {
	if exit == "" && batch.Ended() {
		exit = strings.ToUpper(string(batch))
	}
	return orNil(exit)
}

// orNil makes null of a zero value.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// agentRef names an agent, nil for none.
func agentRef(name string) *rest.AgentRef {
	if name == "" {
		return nil
	}
	return &rest.AgentRef{Name: name, InstanceID: execution.InstanceID(name)}
}
