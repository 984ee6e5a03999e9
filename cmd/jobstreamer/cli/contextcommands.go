package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// Contexts returns the command for contexts.
func (c *CLI) Contexts() *cobra.Command {
	cmd := groupCommand("context", "Manage contexts: named control buses",
		`A context gives a name to a control bus, with a default application. Commands use the selected context unless a flag says otherwise; --context NAME
uses another one. Contexts are stored in `+c.Dir+`.`,
		c.contextAdd(), c.contextList(), c.contextSelect(), c.contextShow(), c.contextDelete())
	// A saved value must not come from the environment.
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
	return cmd
}

// localCommand returns a command that does not call a control bus.
func (c *CLI) localCommand(use, short string, run func(all contexts, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args:              checkArguments(use),
		ValidArgsFunction: c.completeArguments(use),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := c.checkOutput(); err != nil {
				return err
			}
			return run(contexts{c.Dir}, args)
		},
	}
	help.Quiet(cmd, "")
	return cmd
}

func (c *CLI) contextAdd() *cobra.Command {
	var is savedContext
	var choose bool
	var token string
	cmd := c.localCommand("add NAME", "Add or change a context", func(all contexts, args []string) error {
		if _, err := client.New(client.Config{URL: is.Server}); err != nil || is.Server == "" {
			return usageErrorf("--server %q: want the URL of a control bus, such as http://host:45102 or unix:/path/of/socket", is.Server)
		}
		var err error
		if is.ServerCA, err = absolutePath(is.ServerCA); err != nil {
			return err
		}
		if _, err := client.New(client.Config{URL: is.Server, CAFile: is.ServerCA}); err != nil {
			return usageErrorf("--server-ca: %w", err)
		}
		was, err := all.loadContext(args[0])
		is.Token = was.Token
		if token != "" {
			given, err := c.givenToken(token)
			if err != nil {
				return err
			}
			is.Token = given
		}
		if err := all.saveContext(args[0], is); err != nil {
			return err
		}
		done := map[bool]string{true: "changed", false: "added"}[err == nil]
		if choose || all.selectedName() == "" {
			done += " and selected"
			if err := all.selectContext(args[0]); err != nil {
				return err
			}
		}
		fmt.Fprintf(c.Out, "Context %s was %s.\n", args[0], done)
		return nil
	})
	cmd.Example = `  jobstreamer context add prod --server https://jobs.example.com --app billing --select
  jobstreamer context add local --server http://127.0.0.1:45102`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&is.Server, "server", "", "`URL` address of the control bus")
		f.StringVar(&is.ServerCA, "server-ca", "", "`FILE` PEM file with the authorities that sign the certificate of the control bus (default: those of the system)")
		f.StringVar(&is.App, "app", "", "`NAME` default application of the context")
		f.StringVar(&is.Description, "description", "", "`TEXT` description of the context")
		f.StringVar(&token, "token", "", "`TOKEN` login token or key; - reads it from standard input, hidden from other users of the machine")
		f.BoolVar(&choose, "select", false, "select the context; the first context is always selected")
	})
	return cmd
}

// givenToken returns the token of the command line or of standard input. Its
// errors never contain the token.
func (c *CLI) givenToken(token string) (string, error) {
	if token == "-" {
		data, err := io.ReadAll(io.LimitReader(c.In, 4096))
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		token = strings.TrimSpace(string(data))
	}
	if _, err := client.New(client.Config{Token: token}); err != nil || token == "" {
		return "", usageErrorf("--token: want a login token or a key")
	}
	return token, nil
}

// shownContext is a context in an answer, without its token.
type shownContext struct {
	Name        string `json:"name"`
	Server      string `json:"server"`
	App         string `json:"app,omitempty"`
	Description string `json:"description,omitempty"`
	Selected    bool   `json:"selected"`
}

func (c *CLI) contextList() *cobra.Command {
	cmd := c.localCommand("list", "List contexts", func(all contexts, _ []string) error {
		names, err := all.listNames()
		if err != nil {
			return err
		}
		list := make([]shownContext, len(names))
		for i, name := range names {
			is, err := all.loadContext(name)
			if err != nil {
				is.Description = err.Error()
			}
			list[i] = shownContext{name, shownURL(is.Server), is.App, is.Description, name == all.selectedName()}
		}
		inv := &invocation{CLI: c}
		if !inv.printsTables() {
			return inv.printValue(list)
		}
		drawContexts(inv.outPage(), list)
		return nil
	})
	c.outputFlag(cmd, "`FORMAT` output format: table, or a list as json, yaml or edn")
	return cmd
}

func drawContexts(p *page, list []shownContext) {
	if len(list) == 0 {
		fmt.Fprintln(p, "No contexts. Add one with `jobstreamer context add NAME --server URL`.")
		return
	}
	t := newTable("", "CONTEXT", "SERVER", "APPLICATION", "DESCRIPTION").withOptional("APPLICATION", "DESCRIPTION").withDrops("DESCRIPTION").withCuts("DESCRIPTION")
	for _, is := range list {
		mark := map[bool]string{true: "*"}[is.Selected]
		t.addRow(cell{mark, green}, is.Name, is.Server, is.App, is.Description)
	}
	p.writeTable(t)
}

func (c *CLI) contextSelect() *cobra.Command {
	return c.localCommand("select CONTEXT", "Select the context that commands use", func(all contexts, args []string) error {
		if err := all.selectContext(args[0]); err != nil {
			return err
		}
		is, err := all.loadContext(args[0])
		if err == nil {
			fmt.Fprintf(c.Out, "Context %s is selected: %s\n", args[0], shownURL(is.Server))
		}
		return err
	})
}

func (c *CLI) contextShow() *cobra.Command {
	return c.localCommand("show [CONTEXT]", "Show a context (default: the selected one)", func(all contexts, args []string) error {
		name := all.selectedName()
		if len(args) > 0 {
			name = args[0]
		}
		if name == "" {
			return fmt.Errorf("no context is selected; commands use %s", client.DefaultURL)
		}
		is, err := all.loadContext(name)
		if err != nil {
			return err
		}
		token := ""
		if is.Token != "" {
			token = "saved, not shown"
		}
		(&invocation{CLI: c}).outPage().writeFields("Context", cell{name, bold}, "Server", shownURL(is.Server), "Server CA", is.ServerCA, "Application", is.App, "Description", is.Description,
			"Token", token, "Selected", yesText(name == all.selectedName()), "File", all.filePath(name))
		return nil
	})
}

func (c *CLI) contextDelete() *cobra.Command {
	return c.localCommand("delete CONTEXT", "Delete a context", func(all contexts, args []string) error {
		if err := all.deleteContext(args[0]); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "Context %s was deleted.\n", args[0])
		return nil
	})
}
