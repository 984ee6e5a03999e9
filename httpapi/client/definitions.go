package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Apps lists applications by name.
func (c *Client) Apps(ctx context.Context, p Page) (list rest.List[rest.AppInfo], err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/apps", query: p.query()}, &list)
	return list, err
}

// App returns an application with its entity tag.
func (c *Client) App(ctx context.Context, app string) (a *rest.AppInfo, etag string, err error) {
	h, err := c.call(ctx, request{method: "GET", path: joinPath("app", app)}, &a)
	return a, h.Get("ETag"), err
}

// PutApp creates or overwrites an application.
func (c *Client) PutApp(ctx context.Context, app rest.App, k Condition) (a *rest.AppInfo, etag string, err error) {
	h, err := c.call(ctx, request{method: "PUT", path: joinPath("app", app.Name), header: k.header(), body: app}, &a)
	return a, h.Get("ETag"), err
}

// DeleteApp deletes an application that has no jobs.
func (c *Client) DeleteApp(ctx context.Context, app string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("app", app)}, nil)
	return err
}

// Stats counts what belongs to an application.
func (c *Client) Stats(ctx context.Context, app string) (s rest.AppStats, err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "stats")}, &s)
	return s, err
}

// JobSearch selects and sorts jobs.
type JobSearch struct {
	Page
	Query  string // words, since:2016-09-09, batch-status:failed ...; all jobs if empty
	SortBy string // such as last_execution_started:desc; by name if empty
}

// Jobs lists jobs of an application.
func (c *Client) Jobs(ctx context.Context, app string, s JobSearch) (list rest.List[rest.Job], err error) {
	q := s.query()
	if s.Query != "" {
		q.Set("q", s.Query)
	}
	if s.SortBy != "" {
		q.Set("sort_by", s.SortBy)
	}
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "jobs"), query: q}, &list)
	return list, err
}

// Job returns a job with its definition and its entity tag.
func (c *Client) Job(ctx context.Context, app, job string) (j *rest.Job, etag string, err error) {
	h, err := c.call(ctx, request{method: "GET", path: joinPath(app, "job", job)}, &j)
	return j, h.Get("ETag"), err
}

// PostJob creates or overwrites the job that a definition in JSON names.
func (c *Client) PostJob(ctx context.Context, app string, definition []byte, k Condition) (j *rest.Job, etag string, err error) {
	return c.writeJob(ctx, request{method: "POST", path: joinPath(app, "jobs"), header: k.header(), body: definition})
}

// PutJob creates or overwrites a job by a definition in JSON. If the id of the
// definition is another name, an existing job is renamed.
func (c *Client) PutJob(ctx context.Context, app, job string, definition []byte, k Condition) (j *rest.Job, etag string, err error) {
	return c.writeJob(ctx, request{method: "PUT", path: joinPath(app, "job", job), header: k.header(), body: definition})
}

// ApplyJob creates or overwrites a job by a definition in any format:
// application/json, application/yaml, application/edn or application/xml.
// Without a job name it uses the name in the definition.
func (c *Client) ApplyJob(ctx context.Context, app, job, media string, definition []byte, k Condition) (j *rest.Job, etag string, err error) {
	r := request{method: "PUT", path: joinPath(app, "job", job), header: k.header(), body: definition, media: media}
	if job == "" {
		r.method, r.path = "POST", joinPath(app, "jobs")
	}
	return c.writeJob(ctx, r)
}

// RenameJob gives a job another name. Its executions, schedule and settings
// stay. If another client changes the job meanwhile, the error has the status
// 412.
func (c *Client) RenameJob(ctx context.Context, app, job, to string) (j *rest.Job, etag string, err error) {
	was, etag, err := c.Job(ctx, app, job)
	if err != nil {
		return nil, "", err
	}
	def, err := jsl.Restore(was.Definition.JSON)
	if err != nil {
		return nil, "", fmt.Errorf("rename job %s: %w", job, err)
	}
	def.ID = to
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // a diagram would grow beyond what a body may have
	err = e.Encode(map[string]any{
		"job/name": to, "job/definition": def, "job/bpmn-xml-notation": was.BPMNXMLNotation, "job/svg-notation": was.SVGNotation,
	})
	if err != nil {
		return nil, "", fmt.Errorf("rename job %s: %w", job, err)
	}
	return c.PutJob(ctx, app, job, body.Bytes(), Condition{ETag: etag})
}

// Definition copies the definition of a job, in one of the formats of
// [Client.ApplyJob].
func (c *Client) Definition(ctx context.Context, app, job, media string, to io.Writer) error {
	_, err := c.As(media, to).call(ctx, request{method: "GET", path: joinPath(app, "job", job, "definition")}, nil)
	return err
}

// File copies a job's file, in one of the formats of [Client.ApplyJob]:
// definition, schedule and settings.
func (c *Client) File(ctx context.Context, app, job, media string, to io.Writer) error {
	_, err := c.As(media, to).call(ctx, request{method: "GET", path: joinPath(app, "job", job, "file")}, nil)
	return err
}

// PreviewJob returns what [Client.ApplyJob] would change, without changing it.
// The entity tag is that of the existing job, empty if there is none.
func (c *Client) PreviewJob(ctx context.Context, app, media string, file []byte) (j *rest.JobPreview, etag string, err error) {
	h, err := c.call(ctx, request{method: "POST", path: joinPath(app, "jobs", "preview"), body: file, media: media}, &j)
	return j, h.Get("ETag"), err
}

func (c *Client) writeJob(ctx context.Context, r request) (j *rest.Job, etag string, err error) {
	h, err := c.call(ctx, r, &j)
	return j, h.Get("ETag"), err
}

// DeleteJob deletes a job with its schedules, and with its history unless
// keepHistory is set.
func (c *Client) DeleteJob(ctx context.Context, app, job string, keepHistory bool, k Condition) error {
	r := request{method: "DELETE", path: joinPath(app, "job", job), header: k.header()}
	if keepHistory {
		r.path += "?keep=history"
	}
	_, err := c.call(ctx, r, nil)
	return err
}

// schedulePath returns the path of a schedule of a job. The empty name stands
// for the default schedule, by the path that older control buses know.
func schedulePath(app, job, name string, more ...string) string {
	parts := []string{app, "job", job, "schedule"}
	if name != "" && name != "default" {
		parts = append(parts, name)
	}
	return joinPath(append(parts, more...)...)
}

// PutSchedule creates or replaces a schedule of a job. The empty name stands for
// the default schedule.
func (c *Client) PutSchedule(ctx context.Context, app, job, name string, s rest.NewSchedule) (is *rest.Schedule, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: schedulePath(app, job, name), body: s}, &is)
	return is, err
}

// Schedules lists the schedules of a job, the default one first.
func (c *Client) Schedules(ctx context.Context, app, job string) (list rest.Schedules, err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "job", job, "schedules")}, &list)
	return list, err
}

// Preview returns the next fires of a schedule, which need not belong to a job.
func (c *Client) Preview(ctx context.Context, p rest.NewPreview) (fires rest.Preview, err error) {
	_, err = c.call(ctx, request{method: "POST", path: "/schedule/preview", body: p}, &fires)
	return fires, err
}

// FireFilter selects nominal times that are not before From and are before To.
// A zero time sets no limit.
type FireFilter struct {
	Schedule string // empty: all schedules of the job
	From, To time.Time
	Limit    int // default: 20
}

func (f FireFilter) query() url.Values {
	query := url.Values{}
	for name, t := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !t.IsZero() {
			query.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	if f.Schedule != "" {
		query.Set("schedule", f.Schedule)
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	return query
}

// Fires lists the decisions about the nominal times of a job's schedules,
// newest first.
func (c *Client) Fires(ctx context.Context, app, job string, f FireFilter) (fires rest.Fires, err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "job", job, "fires"), query: f.query()}, &fires)
	return fires, err
}

// Forecast lists what schedules are going to fire from one moment until before
// another, at most limit fires. The empty app stands for all applications.
func (c *Client) Forecast(ctx context.Context, app string, from, to time.Time, limit int) (f rest.Forecast, err error) {
	query := url.Values{"from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(limit)}}
	if app != "" {
		query.Set("app", app)
	}
	_, err = c.call(ctx, request{method: "GET", path: "/forecast", query: query}, &f)
	return f, err
}

// Why explains why a job did or did not start at a moment; the zero time means
// now.
func (c *Client) Why(ctx context.Context, app, job string, at time.Time) (why rest.Why, err error) {
	query := url.Values{}
	if !at.IsZero() {
		query.Set("at", at.Format(time.RFC3339Nano))
	}
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "job", job, "why"), query: query}, &why)
	return why, err
}

// WhyExecution explains why an execution was started, and why it waits, runs or
// has ended.
func (c *Client) WhyExecution(ctx context.Context, app string, id int64) (why rest.ExecutionWhy, err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "execution", strconv.FormatInt(id, 10), "why")}, &why)
	return why, err
}

// Backfill fires past nominal times of a schedule of a job.
func (c *Client) Backfill(ctx context.Context, app, job string, b rest.NewBackfill) (is rest.Backfill, err error) {
	_, err = c.call(ctx, request{method: "POST", path: joinPath(app, "job", job, "backfill"), body: b}, &is)
	return is, err
}

// Backfills says how far the backfills of a job are.
func (c *Client) Backfills(ctx context.Context, app, job string) (all rest.Backfills, err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "job", job, "backfill")}, &all)
	return all, err
}

// CancelBackfill closes the fires of a backfill that wait, or of all backfills
// of the job if id is 0.
func (c *Client) CancelBackfill(ctx context.Context, app, job string, id int64) (is rest.CancelledBackfill, err error) {
	query := url.Values{}
	if id != 0 {
		query.Set("id", strconv.FormatInt(id, 10))
	}
	_, err = c.call(ctx, request{method: "DELETE", path: joinPath(app, "job", job, "backfill"), query: query}, &is)
	return is, err
}

// PauseSchedule stops a schedule of a job from firing until it is resumed. The
// empty name stands for the default schedule. The reason may be empty.
func (c *Client) PauseSchedule(ctx context.Context, app, job, name, reason string) (is *rest.Schedule, err error) {
	r := request{method: "PUT", path: schedulePath(app, job, name, "pause")}
	if reason != "" {
		r.body = rest.NewPause{Reason: reason}
	}
	_, err = c.call(ctx, r, &is)
	return is, err
}

// ResumeSchedule makes a schedule of a job fire again. With catchUp, the times
// that passed during the pause count as misfires; otherwise they are skipped.
func (c *Client) ResumeSchedule(ctx context.Context, app, job, name string, catchUp bool) (is *rest.ResumedSchedule, err error) {
	r := request{method: "PUT", path: schedulePath(app, job, name, "resume")}
	if catchUp {
		r.body = rest.NewResumption{CatchUp: true}
	}
	_, err = c.call(ctx, r, &is)
	return is, err
}

// PauseSchedules stops all schedules of an application from firing until they
// are resumed. The empty app stands for all applications. The reason may be
// empty.
func (c *Client) PauseSchedules(ctx context.Context, app, reason string) (is rest.GroupPause, err error) {
	r := request{method: "PUT", path: schedulesPath(app, "pause")}
	if reason != "" {
		r.body = rest.NewPause{Reason: reason}
	}
	_, err = c.call(ctx, r, &is)
	return is, err
}

// ResumeSchedules ends a pause of PauseSchedules. With catchUp, the times that
// passed during the pause count as misfires; otherwise they are skipped.
func (c *Client) ResumeSchedules(ctx context.Context, app string, catchUp bool) (is rest.GroupResumed, err error) {
	r := request{method: "PUT", path: schedulesPath(app, "resume")}
	if catchUp {
		r.body = rest.NewResumption{CatchUp: true}
	}
	_, err = c.call(ctx, r, &is)
	return is, err
}

// schedulesPath returns a path below the schedules of an application, or of all.
func schedulesPath(app, what string) string {
	if app == "" {
		return joinPath("schedules", what)
	}
	return joinPath(app, "schedules", what)
}

// DeleteSchedule removes a schedule of a job.
func (c *Client) DeleteSchedule(ctx context.Context, app, job, name string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: schedulePath(app, job, name)}, nil)
	return err
}

// Agents lists agents by name.
func (c *Client) Agents(ctx context.Context, p Page) (list rest.List[rest.Agent], err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/agents", query: p.query()}, &list)
	return list, err
}

// Agent returns an agent, by its name or instance id, with its newest
// executions.
func (c *Client) Agent(ctx context.Context, agent string) (a *rest.Agent, err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath("agent", agent)}, &a)
	return a, err
}

// BlockAgent stops an agent from taking new work.
func (c *Client) BlockAgent(ctx context.Context, agent string) (a *rest.Agent, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: joinPath("agent", agent, "block")}, &a)
	return a, err
}

// UnblockAgent lets an agent take new work again.
func (c *Client) UnblockAgent(ctx context.Context, agent string) (a *rest.Agent, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: joinPath("agent", agent, "unblock")}, &a)
	return a, err
}
