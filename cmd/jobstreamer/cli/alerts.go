package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) alertCommand() *cobra.Command {
	return groupCommand("alert", "See promises that jobs did not keep",
		`The control bus raises an alert, once, if a job does not keep what its settings promise (sla: start_within, finish_by, missing_after), or if its time monitor finds an execution that takes too long.`,
		c.alertList())
}

func (c *CLI) alertList() *cobra.Command {
	var f client.AlertFilter
	cmd := c.serverCommand("list", "List the alerts of the last 30 days, newest first", func(inv *invocation, _ []string) error {
		if f.Limit < 1 || f.Limit > 1000 {
			return usageErrorf("--limit %d: want a number from 1 to 1000", f.Limit)
		}
		return showAnswer(inv, func(c *client.Client) (rest.Alerts, error) { return c.Alerts(inv.ctx, f) }, drawAlerts)
	})
	cmd.Example = `  jobstreamer alert list --app billing
  jobstreamer alert list --job nightly -o json`
	help.Section(cmd.Flags(), "Filters", func(fs *pflag.FlagSet) {
		fs.StringVarP(&f.App, "app", "a", "", "`NAME` application of the job (default: all)")
		fs.StringVar(&f.Job, "job", "", "`NAME` name of the job")
		fs.IntVarP(&f.Limit, "limit", "n", 20, "`NUMBER` maximum number of entries, up to 1000")
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawAlerts(p *page, all rest.Alerts) {
	if len(all.Results) == 0 {
		fmt.Fprintln(p, "No alerts.")
		return
	}
	t := newTable("TIME", "APPLICATION", "JOB", "RULE", "ALERT")
	for i := range all.Results {
		a := &all.Results[i]
		t.addRow(p.timeCell(a.Time), a.App, a.Job, a.Rule, a.Text)
	}
	p.writeTable(t)
}
