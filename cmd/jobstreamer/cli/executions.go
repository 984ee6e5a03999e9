package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) executionCommand() *cobra.Command {
	cmd := group("execution", "Executions: what became of them, stop and restart",
		`An execution is one time that a job runs. Its number is unique in the whole system. A restart goes on where an execution ended, in a new one.`,
		c.executionList(), c.executionShow(), c.executionStop(), c.executionAbandon(), c.executionRestart(), c.executionWait())
	cmd.Aliases = []string{"exec"}
	return cmd
}

func (c *CLI) executionList() *cobra.Command {
	cmd := c.leaf("list [JOB]", "List executions of a job, newest first; without one, the latest of each job", func(s *session, args []string) error {
		if len(args) == 0 {
			return showList(s, func(c *client.Client, p client.Page) (rest.List[rest.Job], error) {
				return c.Jobs(s.ctx, s.app, client.JobSearch{Page: p, SortBy: latestFirst})
			}, s.drawLatest)
		}
		return showList(s, func(c *client.Client, p client.Page) (rest.List[rest.ExecutionSummary], error) {
			return c.Executions(s.ctx, s.app, args[0], p)
		}, func(p *page, list rest.List[rest.ExecutionSummary]) {
			drawList(p, executionTable(p, list.Results, false), list, fmt.Sprintf("No executions of %s. `%s` starts one.", args[0], s.again("run "+args[0])))
		})
	})
	cmd.Long = `Lists executions of a job, newest first. Without a job it lists the latest execution of each one; --output json, yaml and edn have the jobs
around them then.`
	c.pageFlags(cmd)
	return c.flags(cmd)
}

func (s *session) drawLatest(p *page, list rest.List[rest.Job]) {
	var latest []rest.ExecutionSummary
	for _, j := range list.Results {
		if j.LatestExecution != nil {
			latest = append(latest, *j.LatestExecution)
		}
	}
	if len(latest) == 0 {
		fmt.Fprintf(p, "No executions. `%s` starts one.\n", s.again("run JOB"))
		return
	}
	p.table(executionTable(p, latest, true))
	drawMore(p, list)
}

// executionTable is a table of executions, with the names of their jobs if those differ.
func executionTable(p *page, all []rest.ExecutionSummary, jobs bool) *table {
	heads := []string{">EXECUTION", "STATUS", "EXIT STATUS", "STARTED", ">TOOK", "AGENT", "BECAUSE"}
	if jobs {
		heads = slices.Insert(heads, 1, "JOB")
	}
	t := newTable(heads...)
	for _, e := range all {
		row := []any{e.ExecutionID, status(e.BatchStatus), text(e.ExitStatus), p.at(e.StartTime), p.took(e.StartTime, e.EndTime), agentName(e.Agent), because(&e)}
		if jobs {
			row = slices.Insert(row, 1, any(e.Job))
		}
		t.row(row...)
	}
	return t
}

func agentName(a *rest.AgentRef) string {
	if a == nil {
		return ""
	}
	return a.Name
}

// because says why there is an execution, unless somebody just started it.
func because(e *rest.ExecutionSummary) string {
	var all []string
	if !e.ScheduledFor.IsZero() {
		all = append(all, "schedule")
	}
	if e.RestartOf != nil {
		all = append(all, fmt.Sprintf("restart of %d", *e.RestartOf))
	}
	if e.Attempt > 1 {
		all = append(all, fmt.Sprintf("attempt %d", e.Attempt))
	}
	return strings.Join(all, ", ")
}

func (c *CLI) executionShow() *cobra.Command {
	cmd := c.leaf("show EXECUTION|JOB", "Show an execution and its steps; of a job, the latest one", func(s *session, args []string) error {
		job, id, err := s.find(args[0])
		if err != nil {
			return err
		}
		return show(s, func(c *client.Client) (*rest.Execution, error) { return c.Execution(s.ctx, s.app, job, id) }, drawExecution)
	})
	c.watchFlags(cmd)
	return c.flags(cmd)
}

func drawExecution(p *page, e *rest.Execution) {
	var params []string
	for _, k := range slices.Sorted(maps.Keys(e.JobParameters)) {
		params = append(params, k+" = "+e.JobParameters[k])
	}
	exit := text(e.ExitStatus)
	if strings.EqualFold(exit, string(e.BatchStatus)) {
		exit = "" // it has no word of its own
	}
	p.fields("Execution", cell{fmt.Sprint(e.ExecutionID), bold}, "Job", e.Job, "Application", e.App, "Status", status(e.BatchStatus), "Exit status", exit,
		"Exception", cell{text(e.Exception), red}, "Because", because(&e.ExecutionSummary), "Scheduled for", p.at(e.ScheduledFor), "Agent", agentName(e.Agent),
		"Created", p.at(e.CreateTime), "Started", p.at(e.StartTime), "Ended", p.at(e.EndTime), "Took", p.took(e.StartTime, e.EndTime),
		"Parameters", strings.Join(params, "\n"), "Log", missing(e))
	if len(e.StepExecutions) == 0 {
		return
	}
	p.title("Steps")
	t := newTable("STEP", "STATUS", "EXIT STATUS", "STARTED", ">TOOK", "EXCEPTION")
	for _, x := range e.StepExecutions {
		t.row(x.StepName, status(x.BatchStatus), text(x.ExitStatus), p.at(x.StartTime), p.took(x.StartTime, x.EndTime), text(x.Exception))
	}
	p.table(t)
}

// missing says what the log does not have; nothing if it has all.
func missing(e *rest.Execution) string {
	switch e.LogDropped {
	case 0:
		return ""
	case 1:
		return "1 line of output is missing"
	}
	return fmt.Sprintf("%d lines of output are missing", e.LogDropped)
}

// find understands the number of an execution, and the name of a job, of which it is the latest one.
func (s *session) find(arg string) (job string, id int64, err error) {
	if id, err := number(arg); err == nil {
		return "", id, nil
	}
	j, _, err := s.client.Job(s.ctx, s.app, arg)
	switch {
	case client.Code(err) == "no_such_job":
		return "", 0, &explained{err, lines(fmt.Sprintf("%s is neither the number of an execution nor a job of the application %s", arg, s.app), s.advice("no_such_job"))}
	case err != nil:
		return "", 0, err
	case j.LatestExecution == nil:
		return "", 0, fmt.Errorf("the job %s was never executed; `%s` starts it", arg, s.again("run "+arg))
	}
	return j.Name, j.LatestExecution.ExecutionID, nil
}

func number(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id <= 0 {
		return 0, usage("%q: want the number of an execution", arg)
	}
	return id, nil
}

func (c *CLI) executionStop() *cobra.Command {
	return c.changing("stop EXECUTION...", "Ask executions to end", (*client.Client).Stop, func(f *pflag.FlagSet, wait *bool) {
		f.BoolVar(wait, "wait", false, "until they have ended; the exit status does not say how")
	})
}

func (c *CLI) executionAbandon() *cobra.Command {
	return c.changing("abandon EXECUTION...", "Give up executions that wait, or that were stopped or failed: they will not be restarted",
		(*client.Client).Abandon, func(*pflag.FlagSet, *bool) {})
}

// change changes an execution.
type change func(c *client.Client, ctx context.Context, app, job string, id int64) (*rest.Execution, error)

func (c *CLI) changing(use, short string, change change, flags func(f *pflag.FlagSet, wait *bool)) *cobra.Command {
	var wait bool
	cmd := c.leaf(use, short, func(s *session, args []string) error {
		for _, arg := range args {
			if err := s.change(arg, wait, change); err != nil {
				return err
			}
		}
		return nil
	})
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) { flags(f, &wait) })
	c.showFlags(cmd)
	return c.flags(cmd)
}

func (s *session) change(arg string, wait bool, change change) error {
	id, err := number(arg)
	if err != nil {
		return err
	}
	e, err := s.client.Execution(s.ctx, s.app, "", id) // whose path has the job
	if err != nil {
		return err
	}
	if wait {
		return s.changeAndWait(e, change)
	}
	return show(s, func(c *client.Client) (*rest.Execution, error) { return change(c, s.ctx, s.app, e.Job, id) }, func(p *page, e *rest.Execution) {
		fmt.Fprintf(p, "Execution %d of %s is %s.\n", e.ExecutionID, e.Job, p.in(status(e.BatchStatus).color, string(e.BatchStatus)))
	})
}

func (s *session) changeAndWait(e *rest.Execution, change change) error {
	e, err := change(s.client, s.ctx, s.app, e.Job, e.ExecutionID)
	if err != nil {
		return err
	}
	err = s.seeThrough(e, &start{})
	if errors.Is(err, ErrSaid) && s.ctx.Err() == nil {
		return nil // it ended, as was wanted
	}
	return err
}
