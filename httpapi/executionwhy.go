package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// explainExecution answers why an execution was started, and why it waits, runs
// or has ended.
func (s *Server) explainExecution(ctx context.Context, in *ShortPath) (*answer[rest.ExecutionWhy], error) {
	e, err := s.execution(ctx, in.executionPath())
	if err != nil {
		return nil, err
	}
	x := executionStory{e: e, zone: s.cfg.TimeZone, name: s.cfg.Index.JobName, rows: s.rowsOf(ctx, e, e.ID), waiting: s.cfg.Executions.WaitingFor(ctx, e)}
	if e.RestartOf != 0 { // whoever restarted that one has started this one
		x.origin = s.rowsOf(ctx, e, e.RestartOf)
	}
	out := rest.ExecutionWhy{App: e.App, Job: s.cfg.Index.JobName(e.App, e.Job), ExecutionID: e.ID, BatchStatus: string(e.BatchStatus)}
	out.Facts = append(x.start(), x.course()...)
	if newest, err := s.newestRestart(ctx, e); err != nil {
		return nil, err
	} else if newest != nil {
		out.Facts = append(out.Facts, x.restart(newest))
	}
	return &answer[rest.ExecutionWhy]{out}, nil
}

// maxOfExecution is the number of rows of the audit about one execution that an
// answer reads.
const maxOfExecution = 50

// rowsOf returns what people did to the execution id since e was created, oldest
// first, if the user may read the audit. It is a hint: an audit that cannot be
// read is none.
func (s *Server) rowsOf(ctx context.Context, e *bus.Execution, id int64) []audit.Stored {
	if s.cfg.Audit == nil || checkPermission(ctx, readAudit, "") != nil {
		return nil
	}
	p, err := s.cfg.Audit.List(ctx, audit.Query{
		From: e.CreateTime.Std().Add(-time.Minute), App: e.App, Kind: "execution", Name: strconv.FormatInt(id, 10), Oldest: true, Limit: maxOfExecution,
	})
	if err != nil {
		s.log.Warn("audit not read", "app", e.App, "execution", id, "err", err)
	}
	return slices.DeleteFunc(p.Rows, func(r audit.Stored) bool { return r.Code != "" })
}

// maxRestarts is the number of restarts that an answer follows.
const maxRestarts = 100

// newestRestart returns the last execution of the chain of restarts that begins
// with e, or nil if nothing restarts e.
func (s *Server) newestRestart(ctx context.Context, e *bus.Execution) (newest *bus.Execution, err error) {
	for range maxRestarts {
		if e.RestartedBy == 0 {
			break
		}
		e, err = s.cfg.Executions.Get(ctx, e.App, e.Job, e.RestartedBy)
		if bus.HasCode(err, bus.CodeNoSuchExecution) { // it was deleted, or is about to be written
			break
		}
		if err != nil {
			return nil, err
		}
		newest = e
	}
	return newest, nil
}

// executionStory explains an execution from its record.
type executionStory struct {
	e       *bus.Execution
	zone    *time.Location
	name    func(app, job string) string
	rows    []audit.Stored // about the execution
	origin  []audit.Stored // about the execution that it restarts
	waiting execution.Waiting
}

func (x *executionStory) shownTime(t subjects.Time) string {
	return shownIn(x.zone, t)
}

// rowFor returns the first row of the audit whose action ends with a word, or
// nil.
func rowFor(rows []audit.Stored, action string) *audit.Stored {
	for i := range rows {
		if strings.HasSuffix(rows[i].Action, action) {
			return &rows[i]
		}
	}
	return nil
}

func (x *executionStory) factOf(kind string, at subjects.Time, format string, args ...any) rest.ExecutionFact {
	return rest.ExecutionFact{Kind: kind, Time: at, Text: fmt.Sprintf(format, args...)}
}

// factBy adds who did what a fact says.
func factBy(f rest.ExecutionFact, r *audit.Stored) rest.ExecutionFact {
	if r != nil {
		f.By = &r.User
		f.Text += " by " + r.User
	}
	f.Text += "."
	return f
}

// start explains why the execution was started.
func (x *executionStory) start() []rest.ExecutionFact {
	e, at := x.e, x.shownTime(x.e.CreateTime)
	var f rest.ExecutionFact
	switch {
	case e.RestartOf != 0 && e.Retry != nil && e.Retry.Run > 1:
		f = x.factOf("retry", e.CreateTime, "The bus started it at %s as run %d of %d: execution %d had failed.", at, e.Retry.Run, e.Retry.Attempts, e.RestartOf)
	case e.RestartOf != 0:
		f = factBy(x.factOf("restart", e.CreateTime, "It was started at %s as a restart of execution %d", at, e.RestartOf), rowFor(x.origin, "restart"))
	case len(e.Causes) > 0:
		var causes []string
		for _, c := range e.Causes {
			causes = append(causes, fmt.Sprintf("execution %d of %s", c.Execution, bus.JobKey(c.App, x.name(c.App, c.Job))))
		}
		f = x.factOf("trigger", e.CreateTime, "The triggers of the job started it at %s, after the end of %s.", at, strings.Join(causes, " and "))
	case e.Backfill != 0:
		f = x.factOf("backfill", e.CreateTime, "Backfill %d of schedule %s started it at %s.", e.Backfill, e.FiredBy(), at)
	case e.ScheduledFor != 0:
		f = x.factOf("schedule", e.CreateTime, "Schedule %s fired it at %s.", e.FiredBy(), at)
	default:
		f = factBy(x.factOf("user", e.CreateTime, "It was started through the API at %s", at), rowFor(x.rows, "executions"))
	}
	if e.ScheduledFor != 0 {
		f.Text += fmt.Sprintf(" It runs for %s", x.shownTime(e.ScheduledFor))
		if e.ScheduledDate != "" {
			f.Text += ", business date " + e.ScheduledDate
		}
		f.Text += "."
	}
	return []rest.ExecutionFact{f}
}

// course explains what became of the execution since its start.
func (x *executionStory) course() (all []rest.ExecutionFact) {
	e := x.e
	add := func(f rest.ExecutionFact) { all = append(all, f) }
	if e.Attempt > 1 {
		add(x.factOf("attempt", 0, "It is in attempt %d: an agent was lost in an earlier one.", e.Attempt))
	}
	switch {
	case x.waiting.For != "":
		add(rest.ExecutionFact{Kind: "waiting", Text: waitingText(x.waiting)})
	case e.StartTime != 0:
		add(x.factOf("running", e.StartTime, "It began on agent %s at %s.", cmp.Or(e.Agent, "(unknown)"), x.shownTime(e.StartTime)))
	}
	if stop := rowFor(x.rows, "stop"); stop != nil {
		add(factBy(x.factOf("stop", stop.Time, "A stop was requested at %s", x.shownTime(stop.Time)), stop))
	} else if e.StopRequest != "" {
		add(x.factOf("stop", 0, "A stop was requested."))
	}
	if e.TimedOut != 0 {
		add(x.factOf("timeout", e.TimedOut, "At %s it had run longer than its timeout of %v.", x.shownTime(e.TimedOut), time.Duration(e.TimeoutMS)*time.Millisecond))
	}
	if e.BatchStatus.Ended() {
		f := rest.ExecutionFact{Kind: "end", Time: e.EndTime, Text: endText(e, x.zone)}
		if abandon := rowFor(x.rows, "abandon"); abandon != nil && e.BatchStatus == subjects.Abandoned {
			all = append(all, factBy(f, abandon))
		} else {
			all = append(all, factBy(f, nil))
		}
	}
	if text := retryText(e, x.zone); text != "" {
		all = append(all, rest.ExecutionFact{Kind: "retry", Time: e.RetryDue, Text: text})
	}
	return all
}

// waitingText says for what an execution waits.
func waitingText(w execution.Waiting) string {
	if w.Position > 0 {
		return fmt.Sprintf("It waits, at position %d: %s.", w.Position, w.For)
	}
	return fmt.Sprintf("It waits: %s.", w.For)
}

// endText says how an execution has ended, without the full stop.
func endText(e *bus.Execution, zone *time.Location) string {
	text := fmt.Sprintf("It is %s since %s", e.BatchStatus, shownIn(zone, e.EndTime))
	if exit := codec.Cut(e.ExitStatus); exit != "" && !strings.EqualFold(exit, string(e.BatchStatus)) {
		text += ", with the exit status " + exit
	}
	if e.Exception != "" {
		text += ": " + codec.Cut(e.Exception)
	}
	return text
}

// shownIn returns a time in a zone, as sentences have it.
func shownIn(zone *time.Location, t subjects.Time) string {
	return scheduler.ShownTime(t.Std().In(cmp.Or(zone, time.UTC)))
}

// retryText says whether the bus is going to restart a failed execution, or "".
func retryText(e *bus.Execution, zone *time.Location) string {
	switch {
	case e.Retry == nil || e.BatchStatus != subjects.Failed || e.RestartedBy != 0:
		return ""
	case e.AwaitsRetry():
		return fmt.Sprintf("It was run %d of %d; the bus restarts it at %s.", e.Retry.Run, e.Retry.Attempts, shownIn(zone, e.RetryDue))
	case e.RetryEnded != "":
		return fmt.Sprintf("It was run %d of %d; the bus does not restart it: %s.", e.Retry.Run, e.Retry.Attempts, e.RetryEnded)
	}
	return ""
}

// restart says what became of the restarts of the execution.
func (x *executionStory) restart(newest *bus.Execution) rest.ExecutionFact {
	return rest.ExecutionFact{Kind: "restarted", Time: newest.CreateTime, Text: restartText(x.e, newest, x.zone)}
}

// restartText says what became of the restarts of an execution.
func restartText(e, newest *bus.Execution, zone *time.Location) string {
	text := fmt.Sprintf("Execution %d restarts it", newest.ID)
	if e.RestartedBy != newest.ID {
		text = fmt.Sprintf("It was restarted as execution %d, of which execution %d is the newest restart", e.RestartedBy, newest.ID)
	}
	if newest.Retry != nil && newest.Retry.Run > 1 {
		text += fmt.Sprintf(", as run %d of %d", newest.Retry.Run, newest.Retry.Attempts)
	}
	text += fmt.Sprintf("; that one is %s.", newest.BatchStatus)
	if retry := retryText(newest, zone); retry != "" {
		text += " " + retry
	}
	return text
}
