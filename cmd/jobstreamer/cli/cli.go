package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// Config is the environment of the commands.
type Config struct {
	In       io.Reader
	Out, Err io.Writer
	Env      map[string]string
	Dir      string // directory of the contexts
	Version  string // version of the program, for the server's log
}

// UsageError is a mistake in the command line.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

func usageErrorf(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// CLI creates the commands and holds the values of their common flags.
type CLI struct {
	Config
	server, context, app, output string
	serverCA                     string // PEM file
	token                        string
	noColor, watch               bool
	every                        time.Duration
	limit, offset                int
}

// New returns a CLI.
func New(cfg Config) *CLI { return &CLI{Config: cfg} }

// Work returns the commands for applications, jobs and executions.
func (c *CLI) Work() []*cobra.Command {
	return []*cobra.Command{c.appCommand(), c.jobCommand(), c.runCommand(), c.executionCommand(), c.logsCommand(), c.scheduleCommand(), c.backfillCommand(), c.whyCommand(), c.calendarCommand(), c.notifyCommand(), c.alertCommand(), c.importCommand(), c.limitCommand(), c.secretCommand()}
}

// groupCommand returns a command that has only subcommands.
func groupCommand(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: Subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// Subcommand returns an error if a command with subcommands gets an argument:
// it is an unknown subcommand.
func Subcommand(cmd *cobra.Command, args []string) error {
	if err := help.NoCommand(cmd, args); err != nil {
		return UsageError{err}
	}
	return nil
}

// serverCommand returns a command that calls a control bus. The words after its
// name in use define its arguments.
func (c *CLI) serverCommand(use, short string, run func(inv *invocation, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args:              checkArguments(use),
		ValidArgsFunction: c.completeArguments(use),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			defer context.AfterFunc(ctx, stop)() // a second signal ends the program immediately
			inv, err := c.newInvocation(ctx)
			if err != nil {
				return err
			}
			defer inv.client.Close()
			return inv.explainError(run(inv, args))
		},
	}
	help.Quiet(cmd, "Flags can also be set by environment variables: JOBSTREAMER_SERVER for --server.")
	return cmd
}

// checkArguments checks the number of arguments by the usage line: WORD is
// required, [WORD] is optional, WORD... can be repeated.
func checkArguments(use string) cobra.PositionalArgs {
	words := strings.Fields(use)[1:]
	need, most := 0, len(words)
	for _, w := range words {
		if !strings.HasPrefix(w, "[") {
			need++
		}
		if strings.Contains(w, "...") {
			most = 1 << 20
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < need:
			return usageErrorf("%s is missing; usage: %s %s", words[len(args)], cmd.CommandPath(), strings.Join(words, " "))
		case len(args) > most && most == 0:
			return usageErrorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		case len(args) > most:
			return usageErrorf("unexpected argument %q; usage: %s %s", args[most], cmd.CommandPath(), strings.Join(words, " "))
		}
		return nil
	}
}

// serverFlags defines the flags for the connection to the control bus.
func (c *CLI) serverFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Connection", func(f *pflag.FlagSet) {
		f.StringVar(&c.server, "server", "", "`URL` address of the control bus: http:, https: or unix:PATH (default: from the context, else http://localhost:45102)")
		f.StringVar(&c.serverCA, "server-ca", "", "`FILE` PEM file with the authorities that sign the certificate of the control bus (default: from the context, else those of the system)")
		f.StringVar(&c.context, "context", "", "`NAME` context to use (default: the selected context)")
		f.StringVar(&c.token, "token", "", "`TOKEN` login token or key; JOBSTREAMER_TOKEN or a context hides it from other users of the machine")
	})
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		f.BoolVar(&c.noColor, "no-color", false, "disable colors, like NO_COLOR in the environment")
	})
	completeFlag(cmd, "context", c.completeFrom((*invocation).contextNames))
}

// appFlags defines the flags of a command that works within an application.
func (c *CLI) appFlags(cmd *cobra.Command) *cobra.Command {
	help.Section(cmd.Flags(), "Connection", func(f *pflag.FlagSet) {
		f.StringVarP(&c.app, "app", "a", "", "`NAME` application (default: from the context, else \"default\")")
	})
	completeFlag(cmd, "app", c.completeFrom((*invocation).appNames))
	c.serverFlags(cmd)
	return cmd
}

// showFlags defines --output for a command that shows an answer.
func (c *CLI) showFlags(cmd *cobra.Command) {
	c.outputFlag(cmd, "`FORMAT` output format: table (as wide as the terminal, or 80 columns), wide (all columns), or the server's response as json, yaml or edn")
}

// quietFlag defines --output for a command without an answer.
func (c *CLI) quietFlag(cmd *cobra.Command) {
	c.outputFlag(cmd, "`FORMAT` output format: table; json, yaml and edn print nothing on success")
}

func (c *CLI) outputFlag(cmd *cobra.Command, text string) {
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		f.StringVarP(&c.output, "output", "o", formatTable, text)
	})
	completeFlag(cmd, "output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
}

// watchFlags defines the flags of a command that can refresh its output.
func (c *CLI) watchFlags(cmd *cobra.Command) {
	c.showFlags(cmd)
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		f.BoolVarP(&c.watch, "watch", "w", false, "refresh continuously: a terminal shows the current state, a pipe receives each change")
		f.DurationVar(&c.every, "interval", 2*time.Second, "`DURATION` refresh interval of --watch")
	})
}

// pageFlags defines the flags that select a page of a list.
func (c *CLI) pageFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Filters", func(f *pflag.FlagSet) {
		f.IntVarP(&c.limit, "limit", "n", 0, "`NUMBER` maximum number of entries, up to 1000 (default: 50 in a table, else 1000)")
		f.IntVar(&c.offset, "offset", 1, "`NUMBER` number of the first entry, counted from 1")
	})
	c.watchFlags(cmd)
}
