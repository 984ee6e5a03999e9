package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Agents are the commands for agents that run somewhere.
func (c *CLI) Agents() []*cobra.Command {
	return []*cobra.Command{
		c.agentList(), c.agentShow(),
		c.blocking("block AGENT...", "Stop agents from taking new work; what runs there goes on", "block", "takes no more work", (*client.Client).BlockAgent),
		c.blocking("unblock AGENT...", "Let agents take work again", "unblock", "takes work again", (*client.Client).UnblockAgent),
	}
}

func (c *CLI) agentList() *cobra.Command {
	cmd := c.leaf("list", "List agents with what they do", func(s *session, _ []string) error {
		return showList(s, func(c *client.Client, p client.Page) (rest.List[rest.Agent], error) { return c.Agents(s.ctx, p) }, drawAgents)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawAgents(p *page, list rest.List[rest.Agent]) {
	t := newTable("AGENT", "STATUS", ">RUNS", ">SLOTS", ">CPU", ">MEMORY FREE", "APPLICATIONS", "POOLS", "HOST", "VERSION").
		dropping("VERSION", "HOST", "MEMORY FREE", "CPU", "POOLS").cutting("APPLICATIONS", "POOLS", "HOST", "VERSION")
	for _, a := range list.Results {
		t.row(a.Name, agentStatus(a.Status), a.Jobs.Running, a.Jobs.Slots, percent(a.Stats.CPU.System.Load), size(int64(a.Stats.Memory.Physical.Free)),
			strings.Join(a.Apps, ","), strings.Join(a.Pools, ","), a.Host, a.AgentVersion)
	}
	drawList(p, t, list, "No agents. `jobstreamer agent` runs one.")
}

func percent(load float64) string { return fmt.Sprintf("%.0f%%", 100*load) }

func agentStatus(s string) cell {
	return cell{s, map[string]string{"ready": green, "blocked": yellow, "leaving": yellow, "lost": red}[s]}
}

func (c *CLI) agentShow() *cobra.Command {
	cmd := c.leaf("show AGENT", "Show an agent and its newest executions", func(s *session, args []string) error {
		return show(s, func(c *client.Client) (*rest.Agent, error) { return c.Agent(s.ctx, args[0]) }, drawAgent)
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawAgent(p *page, a *rest.Agent) {
	m := a.Stats.Memory.Physical
	p.fields("Agent", cell{a.Name, bold}, "Instance", a.InstanceID, "Status", agentStatus(a.Status),
		"Runs", fmt.Sprintf("%d of %s", a.Jobs.Running, count(a.Jobs.Slots, "slot", "slots")), "Applications", strings.Join(a.Apps, ", "), "Pools", strings.Join(a.Pools, ", "),
		"Host", fmt.Sprintf("%s, %s %s, %s", a.Host, a.OSName, a.OSVersion, a.CPUArch), "CPU", fmt.Sprintf("%s of %s", percent(a.Stats.CPU.System.Load), count(a.CPUCore, "core", "cores")),
		"Memory", fmt.Sprintf("%s free of %s", size(int64(m.Free)), size(int64(m.Total))), "Version", a.AgentVersion,
		"Started", p.at(a.StartTime), "Last seen", p.at(a.LastSeen))
	if a.Executions != nil && len(*a.Executions) > 0 {
		p.title("Newest executions")
		p.table(executionTable(p, *a.Executions, true))
	}
}

func (c *CLI) blocking(use, short, verb, done string, change func(c *client.Client, ctx context.Context, agent string) (*rest.Agent, error)) *cobra.Command {
	var m many
	cmd := c.leaf(use, short, func(s *session, args []string) error {
		t, err := s.expand(args, "agents", s.allAgents)
		if err != nil {
			return err
		}
		draw := func(p *page, a *rest.Agent) { fmt.Fprintf(p, "Agent %s %s.\n", a.Name, done) }
		w := &work{many: &m, one: "agent", more: "agents", verb: verb, done: verb + "ed", check: func(t target) (string, error) {
			a, err := s.client.Agent(s.ctx, t.name)
			if err != nil {
				return "", err
			}
			return a.Status, nil
		}}
		if t.single && !m.dry {
			return show(s, func(c *client.Client) (*rest.Agent, error) { return change(c, s.ctx, args[0]) }, draw)
		}
		if over, err := s.begin(w, &t); over || err != nil {
			return err
		}
		r := &report{session: s, work: w}
		return r.end(eachOf(r, t.all, func(c *client.Client, t target) (*rest.Agent, error) { return change(c, s.ctx, t.name) },
			func(p *page, _ target, a *rest.Agent) string { draw(p, a); return w.done }))
	})
	cmd.Long = short + ".\n\n" + several
	m.flags(cmd)
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (s *session) allAgents() ([]string, error) {
	all, err := everything(func(p client.Page) (rest.List[rest.Agent], error) { return s.client.Agents(s.ctx, p) })
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names, err
}
