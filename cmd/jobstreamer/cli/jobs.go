package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

const (
	latestFirst = "last_execution_started:desc"
	shownOfJob  = 5 // number of executions
)

func (c *CLI) jobCommand() *cobra.Command {
	return groupCommand("job", "Manage jobs and their definitions",
		`A job is defined in the job specification language of JSR-352, as JSON, YAML, EDN or XML: its steps and their order.`,
		c.jobList(), c.jobShow(), c.jobApply(), c.jobValidate(), c.jobExport(), c.jobRename(), c.jobDelete())
}

func (c *CLI) jobList() *cobra.Command {
	var search client.JobSearch
	var state string
	cmd := c.serverCommand("list [WORD...]", "List jobs with their schedules and latest executions", func(inv *invocation, args []string) error {
		if state != "" {
			status, err := parseStatus(state)
			if err != nil {
				return err
			}
			args = append(args, "batch-status:"+string(status))
		}
		search.Query = strings.Join(args, " ")
		none := "No jobs. Create one with `" + inv.appCommandLine("job apply -f FILE") + "`."
		if search.Query != "" {
			none = "No job matches; list all with `" + inv.appCommandLine("job list") + "`."
		}
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.Job], error) {
			search.Page = p
			return c.Jobs(inv.ctx, inv.app, search)
		}, func(p *page, list rest.List[rest.Job]) { drawJobs(p, list, none) })
	})
	cmd.Long = `Lists the jobs of an application. Words select the jobs whose names contain any of them. Conditions filter by the latest execution:
since:2026-11-24, until:2026-11-25, batch-status:failed, exit-status:X. An invalid condition is an error.`
	cmd.Example = `  jobstreamer job list --app billing
  jobstreamer job list --status failed --watch
  jobstreamer job list night since:2026-11-24 --sort last_execution_started:desc`
	help.Section(cmd.Flags(), "Filters", func(f *pflag.FlagSet) {
		f.StringVar(&state, "status", "", "`STATUS` batch status of the latest execution, such as failed")
		f.StringVar(&search.SortBy, "sort", "", "`KEYS` sort keys: name, last_execution_started, last_execution_duration, last_execution_status, next_execution_start, each with :asc or :desc")
	})
	completeFlag(cmd, "status", cobra.FixedCompletions(statusNames(), cobra.ShellCompDirectiveNoFileComp))
	c.pageFlags(cmd)
	return c.appFlags(cmd)
}

func drawJobs(p *page, list rest.List[rest.Job], none string) {
	t := newTable("JOB", ">LATEST", "STATUS", "STARTED", ">TOOK", ">OK", ">FAILED", "NEXT", "SCHEDULE").
		withOptional("NEXT", "SCHEDULE").withDrops("SCHEDULE", "OK", "FAILED", "TOOK", "NEXT").withCuts("SCHEDULE")
	for _, j := range list.Results {
		e := j.LatestExecution
		if e == nil {
			t.addRow(j.Name, "", "", "", "", j.Stats.Success, j.Stats.Failure, nextFireCell(p, &j), scheduleCell(&j))
			continue
		}
		t.addRow(j.Name, e.ExecutionID, statusCell(e.BatchStatus), p.timeCell(e.StartTime), p.tookText(e.StartTime, e.EndTime),
			j.Stats.Success, j.Stats.Failure, nextFireCell(p, &j), scheduleCell(&j))
	}
	drawList(p, t, list, none)
}

func nextFireText(p *page, j *rest.Job) string {
	if j.NextExecution == nil {
		return ""
	}
	return p.timeText(j.NextExecution.StartTime)
}

// nextFireCell returns the next fire time of a job for a table.
func nextFireCell(p *page, j *rest.Job) flexCell {
	all := schedulesOf(j)
	active := slices.ContainsFunc(all, func(is rest.NamedSchedule) bool { return !isHeld(&is.Schedule) })
	switch {
	case len(all) > 0 && !active:
		return flexCell{cell: cell{"paused", yellow}}
	case j.NextExecution == nil:
		return flexCell{}
	}
	return p.timeCell(j.NextExecution.StartTime)
}

// scheduleCell returns the schedules of a job for a table that has another
// column for paused.
func scheduleCell(j *rest.Job) flexCell {
	all := schedulesOf(j)
	switch len(all) {
	case 0:
		return flexCell{}
	case 1:
		is := &all[0].Schedule
		return flexCell{cell: cell{text: strings.TrimSuffix(scheduleText(is), " ("+heldText(is)+")")}, short: whenText(is)}
	}
	return flexCell{cell: cell{text: countText(len(all), "schedule", "schedules")}}
}

// schedulesText returns the schedules of a job in a few words.
func schedulesText(j *rest.Job) string {
	all := schedulesOf(j)
	if len(all) == 1 && isDefaultName(all[0].Name) {
		return scheduleText(&all[0].Schedule)
	}
	var words []string
	for i := range all {
		words = append(words, all[i].Name+": "+scheduleText(&all[i].Schedule))
	}
	return strings.Join(words, ", ")
}

func (c *CLI) jobShow() *cobra.Command {
	cmd := c.serverCommand("show JOB", "Show a job: its steps, schedule and latest executions", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (*rest.Job, error) {
			j, _, err := c.Job(inv.ctx, inv.app, args[0])
			return j, err
		}, inv.drawJob)
	})
	c.watchFlags(cmd)
	return c.appFlags(cmd)
}

func (inv *invocation) drawJob(p *page, j *rest.Job) {
	average := ""
	if j.Stats.Average > 0 {
		average = durationText(milliseconds(j.Stats.Average)) + " on average"
	}
	p.writeFields("Job", cell{j.Name, bold}, "Application", inv.app, "Exclusive", yesText(j.Exclusive), "Schedule", schedulesText(j), "Next", nextFireText(p, j),
		"Executions", fmt.Sprintf("%d, of which %d completed and %d failed", j.Stats.Total, j.Stats.Success, j.Stats.Failure), "Took", average,
		"Parameters", strings.Join(j.DynamicParameters, ", "), "Created", p.timeText(j.CreateTime), "Changed", p.timeText(j.LastUpdatedTime))
	for _, w := range j.Warnings {
		p.writeFields("Warning", cell{w, yellow})
	}
	p.writeTitle("Steps")
	p.writeTable(stepTable(j.Definition.Parse()))
	list, err := inv.client.Executions(inv.ctx, inv.app, j.Name, client.Page{Limit: shownOfJob})
	if err == nil && list.Hits > 0 {
		p.writeTitle("Latest executions")
		p.writeTable(executionTable(p, list.Results, false))
	}
}

// stepTable returns a table of the elements of a job.
func stepTable(j *jsl.Job) *table {
	t := newTable("ID", "ELEMENT", "NEXT").withOptional("NEXT").withCuts("ELEMENT", "NEXT")
	j.Walk(func(path string, e jsl.Element) {
		depth := strings.Count(path, "/steps/") + strings.Count(path, "/flows/") - 1
		t.addRow(strings.Repeat("  ", depth)+e.ElementID(), elementText(e), nextText(e))
	})
	return t
}

func elementText(e jsl.Element) string {
	switch e := e.(type) {
	case *jsl.Step:
		what := "nothing"
		switch {
		case e.Batchlet != nil:
			what = "batchlet " + e.Batchlet.Ref
		case e.Chunk != nil:
			what = "chunk " + e.Chunk.Reader.Ref + " → " + e.Chunk.Writer.Ref
		}
		if e.Partition != nil {
			what += ", partitioned"
		}
		return what
	case *jsl.Flow:
		return "flow"
	case *jsl.Split:
		return "split"
	case *jsl.Decision:
		return "decision " + e.Decider.Ref
	}
	return ""
}

// nextText returns the transitions of an element.
func nextText(e jsl.Element) string {
	var all []string
	add := func(next string, transitions []jsl.Transition) {
		for _, t := range transitions {
			all = append(all, strings.TrimSpace(fmt.Sprintf("on %s %s %s", t.On, t.Action, t.To)))
		}
		if next != "" {
			all = append(all, next)
		}
	}
	switch e := e.(type) {
	case *jsl.Step:
		add(e.Next, e.Transitions)
	case *jsl.Flow:
		add(e.Next, e.Transitions)
	case *jsl.Split:
		add(e.Next, nil)
	case *jsl.Decision:
		add("", e.Transitions)
	}
	return strings.Join(all, ", ")
}

func (c *CLI) jobRename() *cobra.Command {
	cmd := c.serverCommand("rename JOB NAME", "Rename a job", func(inv *invocation, args []string) error {
		j, _, err := inv.client.RenameJob(inv.ctx, inv.app, args[0], args[1])
		if err != nil {
			return err
		}
		inv.printDone("Job %s was renamed to %s.\n", args[0], j.Name)
		return nil
	})
	cmd.Long = `Renames a job. Its executions, schedule and settings are kept, and running executions continue. The old name becomes free. NATS subjects
and log messages of the program keep the name with which the job was created.`
	c.quietFlag(cmd)
	return c.appFlags(cmd)
}

func (c *CLI) jobDelete() *cobra.Command {
	var m bulkFlags
	var keep bool
	cmd := c.serverCommand("delete JOB...", "Delete jobs with their schedules and history", func(inv *invocation, args []string) error {
		t, err := inv.expandJobs(args)
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "job", more: "jobs", verb: "delete", done: "deleted", destroys: true, check: inv.checkJob}
		w.with = " of " + inv.app + " with its schedule and the history of its executions"
		if keep {
			w.with = " of " + inv.app + " with its schedule"
		}
		return inv.deleteEach(w, &t, func(t target) (string, error) {
			return "Job " + t.name + " was deleted.", inv.client.DeleteJob(inv.ctx, inv.app, t.name, keep, client.Condition{})
		})
	})
	cmd.Long = "Deletes jobs with their schedules and the history of their executions. On a terminal it asks for confirmation; scripts use --yes.\n\n" + severalHelp
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&keep, "keep-history", false, "keep the executions of the deleted jobs")
	})
	m.addFlags(cmd)
	c.quietFlag(cmd)
	return c.appFlags(cmd)
}

// checkJob returns the status of a job's latest execution, for a dry run.
func (inv *invocation) checkJob(t target) (string, error) {
	j, _, err := inv.client.Job(inv.ctx, inv.app, t.name)
	switch {
	case err != nil:
		return "", err
	case j.LatestExecution == nil:
		return "never run", nil
	}
	return fmt.Sprintf("%d %s", j.LatestExecution.ExecutionID, j.LatestExecution.BatchStatus), nil
}

func milliseconds(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
