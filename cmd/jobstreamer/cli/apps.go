package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) appCommand() *cobra.Command {
	return groupCommand("app", "Manage applications: sets of jobs and the code that they run",
		`An application is a set of jobs and the class path with which they run. Its revisions are numbered from 1; one of them is the current one.`,
		c.appList(), c.appShow(), c.appCreate(), c.appDelete(), c.appDeploy(), c.appComponents(), c.appRevisions(), c.appUse())
}

// Programs get as many entries as one answer can have; tables get a page that a
// person can read.
const tablePage, wholePage = 50, 1000 // a control bus returns at most 1000 entries

func (c *CLI) requestedPage() client.Page {
	p := client.Page{Offset: max(c.offset, 1), Limit: c.limit}
	switch {
	case p.Limit > 0:
	case c.printsTables():
		p.Limit = tablePage
	default:
		p.Limit = wholePage
	}
	return p
}

// showList shows a page of a list. With an output other than a table, it writes
// to standard error if the list has more entries.
func showList[T any](inv *invocation, ask func(c *client.Client, p client.Page) (rest.List[T], error), draw func(p *page, list rest.List[T])) error {
	part := inv.requestedPage()
	err := showAnswer(inv, func(c *client.Client) (rest.List[T], error) { return ask(c, part) }, draw)
	if err != nil || inv.printsTables() || inv.watch {
		return err
	}
	// Not every format contains the number of hits.
	one, err := ask(inv.client, client.Page{Offset: part.Offset, Limit: 1})
	if last := part.Offset + part.Limit - 1; err == nil && one.Hits > last {
		fmt.Fprintln(inv.Err, moreText(part.Offset, last, one.Hits))
	}
	return nil
}

func moreText(first, last, hits int) string {
	return fmt.Sprintf("showing %d to %d of %d; see the others with --limit and --offset", first, last, hits)
}

func (c *CLI) appList() *cobra.Command {
	cmd := c.serverCommand("list", "List applications", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.AppInfo], error) { return c.Apps(inv.ctx, p) }, drawApps)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawApps(p *page, list rest.List[rest.AppInfo]) {
	t := newTable("NAME", "CHANGED", "DESCRIPTION").withOptional("DESCRIPTION").withDrops("CHANGED").withCuts("DESCRIPTION")
	for _, a := range list.Results {
		t.addRow(a.Name, p.timeCell(a.LastUpdatedTime), a.Description)
	}
	drawList(p, t, list, "No applications. Create one with `jobstreamer app create NAME`.")
}

// drawList writes the table of a list, or none if the list is empty, and a note
// if the list has more entries.
func drawList[T any](p *page, t *table, list rest.List[T], none string) {
	if list.Hits == 0 {
		fmt.Fprintln(p, none)
		return
	}
	p.writeTable(t)
	drawMore(p, list)
}

// drawMore writes a note if the list has more entries than this page.
func drawMore[T any](p *page, list rest.List[T]) {
	switch n, last := len(list.Results), list.Offset+len(list.Results)-1; {
	case n == 0:
		fmt.Fprintln(p, p.inColor(faint, fmt.Sprintf("no entries from %d on; the list has %d", list.Offset, list.Hits)))
	case n < list.Hits:
		fmt.Fprintln(p, p.inColor(faint, moreText(list.Offset, last, list.Hits)))
	}
}

func (c *CLI) appShow() *cobra.Command {
	cmd := c.serverCommand("show APP", "Show an application", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (*rest.AppInfo, error) {
			a, _, err := c.App(inv.ctx, args[0])
			return a, err
		}, inv.drawApp)
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) drawApp(p *page, a *rest.AppInfo) {
	stats, _ := inv.client.Stats(inv.ctx, a.Name) // counts that cannot be read are left out
	deployments, _ := inv.client.Deployments(inv.ctx, a.Name)
	revision := ""
	for i, d := range deployments.Results {
		if d.Current {
			revision = fmt.Sprintf("%d, with %s and %s", d.Revision, countText(len(d.Artifacts), "jar", "jars"), countText(d.Components, "component", "components"))
		}
		if d.Current && i > 0 {
			revision += fmt.Sprintf("; the newest is %d", deployments.Results[0].Revision)
		}
	}
	p.writeFields("Name", cell{a.Name, bold}, "Description", a.Description, "Class path", strings.Join(a.Classpath, "\n"), "Revision", revision,
		"Jobs", stats.Jobs, "Agents", fmt.Sprintf("%d that run its jobs", stats.Agents),
		"Created", p.timeText(a.CreateTime), "Changed", p.timeText(a.LastUpdatedTime))
}

func (c *CLI) appCreate() *cobra.Command {
	var app rest.App
	cmd := c.serverCommand("create NAME", "Create an application", func(inv *invocation, args []string) error {
		app.Name = args[0]
		ask := func(c *client.Client) (*rest.AppInfo, error) {
			a, _, err := c.PutApp(inv.ctx, app, client.Condition{Create: true})
			return a, err
		}
		err := showAnswer(inv, ask, func(p *page, a *rest.AppInfo) { fmt.Fprintf(p, "Application %s was created.\n", a.Name) })
		if client.Code(err) == "conflict" {
			return &explained{err, fmt.Sprintf("the application %s already exists", app.Name)}
		}
		return err
	})
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVarP(&app.Description, "description", "d", "", "`TEXT` description of the application")
		f.StringArrayVar(&app.Classpath, "classpath", nil, "`URL` class folder or jar on the machine of the control bus; can be repeated")
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (c *CLI) appDelete() *cobra.Command {
	var m bulkFlags
	cmd := c.serverCommand("delete APP...", "Delete applications that have no jobs", func(inv *invocation, args []string) error {
		t, err := inv.expandNames(args, "applications", inv.allApps)
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "application", more: "applications", verb: "delete", done: "deleted", destroys: true, check: func(t target) (string, error) {
			_, _, err := inv.client.App(inv.ctx, t.name)
			return "", err
		}}
		return inv.deleteEach(w, &t, func(t target) (string, error) {
			return "Application " + t.name + " was deleted.", inv.client.DeleteApp(inv.ctx, t.name)
		})
	})
	cmd.Long = "Deletes applications that have no jobs. On a terminal it asks for confirmation; scripts use --yes.\n\n" + severalHelp
	m.addFlags(cmd)
	c.quietFlag(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) allApps() ([]string, error) {
	all, err := allPages(func(p client.Page) (rest.List[rest.AppInfo], error) { return inv.client.Apps(inv.ctx, p) })
	return namesOf(all, func(a *rest.AppInfo) string { return a.Name }), err
}

func yesFlag(cmd *cobra.Command, sure *bool) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVarP(sure, "yes", "y", false, "skip the confirmation")
	})
}

// confirm asks a question on a terminal. Without a terminal, it returns an
// error unless --yes was given.
func (inv *invocation) confirm(sure bool, question string) error {
	if sure {
		return nil
	}
	if !IsTerminal(inv.In) || !IsTerminal(inv.Err) {
		return usageErrorf("%s There is no terminal for the confirmation; use --yes", question)
	}
	fmt.Fprintf(inv.Err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(inv.In).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return nil
	}
	fmt.Fprintln(inv.Err, "Nothing was changed.")
	return ErrPrinted
}
