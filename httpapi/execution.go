package httpapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxKey is the greatest length of an Idempotency-Key.
const maxKey = 255

// ExecutionPath is an execution in a path.
type ExecutionPath struct {
	JobPath
	ID string `path:"id" doc:"Id of the execution."`
}

// ShortPath is an execution in a path without its job.
type ShortPath struct {
	AppPath
	ID string `path:"id" doc:"Id of the execution."`
}

// Resolve checks the application. The embedded Resolve alone would not be
// called: see checkResolvers.
func (p *ShortPath) Resolve(ctx huma.Context) []error { return p.AppPath.Resolve(ctx) }

// executionPath returns the path of the execution without its job.
func (p ShortPath) executionPath() ExecutionPath { return ExecutionPath{JobPath{App: p.App}, p.ID} }

// Wait is how long an answer waits for the end of an execution.
type Wait struct {
	For string `query:"wait" example:"30s" doc:"The answer comes when the execution has ended, or after this time, such as 30s or 5m; at most 1h."`
}

// maxReads is how many records one request reads concurrently.
const maxReads = 32

// readConcurrently calls read for 0 to n-1, up to maxReads at a time.
func readConcurrently(ctx context.Context, n int, read func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxReads)
	for i := range n {
		g.Go(func() error { return read(ctx, i) })
	}
	return g.Wait()
}

type postExecution struct {
	JobPath
	Wait
	IdempotencyKey string `header:"Idempotency-Key" doc:"Within half an hour, requests with the same key and the same parameters start only one execution."`
	Sent           body[rest.Submission]
}

// begun is the answer with a new execution.
type begun struct {
	Status   int
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed" doc:"true if an earlier request started the execution."`
	Body     *rest.Execution
}

func (s *Server) postExecution(ctx context.Context, in *postExecution) (*begun, error) {
	wait, err := in.duration()
	if err != nil {
		return nil, err
	}
	if err := checkKey(in.IdempotencyKey); err != nil {
		return nil, err
	}
	e, created, err := s.cfg.Executions.Submit(ctx, execution.Submission{
		App: in.App, Job: in.job.Key, Parameters: in.Sent.value.Parameters, IdempotencyKey: in.IdempotencyKey,
	})
	if err != nil && e == nil { // no such application is another matter than no such job
		if _, _, err := s.findApp(ctx, in.App); err != nil {
			return nil, err
		}
	}
	return s.answerStart(ctx, e, created, err, wait)
}

// checkKey accepts visible ASCII only.
func checkKey(key string) error {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' || i >= maxKey {
			return codec.ParameterFault("Idempotency-Key", "at most 255 visible ASCII characters", key)
		}
	}
	return nil
}

// answerStart answers with the execution that a request started, or perhaps
// started.
func (s *Server) answerStart(ctx context.Context, e *bus.Execution, created bool, err error, wait time.Duration) (*begun, error) {
	if e != nil && recordOf(ctx).row.Name == "" { // the name is that of a restarted execution
		noteExecution(ctx, e.ID)
	}
	if err != nil {
		if e != nil && errors.Is(err, bus.ErrUnknown) {
			err = &unknownError{e.ID, err}
		}
		return nil, err
	}
	if err := s.settleAudit(ctx, nil); err != nil {
		return nil, err
	}
	if e, err = s.awaitEnd(ctx, e, wait); err != nil {
		return nil, err
	}
	v := s.executionOf(e)
	if wait > 0 { // else it is known to wait, and a flood of starts shall not count the queue each time
		v.Waiting = s.waitingFor(ctx, e)
	}
	out := &begun{Status: 201, Location: executionURL(&v), Body: &v}
	if !created {
		out.Replayed = "true"
	}
	return out, nil
}

func executionURL(e *rest.Execution) string {
	return jobURL(e.App, e.Job) + "/execution/" + strconv.FormatInt(e.ExecutionID, 10)
}

// awaitEnd waits until the execution has ended, at most for the given time, and
// returns its present state.
func (s *Server) awaitEnd(ctx context.Context, e *bus.Execution, wait time.Duration) (*bus.Execution, error) {
	if wait == 0 || e.BatchStatus.Ended() {
		return e, nil
	}
	until, cancel := s.untilClosing(ctx)
	defer cancel()
	until, cancel = context.WithTimeout(until, wait)
	defer cancel()
	if ended, err := s.cfg.Executions.Wait(until, e.App, e.Job, e.ID); err == nil {
		return ended, nil
	}
	return s.cfg.Executions.Get(ctx, e.App, e.Job, e.ID)
}

const maxWait = time.Hour

// duration parses the parameter wait. A number without a unit means seconds.
func (w Wait) duration() (time.Duration, error) {
	if w.For == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(w.For)
	if n, nerr := strconv.ParseUint(w.For, 10, 16); nerr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d > maxWait {
		return 0, codec.ParameterFault("wait", "a duration such as 30s, at most "+maxWait.String(), w.For)
	}
	return d, nil
}

func (s *Server) deleteExecutions(ctx context.Context, in *JobPath) (*struct{}, error) {
	if _, hits := s.cfg.Index.Executions(in.App, in.job.Key, 0, 1); hits == 0 {
		if _, err := s.findJob(ctx, in); err != nil {
			return nil, err
		}
	}
	return nil, s.cfg.Executions.DeleteHistory(ctx, in.App, in.job.Key)
}

// With selects what the answer has besides the execution.
type With struct {
	What string `query:"with" enum:"logs" doc:"With logs, the answer also has the output of each step."`
}

type getExecution struct {
	ExecutionPath
	Wait
	With
}

type findExecution struct {
	ShortPath
	Wait
	With
}

func (s *Server) findExecution(ctx context.Context, in *findExecution) (*answer[rest.Execution], error) {
	return s.getExecution(ctx, &getExecution{in.executionPath(), in.Wait, in.With})
}

func (s *Server) getExecution(ctx context.Context, in *getExecution) (*answer[rest.Execution], error) {
	wait, err := in.duration()
	if err != nil {
		return nil, err
	}
	e, err := s.execution(ctx, in.ExecutionPath)
	if err != nil {
		return nil, err
	}
	if e, err = s.awaitEnd(ctx, e, wait); err != nil {
		return nil, err
	}
	v := s.executionOf(e)
	v.Waiting = s.waitingFor(ctx, e)
	if in.What == "logs" && len(v.StepExecutions) > 0 {
		lines, err := s.streams.Log(e).ReadLastLines(ctx)
		if err != nil {
			return nil, err
		}
		for i := range v.StepExecutions {
			step := &v.StepExecutions[i]
			step.Logs = linesOfStep(lines, step.StepName)
			if step.BatchStatus == subjects.Failed {
				*step.Logs = append(*step.Logs, failureOf(step, e))
			}
		}
	}
	return &answer[rest.Execution]{v}, nil
}

// failureOf returns the log line by which consoles show why a step failed.
func failureOf(step *rest.StepExecution, e *bus.Execution) rest.LogLine {
	why := e.Exception
	if step.Exception != nil {
		why = *step.Exception
	}
	return rest.LogLine{
		Time: step.EndTime, Attempt: e.Attempt, Level: "error", Stream: "agent", Step: step.StepName, Message: "the step failed", Exception: why,
	}
}

// parseID returns the id of the execution. A text that is not a number is the
// id of no execution.
func (p ExecutionPath) parseID() (int64, error) {
	id, err := strconv.ParseInt(p.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, bus.State(bus.CodeNoSuchExecution, "there is no execution %s", codec.Cut(p.ID))
	}
	return id, nil
}

func (s *Server) execution(ctx context.Context, p ExecutionPath) (*bus.Execution, error) {
	id, err := p.parseID()
	if err != nil {
		return nil, err
	}
	return s.cfg.Executions.Get(ctx, p.App, p.job.Key, id)
}

type changeExecution struct {
	ExecutionPath
	Wait
}

func (s *Server) stopExecution(ctx context.Context, in *changeExecution) (*answer[rest.Execution], error) {
	return s.changeExecution(ctx, in, s.cfg.Executions.Stop)
}

func (s *Server) abandonExecution(ctx context.Context, in *changeExecution) (*answer[rest.Execution], error) {
	return s.changeExecution(ctx, in, s.cfg.Executions.Abandon)
}

func (s *Server) changeExecution(ctx context.Context, in *changeExecution, change func(ctx context.Context, app, job string, id int64) (*bus.Execution, error)) (*answer[rest.Execution], error) {
	id, err := in.parseID()
	if err != nil {
		return nil, err
	}
	wait, err := in.duration()
	if err != nil {
		return nil, err
	}
	e, err := change(ctx, in.App, in.job.Key, id)
	if err != nil {
		return nil, err
	}
	if err := s.settleAudit(ctx, nil); err != nil {
		return nil, err
	}
	if e, err = s.awaitEnd(ctx, e, wait); err != nil {
		return nil, err
	}
	v := s.executionOf(e)
	v.Waiting = s.waitingFor(ctx, e)
	return &answer[rest.Execution]{v}, nil
}

type restartExecution struct {
	ExecutionPath
	Wait
	Sent body[rest.Submission]
}

func (s *Server) restartExecution(ctx context.Context, in *restartExecution) (*begun, error) {
	wait, err := in.duration()
	if err != nil {
		return nil, err
	}
	id, err := in.parseID()
	if err != nil {
		return nil, err
	}
	e, created, err := s.cfg.Executions.Restart(ctx, in.App, in.job.Key, id, in.Sent.value.Parameters)
	return s.answerStart(ctx, e, created, err, wait)
}

// Below: executions as answers show them.

func summaryOf(e *index.Summary) rest.ExecutionSummary {
	return rest.ExecutionSummary{
		ExecutionID: e.ID, InstanceID: e.InstanceID, App: e.App, Job: e.Name,
		BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
		CreateTime: e.CreateTime, StartTime: e.StartTime, EndTime: e.EndTime, LastUpdatedTime: e.UpdateTime,
		Agent: agentRef(e.Agent), Attempt: e.Attempt, ScheduledFor: e.ScheduledFor, Schedule: orNil(e.Schedule), BackfillID: orNil(e.Backfill), RestartOf: orNil(e.RestartOf),
	}
}

func (s *Server) executionOf(e *bus.Execution) rest.Execution {
	v := rest.Execution{
		ExecutionSummary: rest.ExecutionSummary{
			ExecutionID: e.ID, InstanceID: e.InstanceID, App: e.App, Job: s.cfg.Index.JobName(e.App, e.Job),
			BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
			CreateTime: e.CreateTime, StartTime: e.StartTime, EndTime: e.EndTime, LastUpdatedTime: e.UpdateTime,
			Agent: agentRef(e.Agent), Attempt: e.Attempt, ScheduledFor: e.ScheduledFor, Schedule: orNil(e.FiredBy()), BackfillID: orNil(e.Backfill), RestartOf: orNil(e.RestartOf),
		},
		Exception:     orNil(e.Exception),
		JobParameters: e.Parameters,
		ScheduledDate: orNil(e.ScheduledDate),
		TriggeredBy:   s.causesOf(e.Causes),
		LogDropped:    e.LogDropped,
		Retry:         retryOf(e),
		RestartedBy:   orNil(e.RestartedBy),
	}
	if len(e.StepExecutions) > 0 {
		v.StepExecutions = make([]rest.StepExecution, len(e.StepExecutions))
	}
	for i := range e.StepExecutions {
		v.StepExecutions[i] = stepOf(e, &e.StepExecutions[i])
	}
	for i := range e.Before {
		v.EarlierSteps = append(v.EarlierSteps, earlierStepOf(&e.Before[i]))
	}
	return v
}

func retryOf(e *bus.Execution) *rest.Retry {
	if e.Retry == nil {
		return nil
	}
	v := &rest.Retry{Run: e.Retry.Run, Of: e.Retry.Attempts, Ended: orNil(e.RetryEnded)}
	if e.AwaitsRetry() {
		v.Due = e.RetryDue
	}
	return v
}

func (s *Server) waitingFor(ctx context.Context, e *bus.Execution) rest.Waiting {
	return waitingOf(s.cfg.Executions.WaitingFor(ctx, e))
}

func waitingOf(w execution.Waiting) rest.Waiting {
	return rest.Waiting{For: orNil(w.For), Position: orNil(w.Position)}
}

func (s *Server) eventOf(e *bus.Execution) rest.Event {
	return rest.Event{
		ExecutionID: e.ID, App: e.App, Job: s.cfg.Index.JobName(e.App, e.Job),
		BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
		Attempt: e.Attempt, Agent: agentRef(e.Agent),
		CreateTime: e.CreateTime, StartTime: e.StartTime, EndTime: e.EndTime, LastUpdatedTime: e.UpdateTime,
		CurrentSteps: currentStepsOf(e.StepExecutions),
	}
}

// exitStatus returns nil until there is an exit status. At the end it is the
// batch status unless the job set another (JSR-352 section 8.7).
func exitStatus(batch subjects.BatchStatus, exit string) *string {
	if exit == "" && batch.Ended() {
		exit = strings.ToUpper(string(batch))
	}
	return orNil(exit)
}

// orNil returns nil for a zero value.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// agentRef returns the reference to an agent, nil for none.
func agentRef(name string) *rest.AgentRef {
	if name == "" {
		return nil
	}
	return &rest.AgentRef{Name: name, InstanceID: agents.InstanceID(name)}
}
