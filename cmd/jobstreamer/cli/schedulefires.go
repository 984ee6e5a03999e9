package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) scheduleFires() *cobra.Command {
	var v firesFlags
	cmd := c.serverCommand("fires JOB", "Show the past fire times of a job with their executions", func(inv *invocation, args []string) error {
		f, err := v.toFilter(inv)
		if err != nil {
			return err
		}
		return showAnswer(inv, func(c *client.Client) (rest.Fires, error) { return c.Fires(inv.ctx, inv.app, args[0], f) }, drawDecisions)
	})
	cmd.Long = `Shows the past fire times of all schedules of a job, newest first: for each, the execution, or the reason why there is none.`
	cmd.Example = `  jobstreamer schedule fires nightly
  jobstreamer schedule fires nightly --from yesterday --to today`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		scheduleNameFlag(f, &v.name, "name of the schedule (default: all schedules)")
		f.StringVar(&v.from, "from", "", "`TIME` earliest fire time: 18:00, yesterday, 2026-11-24, 2h ...")
		f.StringVar(&v.to, "to", "", "`TIME` end of the range (exclusive); a date means the end of that day")
		f.IntVarP(&v.limit, "limit", "n", 20, "`NUMBER` maximum number of entries, up to 1000")
	})
	c.showFlags(cmd)
	v.given = cmd.Flags().Changed
	return c.appFlags(cmd)
}

// firesFlags are the flags of schedule fires.
type firesFlags struct {
	name     string
	from, to string
	limit    int
	given    func(flag string) bool
}

func (v *firesFlags) toFilter(inv *invocation) (f client.FireFilter, err error) {
	f.Schedule = v.name
	if f.Limit = v.limit; f.Limit < 1 {
		return f, usageErrorf("--limit %d: want a number from 1 to 1000", v.limit)
	}
	if f.From, f.To, err = inv.timeRange(v.given, timeText{"from", v.from}, timeText{"to", v.to}); err != nil {
		return f, err
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.From.After(f.To) {
		return f, usageErrorf("--from %s: want a time that is not later than --to %s", v.from, v.to)
	}
	return f, nil
}

func drawDecisions(p *page, v rest.Fires) {
	if len(v.Results) == 0 {
		fmt.Fprintln(p, "No fire time has passed yet.")
		return
	}
	t := newTable("TIME", "NAME", "EXECUTION", "OUTCOME").withOptional("NAME")
	for i := range v.Results {
		f := &v.Results[i]
		id, what := "", cell{"fired", ""}
		if f.ExecutionID != nil {
			id = strconv.FormatInt(*f.ExecutionID, 10)
		}
		switch {
		case f.Skipped != nil:
			what = cell{"skipped: " + *f.Skipped, yellow}
		case f.CaughtUp:
			what.text = "fired late"
		case len(f.TriggeredBy) > 0:
			what.text = "started by " + causesText(f.TriggeredBy)
		}
		if f.BackfillID != nil && f.Skipped == nil {
			what.text = fmt.Sprintf("fired by backfill %d", *f.BackfillID)
		}
		if f.BlockedBy != nil {
			what.text += fmt.Sprintf(", because of execution %d", *f.BlockedBy)
		}
		if f.From != nil {
			what.text += ", moved from " + p.timeText(*f.From)
		}
		if f.SkippedCount > 1 {
			what.text += ", with " + countText(f.SkippedCount-1, "earlier time", "earlier times")
		}
		t.addRow(p.timeText(f.NominalTime), shownName(f.Schedule), id, what)
	}
	p.writeTable(t)
}

// causesText names the executions that started another one.
func causesText(causes []rest.Cause) string {
	var all []string
	for _, c := range causes {
		all = append(all, fmt.Sprintf("%s/%s %d", c.App, c.Job, c.ExecutionID))
	}
	return strings.Join(all, ", ")
}
