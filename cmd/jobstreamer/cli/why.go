package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) whyCommand() *cobra.Command {
	cmd := c.serverCommand("why EXECUTION|JOB [TIME]", "Explain why a job did or did not start, or why an execution waits or ended", func(inv *invocation, args []string) error {
		if id, err := parseExecutionID(args[0]); err == nil {
			if len(args) > 1 {
				return usageErrorf("TIME %q: want none after the number of an execution", args[1])
			}
			return showAnswer(inv, func(c *client.Client) (rest.ExecutionWhy, error) { return c.WhyExecution(inv.ctx, inv.app, id) }, drawExecutionWhy)
		}
		var at time.Time
		if len(args) > 1 {
			p := inv.outPage()
			var ok bool
			if at, ok = parseTime(args[1], p.now, p.zone, true); !ok || at.Unix() < 0 {
				return usageErrorf("TIME %q: want %s", args[1], timeForms)
			}
		}
		return showAnswer(inv, func(c *client.Client) (rest.Why, error) { return c.Why(inv.ctx, inv.app, args[0], at) }, drawWhy)
	})
	cmd.Long = `Explains what became of the last time, at or before TIME, at which a job should have started: one answer for each of its
schedules, and one for its triggers. Without TIME it is the last time before now.

For the number of an execution: what started it, what it waits for, and how it ended; admins also see who started or stopped it.

TIME is a time of day such as 02:00 (the last one before now), yesterday, a date, which means its end, "2026-11-24 02:00", or how
long ago it was, such as 3h.`
	cmd.Example = `  jobstreamer why nightly
  jobstreamer why nightly 02:00
  jobstreamer why nightly "2026-11-24 02:00"
  jobstreamer why 4711`
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

func drawWhy(p *page, v rest.Why) {
	for _, r := range v.Reasons {
		name := shownName(r.Schedule)
		if name != "" {
			name = "Schedule " + name + ": "
		}
		fmt.Fprintf(p, "%s%s\n", name, r.Text)
	}
}

func drawExecutionWhy(p *page, v rest.ExecutionWhy) {
	fmt.Fprintf(p, "Execution %d of %s is %s.\n", v.ExecutionID, v.Job, v.BatchStatus)
	for _, f := range v.Facts {
		fmt.Fprintf(p, "  %s\n", printable(f.Text))
	}
}
