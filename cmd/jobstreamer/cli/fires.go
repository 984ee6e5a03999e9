package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) scheduleFires() *cobra.Command {
	var limit int
	cmd := c.leaf("fires JOB", "Show what became of the times of a schedule", func(s *session, args []string) error {
		return show(s, func(c *client.Client) (rest.Fires, error) { return c.Fires(s.ctx, s.app, args[0], limit) }, drawDecisions)
	})
	cmd.Long = `Shows what was decided about the times that a schedule asked for, newest first: the execution, or why there is none.`
	cmd.Example = `  jobstreamer schedule fires nightly`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.IntVarP(&limit, "limit", "n", 20, "`NUMBER` of times, at most 1000")
	})
	c.showFlags(cmd)
	return c.flags(cmd)
}

func drawDecisions(p *page, v rest.Fires) {
	if len(v.Results) == 0 {
		fmt.Fprintln(p, "No time of a schedule has come yet.")
		return
	}
	t := newTable("TIME", "EXECUTION", "WHAT")
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
		}
		if f.SkippedCount > 1 {
			what.text += fmt.Sprintf(", with %d before", f.SkippedCount-1)
		}
		t.row(p.at(f.NominalTime), id, what)
	}
	p.table(t)
}
