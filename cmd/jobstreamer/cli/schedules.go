package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) scheduleCommand() *cobra.Command {
	return group("schedule", "Schedules: when jobs fire",
		`A schedule is Quartz cron: second minute hour day month weekday [year]. One of day and weekday is a question mark.`,
		c.scheduleSet(), c.scheduleShow(), c.schedulePreview(), c.schedulePause(), c.scheduleResume(), c.scheduleDelete())
}

// preview says which fires are wanted.
type preview struct {
	rest.NewPreview
}

func (v *preview) flags(f *pflag.FlagSet) {
	f.IntVarP(&v.Count, "count", "n", 10, "`NUMBER` of fires, at most 1000")
	f.StringVar(&v.From, "from", "", "`TIME` after which they are, such as 2027-03-28T00:00:00Z (default: now)")
}

func (c *CLI) scheduleSet() *cobra.Command {
	var sched rest.NewSchedule
	var v preview
	var only bool
	cmd := c.leaf("set JOB CRON", "Schedule a job, or change its schedule", func(s *session, args []string) error {
		sched.CronNotation = args[1]
		if only {
			v.CronNotation, v.TimeZone = sched.CronNotation, sched.TimeZone
			return s.preview(&v)
		}
		return show(s, func(c *client.Client) (*rest.Schedule, error) {
			return c.PutSchedule(s.ctx, s.app, args[0], sched)
		}, func(p *page, is *rest.Schedule) { s.drawSet(p, args[0], is) })
	})
	cmd.Long = `Schedules a job. With --preview nothing is saved: it says when the job would fire.`
	cmd.Example = `  jobstreamer schedule set nightly "0 0 2 ? * MON-FRI" --timezone Europe/Berlin --preview
  jobstreamer schedule set nightly "0 0 2 ? * MON-FRI" --timezone Europe/Berlin
  jobstreamer schedule set hourly "0 0 * * * ?" --misfire skip`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringVar(&sched.TimeZone, "timezone", "", "`ZONE` such as Europe/Berlin (default: the control bus's)")
		f.StringVar(&sched.Misfire, "misfire", "", "`WHAT` becomes of times that passed while nobody could fire: fire_once, fire_all or skip (default: fire_once)")
		f.StringVar(&sched.Calendar, "calendar", "", "`NAME` of a calendar with holidays")
		f.BoolVar(&sched.Substitution, "substitution", false, "move a fire off a holiday instead of leaving it out")
	})
	help.Section(cmd.Flags(), "Preview", func(f *pflag.FlagSet) {
		f.BoolVar(&only, "preview", false, "save nothing, say when it would fire")
		v.flags(f)
	})
	completeFlag(cmd, "misfire", cobra.FixedCompletions([]cobra.Completion{"fire_once", "fire_all", "skip"}, cobra.ShellCompDirectiveNoFileComp))
	c.showFlags(cmd)
	return c.flags(cmd)
}

const firesAfterSet = 3

// drawSet says what was saved, and when it will fire.
func (s *session) drawSet(p *page, job string, is *rest.Schedule) {
	fmt.Fprintf(p, "Job %s is scheduled: %s.\n", job, scheduleText(is))
	if !is.Active {
		fmt.Fprintf(p, "It is paused; `%s` lets it fire.\n", s.again("schedule resume "+job))
	}
	v := rest.NewPreview{CronNotation: is.CronNotation, TimeZone: text(is.TimeZone), Count: firesAfterSet}
	if is.Calendar != nil {
		return // a preview knows no holidays
	}
	if fires, err := s.client.Preview(s.ctx, v); err == nil { // it is saved in any case
		drawFires(p, fires)
	}
}

func (s *session) preview(v *preview) error {
	return show(s, func(c *client.Client) (rest.Preview, error) { return c.Preview(s.ctx, v.NewPreview) }, drawFires)
}

func drawFires(p *page, v rest.Preview) {
	if len(v.Fires) == 0 {
		fmt.Fprintln(p, "It never fires.")
		return
	}
	t := newTable("FIRES", "HERE", "NOTE").ifAny("NOTE").cutting("NOTE")
	for _, f := range v.Fires {
		local, zone := f.Local, ""
		if day, clock, ok := strings.Cut(f.Local, "T"); ok && len(clock) >= len("15:04:05") {
			local, zone = day+" "+clock[:8], strings.Replace(clock[8:], "Z", "UTC", 1)
		}
		t.row(strings.TrimSpace(local+" "+zone), p.when(f.Time), cell{f.Note, yellow})
	}
	p.table(t)
}

func (c *CLI) schedulePreview() *cobra.Command {
	var v preview
	cmd := c.leaf("preview JOB|CRON", "Say when a job, or a cron notation, would fire", func(s *session, args []string) error {
		v.CronNotation = args[0]
		if !strings.Contains(args[0], " ") {
			is, err := s.schedule(args[0])
			if err != nil {
				return err
			}
			v.CronNotation = is.CronNotation
			if v.TimeZone == "" {
				v.TimeZone = text(is.TimeZone)
			}
		}
		return s.preview(&v)
	})
	cmd.Example = `  jobstreamer schedule preview nightly
  jobstreamer schedule preview "0 30 2 * * ?" --timezone Europe/Berlin --from 2027-03-26T00:00:00Z`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringVar(&v.TimeZone, "timezone", "", "`ZONE` such as Europe/Berlin (default: the schedule's, else the control bus's)")
		v.flags(f)
	})
	c.showFlags(cmd)
	return c.flags(cmd)
}

// schedule is that of a job.
func (s *session) schedule(job string) (*rest.Schedule, error) {
	j, _, err := s.client.Job(s.ctx, s.app, job)
	if err != nil {
		return nil, err
	}
	if j.Schedule == nil {
		return nil, fmt.Errorf("the job %s has no schedule; `%s` makes one", job, s.again("schedule set "+job+" CRON"))
	}
	return j.Schedule, nil
}

func (c *CLI) scheduleShow() *cobra.Command {
	cmd := c.leaf("show JOB", "Show the schedule of a job", func(s *session, args []string) error {
		return show(s, func(c *client.Client) (*rest.Job, error) {
			j, _, err := c.Job(s.ctx, s.app, args[0])
			return j, err
		}, func(p *page, j *rest.Job) {
			if j.Schedule == nil {
				fmt.Fprintf(p, "Job %s has no schedule.\n", j.Name)
				return
			}
			is := j.Schedule
			p.fields("Job", cell{j.Name, bold}, "Cron", is.CronNotation, "Time zone", text(is.TimeZone), "Calendar", text(is.Calendar), "Misfire", is.Misfire,
				"Paused", yes(!is.Active), "Next", next(p, j), "Changed", p.at(is.LastUpdatedTime))
		})
	})
	cmd.Long = `Shows the schedule of a job. --output json, yaml and edn have the job around it.`
	c.watchFlags(cmd)
	return c.flags(cmd)
}

// scheduleText is a schedule in a few words.
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
	return c.scheduling("pause JOB", "Let a job not fire until it is resumed", "is paused", (*client.Client).PauseSchedule)
}

func (c *CLI) scheduleResume() *cobra.Command {
	return c.scheduling("resume JOB", "Let a job fire again", "fires again", (*client.Client).ResumeSchedule)
}

func (c *CLI) scheduling(use, short, done string, change func(c *client.Client, ctx context.Context, app, job string) (*rest.Schedule, error)) *cobra.Command {
	cmd := c.leaf(use, short, func(s *session, args []string) error {
		return show(s, func(c *client.Client) (*rest.Schedule, error) { return change(c, s.ctx, s.app, args[0]) }, func(p *page, is *rest.Schedule) {
			fmt.Fprintf(p, "Job %s %s.\n", args[0], done)
		})
	})
	c.showFlags(cmd)
	return c.flags(cmd)
}

func (c *CLI) scheduleDelete() *cobra.Command {
	cmd := c.leaf("delete JOB", "Remove the schedule of a job", func(s *session, args []string) error {
		if err := s.client.DeleteSchedule(s.ctx, s.app, args[0]); err != nil {
			return err
		}
		s.done("Job %s has no schedule any more.\n", args[0])
		return nil
	})
	c.quietFlag(cmd)
	return c.flags(cmd)
}
