package cli

import (
	"cmp"
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
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (c *CLI) scheduleCommand() *cobra.Command {
	return groupCommand("schedule", "Manage schedules: when jobs fire",
		`A schedule is a Quartz cron expression: second minute hour day month weekday [year]. Either day or weekday must be a question mark.
Or it is @hourly, @daily, @weekly, @monthly, @yearly, "@every 90s", or a single time (--at).
A job can have several schedules, each with a name. A command without --name means the schedule named default.`,
		c.scheduleList(), c.scheduleSet(), c.scheduleShow(), c.schedulePreview(), c.scheduleFires(), c.scheduleTonight(), c.schedulePause(), c.scheduleResume(), c.scheduleDelete())
}

// previewOptions are the options of a preview of fire times.
type previewOptions struct {
	rest.NewPreview
	paused []rest.GroupPause // of a schedule that is stored
}

func (v *previewOptions) addFlags(f *pflag.FlagSet) {
	f.IntVarP(&v.Count, "count", "n", 10, "`NUMBER` number of fire times to show, up to 1000")
	f.StringVar(&v.From, "from", "", "`TIME` start of the preview, such as 2027-03-28T00:00:00Z (default: now)")
}

// scheduleNameFlag defines --name.
func scheduleNameFlag(f *pflag.FlagSet, name *string, text string) {
	f.StringVar(name, "name", "", "`NAME` "+text)
}

const nameOfOne = "name of the schedule (default: default)"

func (c *CLI) scheduleSet() *cobra.Command {
	var sched rest.NewSchedule
	var name string
	var params []string
	var v previewOptions
	var only bool
	cmd := c.serverCommand("set JOB [CRON]", "Create or change a schedule of a job", func(inv *invocation, args []string) error {
		switch {
		case len(args) == 2 && sched.At != "":
			return usageErrorf("--at cannot be combined with CRON")
		case len(args) == 2:
			sched.CronNotation = args[1]
		case sched.At == "" && len(sched.BusinessDays) == 0:
			return usageErrorf("want CRON, --at TIME or --business-days NUMBERS")
		}
		var err error
		if sched.Parameters, err = readParameters(params); err != nil {
			return err
		}
		if only {
			v.NewSchedule = sched
			return inv.showPreview(&v)
		}
		return showAnswer(inv, func(c *client.Client) (*rest.Schedule, error) {
			return c.PutSchedule(inv.ctx, inv.app, args[0], name, sched)
		}, func(p *page, is *rest.Schedule) { inv.drawSet(p, args[0], is) })
	})
	cmd.Long = `Creates or changes a schedule of a job: a cron expression, or with --business-days business days of each month. With --preview, nothing is saved;
the command shows when the job would fire.`
	cmd.Example = `  jobstreamer schedule set nightly "0 0 2 ? * MON-FRI" --timezone Europe/Berlin --preview
  jobstreamer schedule set nightly "0 0 2 ? * MON-FRI" --timezone Europe/Berlin
  jobstreamer schedule set hourly "0 0 * * * ?" --misfire skip
  jobstreamer schedule set nightly "0 0 6 L * ?" --name month-end -p scope=month
  jobstreamer schedule set poll "@every 90s" --jitter 1m --end 2027-03-31
  jobstreamer schedule set migrate --at 2026-12-31T23:00 --timezone Europe/Berlin
  jobstreamer schedule set nightly "0 0 2 * * ?" --calendar bank --substitution next
  jobstreamer schedule set nightly --name month-end --business-days -1 --at 06:00 --calendar bank`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		scheduleNameFlag(f, &name, nameOfOne)
		f.StringVar(&sched.TimeZone, "timezone", "", "`ZONE` time zone, such as Europe/Berlin (default: that of the control bus)")
		f.StringVar(&sched.Misfire, "misfire", "", "`POLICY` handling of misfires, the fire times that passed while no control bus ran or that are late by more than --misfire-after: fire_once, fire_all or skip (default: fire_once)")
		f.StringVar(&sched.MisfireAfter, "misfire-after", "", "`DURATION` delay, from 1s to 24h, after which a fire time is a misfire (default: 60s)")
		f.StringVar(&sched.At, "at", "", "`TIME` the only fire time, such as 2026-12-31T23:00, in place of CRON; with --business-days the clock time, from 00:00 (the default) to 47:59")
		f.StringVar(&sched.Start, "start", "", "`TIME` date or time before which it does not fire")
		f.StringVar(&sched.End, "end", "", "`TIME` date or time after which it does not fire; a date includes the whole day")
		f.StringVar(&sched.DST, "dst", "", "`RULE` how often a time fires that the clocks show twice in a night: once or both (default: once)")
		f.StringVar(&sched.Jitter, "jitter", "", "`DURATION` the schedule fires later than its fire times by a part of this, always the same, so that schedules do not fire all at once")
		f.StringVar(&sched.Overlap, "overlap", "", "`POLICY` what becomes of a fire time while an execution of the schedule runs: allow, skip, queue_one, queue_all or cancel_running (default: allow)")
		f.IntVar(&sched.CatchUpLimit, "catch-up-limit", 0, "`NUMBER` maximum number of misfires that fire with --misfire fire_all (default: 1000)")
		f.StringVar(&sched.CatchUpWindow, "catch-up-window", "", "`DURATION` age, such as 12h, from which on no misfire fires")
		f.StringVar(&sched.Priority, "priority", "", "`PRIORITY` priority of the executions: high, normal or low (default: that of the job)")
		f.StringVar(&sched.Pool, "pool", "", "`NAME` pool of the executions (default: that of the job); a pool that differs from the stored one requires the permission update-job")
		f.StringArrayVarP(&params, "param", "p", nil, "`NAME=VALUE` job parameter of the executions; can be repeated")
	})
	help.Section(cmd.Flags(), "Holidays", func(f *pflag.FlagSet) {
		calendarFlags(f, &sched)
		f.IntSliceVar(&sched.BusinessDays, "business-days", nil, "`NUMBERS` in place of CRON: business days of each month such as 1,-1, from its start or its end; without --calendar, all days but Saturdays and Sundays are business days")
		f.StringVar(&sched.Of, "of", "", "`DATE` with --business-days: count from this date: 15, last, 12-24, easter-2 or 2027-03-31")
		f.IntSliceVar(&sched.Months, "months", nil, "`NUMBERS` with --business-days: months that count (default: all)")
	})
	help.Section(cmd.Flags(), "Preview", func(f *pflag.FlagSet) {
		f.BoolVar(&only, "preview", false, "show when the job would fire, without saving the schedule")
		v.addFlags(f)
	})
	completeFlag(cmd, "dst", cobra.FixedCompletions([]cobra.Completion{"once", "both"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "overlap", cobra.FixedCompletions([]cobra.Completion{"allow", "skip", "queue_one", "queue_all", "cancel_running"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "priority", cobra.FixedCompletions([]cobra.Completion{"high", "normal", "low"}, cobra.ShellCompDirectiveNoFileComp))
	c.completeCalendars(cmd)
	completeFlag(cmd, "misfire", cobra.FixedCompletions([]cobra.Completion{"fire_once", "fire_all", "skip"}, cobra.ShellCompDirectiveNoFileComp))
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

const firesAfterSet = 3

// drawSet writes the saved schedule with its next fire times.
func (inv *invocation) drawSet(p *page, job string, is *rest.Schedule) {
	fmt.Fprintf(p, "Job %s is scheduled%s: %s.\n", job, byName(is.Name), scheduleText(is))
	if !is.Active {
		fmt.Fprintf(p, "It is paused; resume it with `%s`.\n", inv.appCommandLine("schedule resume "+job+nameOption(is.Name)))
	}
	v := rest.NewPreview{NewSchedule: timesOf(is), Count: firesAfterSet}
	if fires, err := inv.client.Preview(inv.ctx, v); err == nil { // the schedule is saved in any case
		fires.GroupPauses = is.GroupPauses
		drawFires(p, fires)
	}
}

// calendarFlags defines the flags of a schedule with a calendar.
func calendarFlags(f *pflag.FlagSet, sched *rest.NewSchedule) {
	f.StringVar(&sched.Calendar, "calendar", "", "`NAME` calendar with the holidays (default: none)")
	f.StringVar(&sched.Substitution, "substitution", "", "`HOW` what happens to a fire time on a holiday: none, next or previous (business day), or true: next, unless the following fire time comes first (default: none)")
}

func (c *CLI) completeCalendars(cmd *cobra.Command) {
	completeFlag(cmd, "calendar", c.completeFrom((*invocation).calendarNames))
	completeFlag(cmd, "substitution", cobra.FixedCompletions([]cobra.Completion{"none", "next", "previous", "true"}, cobra.ShellCompDirectiveNoFileComp))
}

// timesOf returns the part of a schedule that sets its fire times.
func timesOf(is *rest.Schedule) rest.NewSchedule {
	return rest.NewSchedule{
		CronNotation: is.CronNotation, At: is.At, TimeZone: textOf(is.TimeZone), Start: is.Start, End: is.End, DST: is.DST,
		Calendar: textOf(is.Calendar), Substitution: is.Substitution, BusinessDays: is.BusinessDays, Of: is.Of, Months: is.Months,
	}
}

// byName returns a schedule's name for a sentence, "" for the default schedule.
func byName(name string) string {
	if isDefaultName(name) {
		return ""
	}
	return " by " + name
}

// nameOption returns the option that selects a schedule on a command line.
func nameOption(name string) string {
	if isDefaultName(name) {
		return ""
	}
	return " --name " + name
}

func isDefaultName(name string) bool { return name == "" || name == defaultName }

// defaultName is the name of the schedule that a command without --name means.
const defaultName = "default"

func (inv *invocation) showPreview(v *previewOptions) error {
	return showAnswer(inv, func(c *client.Client) (rest.Preview, error) { return c.Preview(inv.ctx, v.NewPreview) }, func(p *page, is rest.Preview) {
		if len(v.paused) > 0 {
			is.GroupPauses = v.paused
		}
		drawFires(p, is)
	})
}

// drawFires writes fires, and between them the times on holidays.
func drawFires(p *page, v rest.Preview) {
	t := newTable("FIRE TIME", "LOCAL TIME", "NOTE").withOptional("NOTE").withCuts("NOTE")
	skipped := v.Skipped
	skipUntil := func(end subjects.Time) {
		for ; len(skipped) > 0 && (end == 0 || skipped[0].Time < end); skipped = skipped[1:] {
			f := &skipped[0]
			note := "skipped: " + holidayText(f.Reason)
			if f.To != "" {
				note = "moved to " + dateText(f.To) + ": " + holidayText(f.Reason)
			}
			t.addRow(cell{localTimeText(f.Local), faint}, p.timeCell(f.Time), cell{joinNotes(note, f.Note), faint})
		}
	}
	for i := range v.Fires {
		f := &v.Fires[i]
		skipUntil(f.Time)
		note := f.Note
		if f.From != "" {
			note = joinNotes("moved from "+dateText(f.From)+": "+holidayText(f.Reason), note)
		}
		t.addRow(localTimeText(f.Local), p.timeCell(f.Time), cell{note, yellow})
	}
	skipUntil(0)
	if len(v.Fires) == 0 {
		fmt.Fprintln(p, "It never fires.")
	}
	if len(t.rows) > 0 {
		p.writeTable(t)
	}
	p.drawGroupPauses(v.GroupPauses)
}

// holidayText returns a reason without the date, which is in the table already:
// Christmas Day (calendar "bank").
func holidayText(reason string) string {
	if _, what, found := strings.Cut(reason, " is "); found {
		return what
	}
	return reason
}

// dateText returns the date of an RFC 3339 time.
func dateText(text string) string {
	day, _, _ := strings.Cut(text, "T")
	return day
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (c *CLI) schedulePreview() *cobra.Command {
	var v previewOptions
	var name string
	cmd := c.serverCommand("preview JOB|CRON", "Show when a job or a cron expression would fire", func(inv *invocation, args []string) error {
		if strings.Contains(args[0], " ") || strings.HasPrefix(args[0], "@") {
			v.CronNotation = args[0]
		} else {
			is, err := inv.scheduleOf(args[0], name)
			if err != nil {
				return err
			}
			flags := v.NewSchedule
			v.NewSchedule, v.paused = timesOf(is), is.GroupPauses
			v.TimeZone = cmp.Or(flags.TimeZone, v.TimeZone)
			v.Calendar = cmp.Or(flags.Calendar, v.Calendar)
			v.Substitution = cmp.Or(flags.Substitution, v.Substitution)
		}
		return inv.showPreview(&v)
	})
	cmd.Long = `Shows when a job or a cron expression would fire: the local time with its offset, and times that a holiday moves or skips.`
	cmd.Example = `  jobstreamer schedule preview nightly
  jobstreamer schedule preview "0 0 6 25 * ?" --calendar bank --substitution next
  jobstreamer schedule preview "0 30 2 * * ?" --timezone Europe/Berlin --from 2027-03-26T00:00:00Z`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		scheduleNameFlag(f, &name, "name of the schedule of the job (default: default)")
		f.StringVar(&v.TimeZone, "timezone", "", "`ZONE` time zone, such as Europe/Berlin (default: that of the schedule, else of the control bus)")
		calendarFlags(f, &v.NewSchedule)
		v.addFlags(f)
	})
	c.completeCalendars(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// schedulesOf returns all schedules of a job, the default one first.
func schedulesOf(j *rest.Job) []rest.NamedSchedule {
	switch {
	case len(j.Schedules) > 0:
		return j.Schedules
	case j.Schedule == nil:
		return nil
	}
	one := rest.NamedSchedule{Schedule: *j.Schedule}
	if j.NextExecution != nil {
		one.NextFire = j.NextExecution.StartTime
	}
	return []rest.NamedSchedule{one}
}

// findSchedule returns the schedule of a job that has the name, or nil.
func findSchedule(j *rest.Job, name string) *rest.NamedSchedule {
	for _, is := range schedulesOf(j) {
		if isDefaultName(is.Name) && isDefaultName(name) || is.Name == name {
			return &is
		}
	}
	return nil
}

// scheduleOf returns a schedule of a job.
func (inv *invocation) scheduleOf(job, name string) (*rest.Schedule, error) {
	j, _, err := inv.client.Job(inv.ctx, inv.app, job)
	if err != nil {
		return nil, err
	}
	if is := findSchedule(j, name); is != nil {
		return &is.Schedule, nil
	}
	what := "no schedule"
	if !isDefaultName(name) {
		what += " " + name
	}
	return nil, fmt.Errorf("the job %s has %s; create one with `%s`", job, what, inv.appCommandLine("schedule set "+job+" CRON"+nameOption(name)))
}

func (c *CLI) scheduleShow() *cobra.Command {
	var name string
	cmd := c.serverCommand("show JOB", "Show the schedules of a job", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (*rest.Job, error) {
			j, _, err := c.Job(inv.ctx, inv.app, args[0])
			if err == nil && name != "" && findSchedule(j, name) == nil {
				_, err = inv.scheduleOf(args[0], name)
			}
			return j, err
		}, func(p *page, j *rest.Job) { drawScheduleFields(p, j, name) })
	})
	cmd.Long = `Shows the schedules of a job, or the one that --name selects. --output json, yaml and edn print the whole job.`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		scheduleNameFlag(f, &name, "name of the schedule (default: all schedules)")
	})
	c.watchFlags(cmd)
	return c.appFlags(cmd)
}

// drawScheduleFields writes the fields of a job's schedules, or of the one with
// the name if it is not empty.
func drawScheduleFields(p *page, j *rest.Job, name string) {
	all := schedulesOf(j)
	if len(all) == 0 {
		fmt.Fprintf(p, "Job %s has no schedule.\n", j.Name)
		return
	}
	if name != "" {
		all = slices.DeleteFunc(all, func(is rest.NamedSchedule) bool { return is.Name != name })
	}
	for i := range all {
		if i > 0 {
			fmt.Fprintln(p)
		}
		is := &all[i]
		shown := is.Name
		if isDefaultName(shown) && len(j.Schedules) == 0 {
			shown = ""
		}
		next := ""
		if !is.NextFire.IsZero() {
			next = p.timeText(is.NextFire)
		}
		catchUp, paused := "", ""
		if !is.Active {
			paused = "yes" + strings.TrimPrefix(pausedText(&is.Schedule), "paused")
			if is.Paused != nil {
				paused += ", since " + p.timeText(is.Paused.At)
			}
		}
		for i := range is.GroupPauses {
			paused = joinNotes(paused, lowerFirst(p.groupPauseText(&is.GroupPauses[i])))
		}
		if is.CatchUpLimit != 0 {
			catchUp = strconv.Itoa(is.CatchUpLimit)
		}
		p.writeFields("Job", cell{j.Name, bold}, "Schedule", shown, "Times", whenText(&is.Schedule), "Time zone", textOf(is.TimeZone), "Calendar", textOf(is.Calendar), "Substitution", substitutionText(&is.Schedule),
			"Start", is.Start, "End", is.End, "Clock changes", is.DST, "Jitter", is.Jitter, "Priority", is.Priority, "Pool", is.Pool, "Parameters", parametersText(is.Parameters), "Misfire", is.Misfire, "Misfire after", is.MisfireAfter, "Catch-up limit", catchUp, "Catch-up window", is.CatchUpWindow, "Overlap", is.Overlap,
			"Paused", paused, "Next", next, "Changed", p.timeText(is.LastUpdatedTime))
	}
}

// pausedText returns who paused a schedule, and why.
func pausedText(s *rest.Schedule) string {
	if s.Paused == nil {
		return "paused"
	}
	return "paused" + byAndWhy(s.Paused)
}

// whenText returns the expression of a schedule, its business days, or its only
// time.
func whenText(s *rest.Schedule) string {
	switch {
	case len(s.BusinessDays) > 0:
	case s.At != "":
		return "at " + s.At
	default:
		return s.CronNotation
	}
	words := []string{"business days " + strings.Trim(fmt.Sprint(s.BusinessDays), "[]")}
	if s.Of != "" {
		words = append(words, "of "+s.Of)
	}
	if len(s.Months) > 0 {
		words = append(words, "months "+strings.Trim(fmt.Sprint(s.Months), "[]"))
	}
	return strings.Join(append(words, "at "+cmp.Or(s.At, "00:00")), " ")
}

// substitutionText returns the substitution of a schedule with a calendar.
func substitutionText(s *rest.Schedule) string {
	if s.Calendar == nil {
		return ""
	}
	return s.Substitution
}

func parametersText(parameters map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		words = append(words, name+"="+parameters[name])
	}
	return strings.Join(words, ", ")
}

// scheduleText returns a schedule in a few words.
func scheduleText(s *rest.Schedule) string {
	if s == nil {
		return ""
	}
	words := []string{whenText(s)}
	if s.TimeZone != nil {
		words = append(words, *s.TimeZone)
	}
	if s.Calendar != nil {
		words = append(words, "calendar "+printable(*s.Calendar))
		if s.Substitution != "" && s.Substitution != "none" {
			words = append(words, "moved: "+s.Substitution)
		}
	}
	if isHeld(s) {
		words = append(words, "("+heldText(s)+")")
	}
	return strings.Join(words, " ")
}

func (c *CLI) schedulePause() *cobra.Command {
	var reason string
	v := scheduleChange{
		verb: "pause", done: "paused", text: "is paused",
		ask: func(inv *invocation, c *client.Client, job, name string) (*rest.ResumedSchedule, error) {
			is, err := c.PauseSchedule(inv.ctx, inv.app, job, name, reason)
			if err != nil {
				return nil, err
			}
			return &rest.ResumedSchedule{Schedule: *is}, nil
		},
	}
	v.group = func(inv *invocation, app string) error {
		return showAnswer(inv, func(c *client.Client) (rest.GroupPause, error) { return c.PauseSchedules(inv.ctx, app, reason) }, func(p *page, is rest.GroupPause) {
			p.drawGroupPauses([]rest.GroupPause{is})
		})
	}
	v.example = `  jobstreamer schedule pause nightly --reason "new database"
  jobstreamer schedule pause --whole-app --app shop --reason inventory
  jobstreamer schedule pause --all --reason maintenance`
	return c.scheduleChangeCommand("pause [JOB...]", "Pause the schedules of jobs, of an application or all schedules until they are resumed", &v, func(f *pflag.FlagSet) {
		f.StringVar(&reason, "reason", "", "`TEXT` why, for people")
	})
}

func (c *CLI) scheduleResume() *cobra.Command {
	var catchUp bool
	v := scheduleChange{
		verb: "resume", done: "resumed", text: "fires again",
		ask: func(inv *invocation, c *client.Client, job, name string) (*rest.ResumedSchedule, error) {
			return c.ResumeSchedule(inv.ctx, inv.app, job, name, catchUp)
		},
	}
	v.group = func(inv *invocation, app string) error {
		return showAnswer(inv, func(c *client.Client) (rest.GroupResumed, error) { return c.ResumeSchedules(inv.ctx, app, catchUp) }, drawGroupResumed)
	}
	v.example = `  jobstreamer schedule resume nightly
  jobstreamer schedule resume --whole-app --app shop
  jobstreamer schedule resume --all --catch-up`
	return c.scheduleChangeCommand("resume [JOB...]", "Resume the schedules of jobs, of an application or all schedules", &v, func(f *pflag.FlagSet) {
		f.BoolVar(&catchUp, "catch-up", false, "treat the fire times of the pause as misfires instead of skipping them")
	})
}

// scheduleChange is a change that schedule pause or resume makes.
type scheduleChange struct {
	verb, done, text, example string
	ask                       func(inv *invocation, c *client.Client, job, name string) (*rest.ResumedSchedule, error)
	group                     func(inv *invocation, app string) error // the empty app stands for all
}

func (c *CLI) scheduleChangeCommand(use, short string, v *scheduleChange, addFlags func(f *pflag.FlagSet)) *cobra.Command {
	var m bulkFlags
	var group groupFlags
	var name string
	cmd := c.serverCommand(use, short, func(inv *invocation, args []string) error {
		if is, err := group.isChosen(inv, args, name); is || err != nil {
			if err == nil {
				err = inv.changeGroup(v, &group, &m)
			}
			return err
		}
		t, err := inv.expandScheduled(args, cmp.Or(name, defaultName))
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "job", more: "jobs", verb: v.verb, done: v.done, check: inv.checkSchedule(name)}
		ask := func(c *client.Client, t target) (*rest.ResumedSchedule, error) { return v.ask(inv, c, t.name, name) }
		return changeNamed(inv, w, &t, ask, func(p *page, t target, is *rest.ResumedSchedule) {
			what := "Job " + t.name
			if !isDefaultName(name) {
				what = fmt.Sprintf("The schedule %s of job %s", name, t.name)
			}
			text := v.text
			if v.verb == "resume" && len(is.GroupPauses) > 0 {
				text = "is resumed" // it does not fire yet
			}
			fmt.Fprintf(p, "%s %s%s.\n", what, text, passedText(is.Resumed))
			p.drawGroupPauses(is.GroupPauses)
		})
	})
	cmd.Long = short + `. Pauses of one schedule, of an application and of all
schedules are independent: a schedule fires only if nothing pauses it. A glob matches only jobs that have a schedule of that name.

` + severalHelp
	cmd.Example = v.example
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		scheduleNameFlag(f, &name, nameOfOne)
		group.addFlags(f)
		addFlags(f)
	})
	m.addFlags(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// passedText returns how many fire times passed during a pause, and what
// becomes of them.
func passedText(r *rest.Resumed) string {
	if r == nil || r.Count == 0 {
		return ""
	}
	what := "skipped"
	if r.CatchUp {
		what = "handled as misfires"
	}
	verb := map[bool]string{true: "was", false: "were"}[r.Count == 1]
	return fmt.Sprintf("; %s of the pause %s %s", countText(r.Count, "fire time", "fire times"), verb, what)
}

// expandScheduled is expandNames for jobs with a schedule of the name, or with
// any if name is empty.
func (inv *invocation) expandScheduled(args []string, name string) (targets, error) {
	things := "jobs of " + inv.app + " with a schedule"
	if !isDefaultName(name) {
		things += " " + name
	}
	return inv.expandNames(args, things, func() ([]string, error) {
		jobs, err := inv.allJobs()
		names := []string{}
		for i := range jobs {
			if j := &jobs[i]; name == "" && len(schedulesOf(j)) > 0 || name != "" && findSchedule(j, name) != nil {
				names = append(names, j.Name)
			}
		}
		return names, err
	})
}

// checkSchedule returns a check of a bulkWork that describes the schedule.
func (inv *invocation) checkSchedule(name string) func(target) (string, error) {
	return func(t target) (string, error) {
		is, err := inv.scheduleOf(t.name, name)
		if err != nil {
			return "", err
		}
		return scheduleText(is), nil
	}
}

func (c *CLI) scheduleDelete() *cobra.Command {
	var m bulkFlags
	var name string
	cmd := c.serverCommand("delete JOB...", "Delete the schedules of jobs", func(inv *invocation, args []string) error {
		t, err := inv.expandScheduled(args, cmp.Or(name, defaultName))
		if err != nil {
			return err
		}
		noun := "schedule of"
		if !isDefaultName(name) {
			noun = "schedule " + name + " of"
		}
		w := &bulkWork{bulkFlags: &m, one: "schedule", noun: noun, more: "schedules", verb: "delete", done: "deleted", destroys: true, check: inv.checkSchedule(name)}
		return inv.deleteEach(w, &t, func(t target) (string, error) {
			return "The " + noun + " job " + t.name + " was deleted.", inv.client.DeleteSchedule(inv.ctx, inv.app, t.name, name)
		})
	})
	cmd.Long = "Deletes the schedules of jobs; the jobs are kept. On a terminal it asks for confirmation; scripts use --yes.\n\n" + severalHelp
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) { scheduleNameFlag(f, &name, nameOfOne) })
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
print a list of schedules with their jobs.`
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
	t, err := inv.expandScheduled(args, "")
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
		if i < 0 || len(schedulesOf(&jobs[i])) == 0 {
			if _, err := inv.scheduleOf(name.name, ""); err != nil {
				return err
			}
		}
	}
	for _, j := range jobs {
		wanted := len(args) == 0 || slices.ContainsFunc(t.all, func(t target) bool { return t.name == j.Name })
		if !wanted {
			continue
		}
		for _, is := range schedulesOf(&j) {
			if !paused || isHeld(&is.Schedule) {
				all = append(all, listedSchedule{Job: j.Name, NextExecution: is.NextFire, Schedule: &is.Schedule})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b listedSchedule) int {
		return cmp.Or(cmp.Compare(fireRank(a), fireRank(b)), cmp.Compare(a.NextExecution, b.NextExecution), cmp.Compare(a.Job, b.Job), cmp.Compare(a.Schedule.Name, b.Schedule.Name))
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
	case isHeld(s.Schedule):
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
	t := newTable("JOB", "NAME", "NEXT", "CRON", "TIME ZONE", "CALENDAR", "MISFIRE", "PAUSED").
		withOptional("NAME", "TIME ZONE", "CALENDAR", "PAUSED").withDrops("MISFIRE", "TIME ZONE", "CALENDAR").withCuts("CRON", "TIME ZONE", "CALENDAR")
	for _, one := range all {
		next := p.timeCell(one.NextExecution)
		switch fireRank(one) {
		case 2:
			next.cell = cell{"paused", yellow}
		case 1:
			next.cell = cell{"never", yellow}
		}
		is := one.Schedule
		t.addRow(one.Job, shownName(is.Name), next, whenText(is), textOf(is.TimeZone), textOf(is.Calendar), is.Misfire, pausedCell(is))
	}
	p.writeTable(t)
}

// pausedCell returns who paused a schedule and why, for a table that has another
// column for paused.
func pausedCell(is *rest.Schedule) cell {
	switch {
	case !isHeld(is):
		return cell{}
	case is.Active:
		return cell{text: heldText(is)}
	}
	return cell{text: strings.TrimLeft(strings.TrimPrefix(pausedText(is), "paused"), ": ")}
}

// shownName returns the name of a schedule for a table, "" for the default one.
func shownName(name string) string {
	if isDefaultName(name) {
		return ""
	}
	return name
}
