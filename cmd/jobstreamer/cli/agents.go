package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Agents returns the commands for agents.
func (c *CLI) Agents() []*cobra.Command {
	return []*cobra.Command{
		c.agentList(), c.agentShow(),
		c.agentChangeCommand("block AGENT...", "Stop agents from taking new work; running executions continue", "block", "takes no new work", (*client.Client).BlockAgent),
		c.agentChangeCommand("unblock AGENT...", "Let agents take new work again", "unblock", "takes new work again", (*client.Client).UnblockAgent),
	}
}

func (c *CLI) agentList() *cobra.Command {
	cmd := c.serverCommand("list", "List agents with their load", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.Agent], error) { return c.Agents(inv.ctx, p) }, drawAgents)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawAgents(p *page, list rest.List[rest.Agent]) {
	t := newTable("AGENT", "STATUS", "BLOCKED", ">RUNNING", ">SLOTS", ">CPU", ">MEMORY FREE", "APPLICATIONS", "POOLS", "HOST", "VERSION").
		withOptional("BLOCKED").withDrops("VERSION", "HOST", "MEMORY FREE", "CPU", "POOLS").withCuts("APPLICATIONS", "POOLS", "HOST", "VERSION")
	for _, a := range list.Results {
		t.addRow(a.Name, agentStatus(a.Status), blockText(p, &a), a.Jobs.Running, a.Jobs.Slots, percentText(a.Stats.CPU.System.Load), sizeText(int64(a.Stats.Memory.Physical.Free)),
			strings.Join(a.Apps, ","), strings.Join(a.Pools, ","), a.Host, a.AgentVersion)
	}
	drawList(p, t, list, "No agents. Start one with `jobstreamer agent`.")
}

// blockText returns since when and by whom an agent is blocked, or "".
func blockText(p *page, a *rest.Agent) string {
	text := p.timeText(a.BlockedSince)
	if a.BlockedBy != nil {
		text += " by " + *a.BlockedBy
	}
	return text
}

func percentText(load float64) string { return fmt.Sprintf("%.0f%%", 100*load) }

func agentStatus(s string) cell {
	return cell{s, map[string]string{"ready": green, "blocked": yellow, "leaving": yellow, "lost": red}[s]}
}

func (c *CLI) agentShow() *cobra.Command {
	cmd := c.serverCommand("show AGENT", "Show an agent and its latest executions", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (*rest.Agent, error) { return c.Agent(inv.ctx, args[0]) }, drawAgent)
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawAgent(p *page, a *rest.Agent) {
	m := a.Stats.Memory.Physical
	p.writeFields("Agent", cell{a.Name, bold}, "Instance", a.InstanceID, "Status", agentStatus(a.Status),
		"Blocked", blockText(p, a), "Running", fmt.Sprintf("%d of %s", a.Jobs.Running, countText(a.Jobs.Slots, "slot", "slots")), "Applications", strings.Join(a.Apps, ", "), "Pools", strings.Join(a.Pools, ", "),
		"Host", fmt.Sprintf("%s, %s %s, %s", a.Host, a.OSName, a.OSVersion, a.CPUArch), "CPU", fmt.Sprintf("%s of %s", percentText(a.Stats.CPU.System.Load), countText(a.CPUCore, "core", "cores")),
		"Memory", fmt.Sprintf("%s free of %s", sizeText(int64(m.Free)), sizeText(int64(m.Total))), "Version", a.AgentVersion,
		"Started", p.timeText(a.StartTime), "Last seen", p.timeText(a.LastSeen))
	if a.Executions != nil && len(*a.Executions) > 0 {
		p.writeTitle("Latest executions")
		p.writeTable(executionTable(p, *a.Executions, true))
	}
}

func (c *CLI) agentChangeCommand(use, short, verb, done string, change func(c *client.Client, ctx context.Context, agent string) (*rest.Agent, error)) *cobra.Command {
	var m bulkFlags
	cmd := c.serverCommand(use, short, func(inv *invocation, args []string) error {
		t, err := inv.expandNames(args, "agents", inv.allAgents)
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "agent", more: "agents", verb: verb, done: verb + "ed", check: func(t target) (string, error) {
			a, err := inv.client.Agent(inv.ctx, t.name)
			if err != nil {
				return "", err
			}
			return a.Status, nil
		}}
		ask := func(c *client.Client, t target) (*rest.Agent, error) { return change(c, inv.ctx, t.name) }
		return changeNamed(inv, w, &t, ask, func(p *page, _ target, a *rest.Agent) { fmt.Fprintf(p, "Agent %s %s.\n", a.Name, done) })
	})
	cmd.Long = short + ".\n\n" + severalHelp
	m.addFlags(cmd)
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) allAgents() ([]string, error) {
	all, err := allPages(func(p client.Page) (rest.List[rest.Agent], error) { return inv.client.Agents(inv.ctx, p) })
	return namesOf(all, func(a *rest.Agent) string { return a.Name }), err
}
