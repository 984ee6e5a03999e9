package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (c *CLI) executionCommand() *cobra.Command {
	cmd := groupCommand("execution", "Manage executions: list, stop, restart and wait for them",
		`An execution is one run of a job. Its number is unique in the whole system. A restart is a new execution that continues where the old one ended.`,
		c.executionList(), c.executionShow(), c.executionStop(), c.executionAbandon(), c.executionRestart(), c.executionRerun(), c.executionWait())
	cmd.Aliases = []string{"exec"}
	return cmd
}

// executionTable returns a table of executions, with the names of their jobs if
// jobs is true.
func executionTable(p *page, all []rest.ExecutionSummary, jobs bool) *table {
	heads := []string{">EXECUTION", "STATUS", "EXIT STATUS", "STARTED", ">TOOK", "AGENT", "REASON"}
	if jobs {
		heads = slices.Insert(heads, 1, "JOB")
	}
	t := newTable(heads...).withOptional("EXIT STATUS", "REASON").withDrops("REASON", "TOOK", "AGENT", "EXIT STATUS").withCuts("REASON", "EXIT STATUS")
	for _, e := range all {
		row := []any{e.ExecutionID, statusCell(e.BatchStatus), ownExit(e.ExitStatus, e.BatchStatus), p.timeCell(e.StartTime), p.tookText(e.StartTime, e.EndTime), agentName(e.Agent), startReason(&e)}
		if jobs {
			row = slices.Insert(row, 1, any(e.Job))
		}
		t.addRow(row...)
	}
	return t
}

// ownExit returns the exit status, or "" if it only repeats the batch status.
func ownExit(exit *string, s subjects.BatchStatus) string {
	if strings.EqualFold(textOf(exit), string(s)) {
		return ""
	}
	return textOf(exit)
}

func agentName(a *rest.AgentRef) string {
	if a == nil {
		return ""
	}
	return a.Name
}

// startReason returns the origin of an execution, or "" if a user simply
// started it.
func startReason(e *rest.ExecutionSummary) string {
	var all []string
	if !e.ScheduledFor.IsZero() {
		all = append(all, "schedule")
	}
	if e.BackfillID != nil {
		all = append(all, fmt.Sprintf("backfill %d", *e.BackfillID))
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
	cmd := c.serverCommand("show EXECUTION|JOB", "Show an execution and its steps; for a job, its latest execution", func(inv *invocation, args []string) error {
		job, id, err := inv.findExecution(args[0])
		if err != nil {
			return err
		}
		return showAnswer(inv, func(c *client.Client) (*shownExecution, error) { return inv.readShownExecution(c, job, id) }, drawShownExecution)
	})
	c.watchFlags(cmd)
	return c.appFlags(cmd)
}

func drawExecution(p *page, e *rest.Execution) {
	drawExecutionFields(p, e)
	drawSteps(p, e)
}

// drawShownExecution draws an execution with the flow of its job. The steps of a
// job that is a list of batchlets are a table.
func drawShownExecution(p *page, v *shownExecution) {
	drawExecutionFields(p, v.Execution)
	if v.job != nil && (hasFlow(v.job) || len(v.EarlierSteps) > 0) {
		drawFlow(p, v.Execution, v.job)
		return
	}
	drawSteps(p, v.Execution)
}

func drawExecutionFields(p *page, e *rest.Execution) {
	var params []string
	for _, k := range slices.Sorted(maps.Keys(e.JobParameters)) {
		params = append(params, k+" = "+e.JobParameters[k])
	}
	p.writeFields("Execution", cell{fmt.Sprint(e.ExecutionID), bold}, "Job", e.Job, "Application", e.App, "Status", statusCell(e.BatchStatus), "Exit status", ownExit(e.ExitStatus, e.BatchStatus),
		"Waiting for", waitingText(&e.Waiting),
		"Exception", cell{textOf(e.Exception), red}, "Reason", startReason(&e.ExecutionSummary), "Retry", retryText(p, e), "Scheduled for", p.timeText(e.ScheduledFor), "Agent", agentName(e.Agent),
		"Created", p.timeText(e.CreateTime), "Started", p.timeText(e.StartTime), "Ended", p.timeText(e.EndTime), "Took", p.tookText(e.StartTime, e.EndTime),
		"Parameters", strings.Join(params, "\n"), "Log", missingOutput(e))
}

// drawSteps draws the steps that have begun as a table.
func drawSteps(p *page, e *rest.Execution) {
	if len(e.StepExecutions) == 0 {
		return
	}
	p.writeTitle("Steps")
	t := newTable("STEP", "STATUS", "EXIT STATUS", "STARTED", ">TOOK", "VALUES", "EXCEPTION").
		withOptional("EXIT STATUS", "VALUES", "EXCEPTION").withDrops("TOOK", "STARTED", "EXIT STATUS", "VALUES").withCuts("VALUES", "EXCEPTION", "EXIT STATUS")
	for _, x := range e.StepExecutions {
		t.addRow(x.StepName, statusCell(x.BatchStatus), ownExit(x.ExitStatus, x.BatchStatus), p.timeCell(x.StartTime), p.tookText(x.StartTime, x.EndTime), valuesText(x.Values), textOf(x.Exception))
	}
	p.writeTable(t)
}

// retryText returns which run of the job an execution is, and what becomes of
// it.
func retryText(p *page, e *rest.Execution) string {
	r := e.Retry
	if r == nil {
		return ""
	}
	text := fmt.Sprintf("run %d of %d", r.Run, r.Of)
	switch {
	case e.RestartedBy != nil:
		text += fmt.Sprintf("; restarted as %d", *e.RestartedBy)
	case !r.Due.IsZero():
		text += "; the next one is due at " + p.timeText(r.Due)
	case r.Ended != nil:
		text += "; not retried: " + *r.Ended
	}
	return text
}

// waitingText returns the reason why an execution waits, with its position in
// the queue.
func waitingText(w *rest.Waiting) string {
	why := textOf(w.For)
	if w.Position != nil && *w.Position > 1 {
		why += fmt.Sprintf("\nposition %d in the queue of its pool", *w.Position)
	}
	return why
}

// missingOutput returns a note about lines that the log lacks, or "" if it is
// complete.
func missingOutput(e *rest.Execution) string {
	switch e.LogDropped {
	case 0:
		return ""
	case 1:
		return "1 line of output is missing"
	}
	return fmt.Sprintf("%d lines of output are missing", e.LogDropped)
}

// findExecution finds an execution by its number, or the latest execution of a
// job by the job's name.
func (inv *invocation) findExecution(arg string) (job string, id int64, err error) {
	if id, err := parseExecutionID(arg); err == nil {
		return "", id, nil
	}
	j, _, err := inv.client.Job(inv.ctx, inv.app, arg)
	switch {
	case client.Code(err) == "no_such_job":
		return "", 0, &explained{err, joinLines(fmt.Sprintf("%s is neither an execution number nor a job of the application %s", arg, inv.app), inv.adviceFor("no_such_job"))}
	case err != nil:
		return "", 0, err
	case j.LatestExecution == nil:
		return "", 0, fmt.Errorf("the job %s has never run; start it with `%s`", arg, inv.appCommandLine("run "+arg))
	}
	return j.Name, j.LatestExecution.ExecutionID, nil
}

func parseExecutionID(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id <= 0 {
		return 0, usageErrorf("%q: want an execution number", arg)
	}
	return id, nil
}

func (c *CLI) executionStop() *cobra.Command {
	k := &changeKind{verb: "stop", done: "stopped", applies: isStoppable, change: (*client.Client).Stop}
	cmd := c.executionChangeCommand("stop EXECUTION|JOB...", "Stop executions; for a job, all that have not ended", k, func(f *pflag.FlagSet, wait *bool) {
		f.BoolVar(wait, "wait", false, "wait until the executions have ended; how they end does not affect the exit status")
	})
	cmd.Long = "Requests that executions stop. A job, or a glob of jobs, selects all executions that have not ended.\n\n" + severalHelp
	return cmd
}

func (c *CLI) executionAbandon() *cobra.Command {
	k := &changeKind{verb: "abandon", done: "abandoned", destroys: true, applies: isAbandonable, change: (*client.Client).Abandon}
	cmd := c.executionChangeCommand("abandon EXECUTION|JOB...", "Abandon waiting, stopped or failed executions, so that they cannot be restarted", k, func(*pflag.FlagSet, *bool) {})
	cmd.Long = `Abandons waiting, stopped or failed executions, so that they cannot be restarted. A job selects its latest execution; a glob matches the jobs
whose latest execution is waiting, stopped or failed. With a glob or -, a terminal asks for confirmation; scripts use --yes.

` + severalHelp
	return cmd
}

// executionChange is a request that changes an execution.
type executionChange func(c *client.Client, ctx context.Context, app, job string, id int64) (*rest.Execution, error)

// changeKind describes a command that changes executions.
type changeKind struct {
	verb, done string
	destroys   bool // unless every execution is named
	applies    func(s subjects.BatchStatus) bool
	change     executionChange
}

func isRestartable(s subjects.BatchStatus) bool { return s == subjects.Failed || s == subjects.Stopped }
func isAbandonable(s subjects.BatchStatus) bool { return isRestartable(s) || s.Waiting() }
func isStoppable(s subjects.BatchStatus) bool   { return !s.Ended() }

func (c *CLI) executionChangeCommand(use, short string, k *changeKind, flags func(f *pflag.FlagSet, wait *bool)) *cobra.Command {
	var wait bool
	var m bulkFlags
	cmd := c.serverCommand(use, short, func(inv *invocation, args []string) error {
		t, err := inv.expandExecutions(args, k.done, k.applies)
		if err != nil {
			return err
		}
		if t.single && !m.dry {
			return inv.changeExecution(t.all[0], wait, k.change)
		}
		w := &bulkWork{bulkFlags: &m, one: "execution", more: "executions", verb: k.verb, done: k.done, destroys: k.destroys && !t.spelled, check: inv.checkExecution(k.applies)}
		if done, err := inv.confirmWork(w, &t); done || err != nil {
			return err
		}
		return inv.changeEach(w, &t, wait, k.change)
	})
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) { flags(f, &wait) })
	m.addFlags(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

func (inv *invocation) changeExecution(t target, wait bool, change executionChange) error {
	if err := inv.completeTarget(&t); err != nil {
		return err
	}
	if wait {
		return inv.changeAndWait(t, change)
	}
	return showAnswer(inv, func(c *client.Client) (*rest.Execution, error) { return change(c, inv.ctx, inv.app, t.job, t.id) }, writeStatus)
}

// writeStatus writes the status of an execution as a sentence.
func writeStatus(p *page, e *rest.Execution) {
	fmt.Fprintf(p, "Execution %d of %s is %s.\n", e.ExecutionID, e.Job, p.inColor(statusCell(e.BatchStatus).color, string(e.BatchStatus)))
}

func (inv *invocation) changeAndWait(t target, change executionChange) error {
	e, err := change(inv.client, inv.ctx, inv.app, t.job, t.id)
	if err != nil {
		return err
	}
	err = inv.seeThrough(e, &startOptions{})
	if errors.Is(err, ErrPrinted) && inv.ctx.Err() == nil {
		return nil // it ended, as requested
	}
	return err
}

// changeEach changes all targets, and then waits for the changed ones if wait
// is true.
func (inv *invocation) changeEach(w *bulkWork, t *targets, wait bool, change executionChange) error {
	r := &bulkReport{invocation: inv, bulkWork: w}
	var changed []*rest.Execution
	err := eachOf(r, t.all, func(c *client.Client, t target) (*rest.Execution, error) {
		if err := inv.completeTarget(&t); err != nil {
			return nil, err
		}
		if wait {
			c = inv.client
		}
		e, err := change(c, inv.ctx, inv.app, t.job, t.id)
		if err == nil && wait {
			changed = append(changed, e)
		}
		return e, err
	}, func(p *page, _ target, e *rest.Execution) string {
		writeStatus(p, e)
		return w.done
	})
	if err != nil || !wait {
		return r.printSummary(err)
	}
	err = inv.awaitEach(r, changed, 0, time.Time{})
	if exit := ExitStatus(err); exit == ExitFailed || exit == ExitStopped { // they ended, as requested
		return nil
	}
	return err
}

// completeTarget looks up the job of an execution.
func (inv *invocation) completeTarget(t *target) error {
	if t.id == 0 {
		id, err := parseExecutionID(t.name)
		if err != nil {
			return err
		}
		t.id = id
	}
	if t.job != "" {
		return nil
	}
	e, err := inv.client.Execution(inv.ctx, inv.app, "", t.id) // the path in this answer names the job
	if err == nil {
		t.job = e.Job
	}
	return err
}

// checkExecution returns a check for a dry run. The check returns the job and
// the status of an execution, or an error if the change does not apply to it.
func (inv *invocation) checkExecution(applies func(subjects.BatchStatus) bool) func(t target) (string, error) {
	return func(t target) (string, error) {
		if err := inv.completeTarget(&t); err != nil {
			return "", err
		}
		e, err := inv.client.Execution(inv.ctx, inv.app, t.job, t.id)
		if err == nil && !applies(e.BatchStatus) {
			err = fmt.Errorf("execution %d of %s is %s", t.id, e.Job, e.BatchStatus)
		}
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, %s", e.Job, e.BatchStatus), nil
	}
}
