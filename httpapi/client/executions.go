package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Submission starts or restarts an execution.
type Submission struct {
	Parameters map[string]string // with Restart: nil means those of the predecessor, an empty map none
	// Sent again with this key and these parameters, it starts nothing more;
	// not with Restart.
	IdempotencyKey string
	Wait           time.Duration // return when it has ended, or after this time; at most an hour
}

// body returns the body to send, nil for none.
func (s Submission) body() any {
	if s.Parameters == nil {
		return nil
	}
	return rest.Submission{Parameters: s.Parameters}
}

func executionPath(app, job string, id int64, verb ...string) string {
	n := strconv.FormatInt(id, 10)
	if job == "" {
		return joinPath(append([]string{app, "execution", n}, verb...)...)
	}
	return joinPath(append([]string{app, "job", job, "execution", n}, verb...)...)
}

// Submit starts an execution. If the outcome is unknown, the error's [Problem]
// has the code outcome_unknown and the id of the execution: submit again with
// the same key, or get the execution.
func (c *Client) Submit(ctx context.Context, app, job string, s Submission) (e *rest.Execution, err error) {
	r := request{method: "POST", path: joinPath(app, "job", job, "executions"), query: waitQuery(s.Wait), body: s.body(), header: http.Header{}}
	if s.IdempotencyKey != "" {
		r.header.Set("Idempotency-Key", s.IdempotencyKey)
	}
	_, err = c.call(ctx, r, &e)
	return e, err
}

// Executions lists executions of a job, newest first.
func (c *Client) Executions(ctx context.Context, app, job string, p Page) (list rest.List[rest.ExecutionSummary], err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "job", job, "executions"), query: p.query()}, &list)
	return list, err
}

// ExecutionFilter selects executions that meet all given conditions.
type ExecutionFilter struct {
	Page
	App          string                 // empty: of all applications
	Of           string                 // of this job of App, alone
	Job          string                 // glob: * stands for any characters, ? for one
	Status       []subjects.BatchStatus // any of them
	ExitStatus   string                 // glob
	Since, Until time.Time              // of the start or, before it, of the creation; Until is not included
	Agent        string                 // glob
	Parameters   map[string]string      // all of them; see [rest.Executions] for what a search for them says
}

func (f *ExecutionFilter) query() url.Values {
	q := f.Page.query()
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("job", f.Job)
	set("exit_status", f.ExitStatus)
	set("agent", f.Agent)
	if !f.Since.IsZero() {
		set("since", f.Since.Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		set("until", f.Until.Format(time.RFC3339Nano))
	}
	for _, s := range f.Status {
		q.Add("status", string(s))
	}
	for name, value := range f.Parameters {
		q.Add("parameter", name+"="+value)
	}
	return q
}

// FindExecutions lists the executions that f selects, newest first.
func (c *Client) FindExecutions(ctx context.Context, f ExecutionFilter) (list rest.Executions, err error) {
	at := "/executions"
	switch {
	case f.Of != "":
		at = joinPath(f.App, "job", f.Of, "executions")
	case f.App != "":
		at = joinPath(f.App, "executions")
	}
	_, err = c.call(ctx, request{method: "GET", path: at, query: f.query()}, &list)
	return list, err
}

// DeleteExecutions deletes all ended executions of a job.
func (c *Client) DeleteExecutions(ctx context.Context, app, job string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath(app, "job", job, "executions")}, nil)
	return err
}

// Execution returns an execution; job may be empty.
func (c *Client) Execution(ctx context.Context, app, job string, id int64) (e *rest.Execution, err error) {
	return c.Await(ctx, app, job, id, 0)
}

// Await waits until an execution has ended, at most for d or an hour, and
// returns its present state; job may be empty.
func (c *Client) Await(ctx context.Context, app, job string, id int64, d time.Duration) (e *rest.Execution, err error) {
	_, err = c.call(ctx, request{method: "GET", path: executionPath(app, job, id), query: waitQuery(d)}, &e)
	return e, err
}

// Stop asks an execution to end. It may run for a while after that.
func (c *Client) Stop(ctx context.Context, app, job string, id int64) (e *rest.Execution, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: executionPath(app, job, id, "stop")}, &e)
	return e, err
}

// Abandon abandons an execution that waits, was stopped or has failed: it
// cannot be restarted.
func (c *Client) Abandon(ctx context.Context, app, job string, id int64) (e *rest.Execution, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: executionPath(app, job, id, "abandon")}, &e)
	return e, err
}

// Restart continues where an execution ended. It returns the new execution.
func (c *Client) Restart(ctx context.Context, app, job string, id int64, s Submission) (e *rest.Execution, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: executionPath(app, job, id, "restart"), query: waitQuery(s.Wait), body: s.body()}, &e)
	return e, err
}
