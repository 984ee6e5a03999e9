package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (c *CLI) secretCommand() *cobra.Command {
	return groupCommand("secret", "Manage the secrets of an application, such as passwords of databases",
		`A secret is a value that jobs need and nobody should see. The control bus stores it encrypted, and gives it to the agents that run steps which
name it: the property "secrets" of a shell step. The process has it as a variable of its environment. No command shows a value.`,
		c.secretList(), c.secretSet(), c.secretDelete())
}

func (c *CLI) secretList() *cobra.Command {
	cmd := c.serverCommand("list", "List the secrets of an application, without their values", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.Secret], error) {
			return c.Secrets(inv.ctx, inv.app, p)
		}, drawSecrets)
	})
	c.pageFlags(cmd)
	c.appFlags(cmd)
	return cmd
}

func drawSecrets(p *page, list rest.List[rest.Secret]) {
	t := newTable("SECRET", "SET", "BY", "KEY").withOptional("BY").withDrops("KEY")
	for _, s := range list.Results {
		t.addRow(s.Name, p.timeCell(s.LastUpdatedTime), s.SetBy, s.KeyID)
	}
	drawList(p, t, list, "No secrets. Set one with `jobstreamer secret set NAME`.")
}

func (c *CLI) secretSet() *cobra.Command {
	var file string
	cmd := c.serverCommand("set NAME", "Set a secret of an application", func(inv *invocation, args []string) error {
		if err := checkSecretName(args[0]); err != nil {
			return err
		}
		value, err := inv.readSecret(args[0], file)
		if err != nil {
			return err
		}
		inv.warnOfPlainText(inv.client.URL())
		return showAnswer(inv, func(c *client.Client) (*rest.Secret, error) { return c.PutSecret(inv.ctx, inv.app, args[0], value) }, func(p *page, s *rest.Secret) {
			fmt.Fprintf(p, "Secret %s of the application %s was set.\n", s.Name, inv.app)
		})
	})
	cmd.Args = secretNameOnly
	cmd.ValidArgsFunction = c.completeSecret()
	cmd.Long = `Sets a secret of an application. The value is asked for on the terminal, or read from standard input or a file. A line break at its end does
not count. Executions that have got the secret keep its value.`
	cmd.Example = `  jobstreamer secret set DB_PASSWORD
  pass show billing/db | jobstreamer secret set DB_PASSWORD --app billing
  jobstreamer secret set SSH_KEY --file id_ed25519`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVarP(&file, "file", "f", "", "`FILE` file with the value; - is standard input (default: ask on the terminal, or standard input if it is none)")
	})
	c.showFlags(cmd)
	c.appFlags(cmd)
	return cmd
}

func (c *CLI) secretDelete() *cobra.Command {
	var sure bool
	cmd := c.serverCommand("delete NAME", "Delete a secret of an application", func(inv *invocation, args []string) error {
		if err := checkSecretName(args[0]); err != nil {
			return err
		}
		if err := inv.confirm(sure, "Delete the secret "+args[0]+" of the application "+inv.app+"? Steps that need it will fail."); err != nil {
			return err
		}
		if err := inv.client.DeleteSecret(inv.ctx, inv.app, args[0]); err != nil {
			return err
		}
		inv.printDone("Secret %s of the application %s was deleted.\n", args[0], inv.app)
		return nil
	})
	cmd.ValidArgsFunction = c.completeSecret()
	yesFlag(cmd, &sure)
	c.quietFlag(cmd)
	c.appFlags(cmd)
	return cmd
}

// secretNameOnly accepts the name of a secret as the only argument. Its error
// does not repeat a second one, which probably is the value.
func secretNameOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageErrorf("%s takes the name only: other users of the machine can read command lines. Pass the value on standard input, or name a file with --file", cmd.CommandPath())
	}
	return checkArguments(cmd.Use)(cmd, args)
}

// completeSecret completes the name of a secret.
func (c *CLI) completeSecret() cobra.CompletionFunc {
	complete := filterByPrefix(c.completeFrom(func(inv *invocation) (all []cobra.Completion) {
		list, _ := inv.client.Secrets(inv.ctx, inv.app, client.Page{Limit: completionMost})
		for _, s := range list.Results {
			all = append(all, s.Name)
		}
		return all
	}))
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, word)
	}
}

// checkSecretName refuses a name that no secret can have. It does not repeat the
// name: people type passwords in the wrong place.
func checkSecretName(name string) error {
	if !subjects.ValidSecretName(name) {
		return usageErrorf("want the name of a secret: 1 to %d characters from A-Z a-z 0-9 _, no digit at the beginning", subjects.MaxSecretName)
	}
	return nil
}

// readSecret reads the value of a secret from a file or standard input, or asks
// for it on the terminal.
func (inv *invocation) readSecret(name, file string) (string, error) {
	in, isFile := inv.In.(*os.File)
	if file == "" && isFile && IsTerminal(inv.In) {
		if !IsTerminal(inv.Err) {
			return "", usageErrorf("there is no terminal to ask for the value of %s; pass it on standard input, or name a file with --file", name)
		}
		return inv.askSecret(in, "Value of "+name+": ")
	}
	from := inv.In
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--file: %w", err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, subjects.MaxSecret+3))
	if err != nil {
		return "", fmt.Errorf("read the value of %s: %w", name, err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err := subjects.CheckSecret(value); err != nil {
		if len(data) > subjects.MaxSecret { // the rest was not read
			err = fmt.Errorf("want at most %d bytes", subjects.MaxSecret)
		}
		return "", usageErrorf("the value of %s: %w", name, err)
	}
	return value, nil
}
