package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func (c *CLI) limitCommand() *cobra.Command {
	return groupCommand("limit", "Manage limits: how much executions may use at a time",
		`A limit is a named resource with a capacity, such as the connections of a database. Jobs say in their definition how much of it an execution uses
(limits: {db: 1}). An execution that does not get its limits waits; those that came first get them first.`,
		c.limitList(), c.limitSet(), c.limitDelete())
}

func (c *CLI) limitList() *cobra.Command {
	cmd := c.serverCommand("list", "List limits, with the executions that hold them", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.Limit], error) { return c.Limits(inv.ctx, p) }, drawLimits)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

// shownHolders is how many executions a row of the table names.
const shownHolders = 5

func drawLimits(p *page, list rest.List[rest.Limit]) {
	t := newTable("LIMIT", ">CAPACITY", ">HELD", ">WAITING", "HELD BY").withOptional("HELD BY").withDrops("HELD BY").withCuts("HELD BY")
	for _, l := range list.Results {
		var holders []string
		for _, h := range l.Holders[:min(len(l.Holders), shownHolders)] {
			holders = append(holders, fmt.Sprintf("%d of %s", h.ExecutionID, h.Job))
		}
		if n := len(l.Holders) - shownHolders; n > 0 {
			holders = append(holders, fmt.Sprintf("%d more", n))
		}
		t.addRow(l.Name, l.Capacity, l.Held, l.Waiting, strings.Join(holders, ", "))
	}
	drawList(p, t, list, "No limits. Create one with `jobstreamer limit set NAME CAPACITY`.")
}

func (c *CLI) limitSet() *cobra.Command {
	cmd := c.serverCommand("set NAME CAPACITY", "Create a limit or change its capacity", func(inv *invocation, args []string) error {
		if !jsl.ValidLimitName(args[0]) {
			return usageErrorf("%q: want %s", args[0], jsl.WantLimitName)
		}
		capacity, err := strconv.Atoi(args[1])
		if err != nil || capacity < 1 || capacity > jsl.MaxUnits {
			return usageErrorf("%q: want a capacity from 1 to %d", args[1], jsl.MaxUnits)
		}
		return showAnswer(inv, func(c *client.Client) (*rest.Limit, error) { return c.PutLimit(inv.ctx, args[0], capacity) }, func(p *page, l *rest.Limit) {
			fmt.Fprintf(p, "Limit %s has a capacity of %d; %d held, %s waiting.\n", l.Name, l.Capacity, l.Held, countText(l.Waiting, "execution", "executions"))
		})
	})
	cmd.Long = `Creates a limit or changes its capacity. Executions keep what they hold when the capacity is lowered; no other gets any until enough is free.`
	cmd.Example = `  jobstreamer limit set db 3`
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (c *CLI) limitDelete() *cobra.Command {
	cmd := c.serverCommand("delete NAME", "Delete a limit that no job and no execution uses", func(inv *invocation, args []string) error {
		if !jsl.ValidLimitName(args[0]) {
			return usageErrorf("%q: want %s", args[0], jsl.WantLimitName)
		}
		if err := inv.client.DeleteLimit(inv.ctx, args[0]); err != nil {
			return err
		}
		inv.printDone("Limit %s was deleted.\n", args[0])
		return nil
	})
	c.quietFlag(cmd)
	c.serverFlags(cmd)
	return cmd
}
