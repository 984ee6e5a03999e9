package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (c *CLI) scheduleCommand() *cobra.Command {
	return groupCommand("schedule", "Manage schedules: when jobs fire",
		`A schedule is a Quartz cron expression: second minute hour day month weekday [year]. Either day or weekday must be a question mark.`,
		c.scheduleList(), c.scheduleSet(), c.scheduleShow(), c.schedulePreview(), c.scheduleFires(), c.schedulePause(), c.scheduleResume(), c.scheduleDelete())
}

// previewOptions are the options of a preview of fire times.
type previewOptions struct {
	rest.NewPreview
}

func (v *previewOptions) addFlags(f *pflag.FlagSet) {
	f.IntVarP(&v.Count, "count", "n", 10, "`NUMBER` number of fire times to show, up to 1000")
	f.StringVar(&v.From, "from", "", "`TIME` start of the preview, such as 2027-03-28T00:00:00Z (default: now)")
}

func (c *CLI) scheduleSet() *cobra.Command {
	var sched rest.NewSchedule
	var v previewOptions
	var only bool
	cmd := c.serverCommand("set JOB CRON", "Create or change the schedule of a job", func(inv *invocation, args []string) error {
		sched.CronNotation = args[1]
		if only {
			v.CronNotation, v.TimeZone = sched.CronNotation, sched.TimeZone
			return inv.showPreview(&v)
		}
		return showAnswer(inv, func(c *client.Client) (*rest.Schedule, error) {
			return c.PutSchedule(inv.ctx, inv.app, args[0], sched)
		}, func(p *page, is *rest.Schedule) { inv.drawSet(p, args[0], is) })
	})
	cmd.Long = `Creates or changes the schedule of a job. With --preview, nothing is saved; the command shows when the job would fire.`
	cmd.Example = `  jobstreamer schedule set nightly "0 0 2 ? * MON-FRI" --timezone Europe/Berlin --preview
  jobstreamer schedule set nightly "0 0 2 ? * MON-FRI" --timezone Europe/Berlin
  jobstreamer schedule set hourly "0 0 * * * ?" --misfire skip`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&sched.TimeZone, "timezone", "", "`ZONE` time zone, such as Europe/Berlin (default: that of the control bus)")
		f.StringVar(&sched.Misfire, "misfire", "", "`POLICY` handling of misfires, the fire times that passed while no control bus ran or that are late by more than --misfire-after: fire_once, fire_all or skip (default: fire_once)")
		f.StringVar(&sched.MisfireAfter, "misfire-after", "", "`DURATION` delay, from 1s to 24h, after which a fire time is a misfire (default: 60s)")
		f.StringVar(&sched.Calendar, "calendar", "", "`NAME` holiday calendar; not supported yet")
		f.BoolVar(&sched.Substitution, "substitution", false, "move a fire time off a holiday instead of skipping it; not supported yet")
	})
	help.Section(cmd.Flags(), "Preview", func(f *pflag.FlagSet) {
		f.BoolVar(&only, "preview", false, "show when the job would fire, without saving the schedule")
		v.addFlags(f)
	})
	completeFlag(cmd, "misfire", cobra.FixedCompletions([]cobra.Completion{"fire_once", "fire_all", "skip"}, cobra.ShellCompDirectiveNoFileComp))
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

const firesAfterSet = 3

// drawSet writes the saved schedule with its next fire times.
func (inv *invocation) drawSet(p *page, job string, is *rest.Schedule) {
	fmt.Fprintf(p, "Job %s is scheduled: %s.\n", job, scheduleText(is))
	if !is.Active {
		fmt.Fprintf(p, "It is paused; resume it with `%s`.\n", inv.appCommandLine("schedule resume "+job))
	}
	v := rest.NewPreview{CronNotation: is.CronNotation, TimeZone: textOf(is.TimeZone), Count: firesAfterSet}
	if is.Calendar != nil {
		return // a preview does not know calendars
	}
	if fires, err := inv.client.Preview(inv.ctx, v); err == nil { // the schedule is saved in any case
		drawFires(p, fires)
	}
}

func (inv *invocation) showPreview(v *previewOptions) error {
	return showAnswer(inv, func(c *client.Client) (rest.Preview, error) { return c.Preview(inv.ctx, v.NewPreview) }, drawFires)
}

func drawFires(p *page, v rest.Preview) {
	if len(v.Fires) == 0 {
		fmt.Fprintln(p, "It never fires.")
		return
	}
	t := newTable("FIRE TIME", "LOCAL TIME", "NOTE").withOptional("NOTE").withCuts("NOTE")
	for _, f := range v.Fires {
		t.addRow(localTimeText(f.Local), p.timeCell(f.Time), cell{f.Note, yellow})
	}
	p.writeTable(t)
}

func (c *CLI) schedulePreview() *cobra.Command {
	var v previewOptions
	cmd := c.serverCommand("preview JOB|CRON", "Show when a job or a cron expression would fire", func(inv *invocation, args []string) error {
		v.CronNotation = args[0]
		if !strings.Contains(args[0], " ") {
			is, err := inv.scheduleOf(args[0])
			if err != nil {
				return err
			}
			v.CronNotation = is.CronNotation
			if v.TimeZone == "" {
				v.TimeZone = textOf(is.TimeZone)
			}
		}
		return inv.showPreview(&v)
	})
	cmd.Example = `  jobstreamer schedule preview nightly
  jobstreamer schedule preview "0 30 2 * * ?" --timezone Europe/Berlin --from 2027-03-26T00:00:00Z`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&v.TimeZone, "timezone", "", "`ZONE` time zone, such as Europe/Berlin (default: that of the schedule, else of the control bus)")
		v.addFlags(f)
	})
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// scheduleOf returns the schedule of a job.
func (inv *invocation) scheduleOf(job string) (*rest.Schedule, error) {
	j, _, err := inv.client.Job(inv.ctx, inv.app, job)
	if err != nil {
		return nil, err
	}
	if j.Schedule == nil {
		return nil, fmt.Errorf("the job %s has no schedule; create one with `%s`", job, inv.appCommandLine("schedule set "+job+" CRON"))
	}
	return j.Schedule, nil
}

func (c *CLI) scheduleShow() *cobra.Command {
	cmd := c.serverCommand("show JOB", "Show the schedule of a job", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (*rest.Job, error) {
			j, _, err := c.Job(inv.ctx, inv.app, args[0])
			return j, err
		}, func(p *page, j *rest.Job) {
			if j.Schedule == nil {
				fmt.Fprintf(p, "Job %s has no schedule.\n", j.Name)
				return
			}
			is := j.Schedule
			p.writeFields("Job", cell{j.Name, bold}, "Cron", is.CronNotation, "Time zone", textOf(is.TimeZone), "Calendar", textOf(is.Calendar), "Misfire", is.Misfire, "Misfire after", is.MisfireAfter,
				"Paused", yesText(!is.Active), "Next", nextFireText(p, j), "Changed", p.timeText(is.LastUpdatedTime))
		})
	})
	cmd.Long = `Shows the schedule of a job. --output json, yaml and edn print the whole job.`
	c.watchFlags(cmd)
	return c.appFlags(cmd)
}

// scheduleText returns a schedule in a few words.
func scheduleText(s *rest.Schedule) string {
	if s == nil {
		return ""
	}
	words := []string{s.CronNotation}
	if s.TimeZone != nil {
		words = append(words, *s.TimeZone)
	}
	if s.Calendar != nil {
		words = append(words, "calendar "+*s.Calendar)
	}
	if !s.Active {
		words = append(words, "(paused)")
	}
	return strings.Join(words, " ")
}

func (c *CLI) schedulePause() *cobra.Command {
	return c.scheduleChangeCommand("pause JOB...", "Pause the schedules of jobs until they are resumed", "pause", "paused", "is paused", (*client.Client).PauseSchedule)
}

func (c *CLI) scheduleResume() *cobra.Command {
	return c.scheduleChangeCommand("resume JOB...", "Resume the schedules of jobs", "resume", "resumed", "fires again", (*client.Client).ResumeSchedule)
}

func (c *CLI) scheduleChangeCommand(use, short, verb, done, text string, change func(c *client.Client, ctx context.Context, app, job string) (*rest.Schedule, error)) *cobra.Command {
	var m bulkFlags
	cmd := c.serverCommand(use, short, func(inv *invocation, args []string) error {
		t, err := inv.expandScheduled(args)
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "job", more: "jobs", verb: verb, done: done, check: inv.checkSchedule}
		ask := func(c *client.Client, t target) (*rest.Schedule, error) { return change(c, inv.ctx, inv.app, t.name) }
		return changeNamed(inv, w, &t, ask, func(p *page, t target, _ *rest.Schedule) { fmt.Fprintf(p, "Job %s %s.\n", t.name, text) })
	})
	cmd.Long = short + ". A glob matches only jobs that have a schedule.\n\n" + severalHelp
	m.addFlags(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// expandScheduled is expandNames for jobs with a schedule.
func (inv *invocation) expandScheduled(args []string) (targets, error) {
	return inv.expandNames(args, "jobs of "+inv.app+" with a schedule", func() ([]string, error) {
		jobs, err := inv.allJobs()
		names := []string{}
		for _, j := range jobs {
			if j.Schedule != nil {
				names = append(names, j.Name)
			}
		}
		return names, err
	})
}

func (inv *invocation) checkSchedule(t target) (string, error) {
	is, err := inv.scheduleOf(t.name)
	if err != nil {
		return "", err
	}
	return scheduleText(is), nil
}

func (c *CLI) scheduleDelete() *cobra.Command {
	var m bulkFlags
	cmd := c.serverCommand("delete JOB...", "Delete the schedules of jobs", func(inv *invocation, args []string) error {
		t, err := inv.expandScheduled(args)
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "schedule", noun: "schedule of", more: "schedules", verb: "delete", done: "deleted", destroys: true, check: inv.checkSchedule}
		return inv.deleteEach(w, &t, func(t target) (string, error) {
			return "The schedule of job " + t.name + " was deleted.", inv.client.DeleteSchedule(inv.ctx, inv.app, t.name)
		})
	})
	cmd.Long = "Deletes the schedules of jobs; the jobs are kept. On a terminal it asks for confirmation; scripts use --yes.\n\n" + severalHelp
	m.addFlags(cmd)
	c.quietFlag(cmd)
	return c.appFlags(cmd)
}

func (c *CLI) scheduleList() *cobra.Command {
	var paused bool
	cmd := c.serverCommand("list [JOB...]", "List schedules by their next fire time", func(inv *invocation, args []string) error {
		return inv.listSchedules(args, paused)
	})
	cmd.Long = `Lists the schedules of an application by their next fire time, paused schedules last. Names and globs select jobs. --output json, yaml and edn
print a list of jobs with their schedules.`
	cmd.Example = `  jobstreamer schedule list
  jobstreamer schedule list 'night*'
  jobstreamer schedule list --paused`
	help.Section(cmd.Flags(), "Filters", func(f *pflag.FlagSet) {
		f.BoolVar(&paused, "paused", false, "list paused schedules only")
	})
	c.watchFlags(cmd)
	return c.appFlags(cmd)
}

// listedSchedule is an entry of a list of schedules.
type listedSchedule struct {
	Job           string         `json:"job"`
	NextExecution subjects.Time  `json:"next_execution"`
	Schedule      *rest.Schedule `json:"schedule"`
}

func (inv *invocation) listSchedules(args []string, paused bool) error {
	if inv.watch {
		return inv.redrawUntilDone(func(p *page) error { return inv.listSchedulesOn(p, args, paused) })
	}
	return inv.listSchedulesOn(inv.outPage(), args, paused)
}

func (inv *invocation) listSchedulesOn(p *page, args []string, paused bool) error {
	t, err := inv.expandScheduled(args)
	if err != nil {
		return err
	}
	jobs, err := inv.allJobs()
	if err != nil {
		return err
	}
	all := []listedSchedule{}
	for _, name := range t.all { // an unknown job, or one without a schedule, is an error
		i := slices.IndexFunc(jobs, func(j rest.Job) bool { return j.Name == name.name })
		if i < 0 || jobs[i].Schedule == nil {
			if _, err := inv.scheduleOf(name.name); err != nil {
				return err
			}
		}
	}
	for _, j := range jobs {
		wanted := len(args) == 0 || slices.ContainsFunc(t.all, func(t target) bool { return t.name == j.Name })
		if j.Schedule == nil || !wanted || paused && j.Schedule.Active {
			continue
		}
		one := listedSchedule{Job: j.Name, Schedule: j.Schedule}
		if j.NextExecution != nil {
			one.NextExecution = j.NextExecution.StartTime
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b listedSchedule) int {
		return cmp.Or(cmp.Compare(fireRank(a), fireRank(b)), cmp.Compare(a.NextExecution, b.NextExecution), cmp.Compare(a.Job, b.Job))
	})
	if !inv.printsTables() {
		return inv.printValueOn(p, all)
	}
	inv.drawSchedules(p, all, len(args) > 0 || paused)
	return nil
}

// fireRank sorts schedules with a next fire time first, then those that never
// fire, then paused ones.
func fireRank(s listedSchedule) int {
	switch {
	case !s.Schedule.Active:
		return 2
	case s.NextExecution.IsZero():
		return 1
	}
	return 0
}

func (inv *invocation) drawSchedules(p *page, all []listedSchedule, chosen bool) {
	switch {
	case len(all) == 0 && chosen:
		fmt.Fprintf(p, "No schedule matches; list all with `%s`.\n", inv.appCommandLine("schedule list"))
		return
	case len(all) == 0:
		fmt.Fprintf(p, "No schedules. Create one with `%s`.\n", inv.appCommandLine("schedule set JOB CRON"))
		return
	}
	t := newTable("JOB", "NEXT", "CRON", "TIME ZONE", "CALENDAR", "MISFIRE").
		withOptional("TIME ZONE", "CALENDAR").withDrops("MISFIRE", "TIME ZONE", "CALENDAR").withCuts("CRON", "TIME ZONE", "CALENDAR")
	for _, one := range all {
		next := p.timeCell(one.NextExecution)
		switch fireRank(one) {
		case 2:
			next.cell = cell{"paused", yellow}
		case 1:
			next.cell = cell{"never", yellow}
		}
		is := one.Schedule
		t.addRow(one.Job, next, is.CronNotation, textOf(is.TimeZone), textOf(is.Calendar), is.Misfire)
	}
	p.writeTable(t)
}
