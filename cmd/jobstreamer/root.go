package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// program is the state that all commands share.
type program struct {
	streams
	env  map[string]string
	logs logSettings

	terminal bool // treat standard error as a terminal
}

// atTerminal reports whether standard error is a terminal.
func (p *program) atTerminal() bool { return p.terminal || cli.IsTerminal(p.err) }

// Groups of commands in the help.
const (
	groupRun  = "run"
	groupWork = "work"
	groupLook = "look"
	groupSet  = "set"
)

// newRoot builds the command tree.
func newRoot(io streams, env map[string]string) *cobra.Command {
	p := &program{streams: io, env: env}
	var askedVersion *bool
	root := &cobra.Command{
		Use:   "jobstreamer",
		Short: "Schedule and run batch jobs on agents, over NATS",
		Long: `JobStreamer stores job definitions, decides when jobs run, dispatches them to agents and records the results.
NATS JetStream is its only store: a control bus embeds a NATS server, or connects to yours.

New here? This command runs everything in one process, with sample jobs:

    jobstreamer dev --demo

` + cli.ExitHelp,
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return applySettings(cmd.Flags(), p.env) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if *askedVersion {
				p.printVersion()
				return nil
			}
			return cmd.Help()
		},
	}
	askedVersion = root.Flags().Bool("version", false, "print the version")
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddGroup(&cobra.Group{ID: groupRun, Title: "Run JobStreamer"}, &cobra.Group{ID: groupWork, Title: "Work with jobs"},
		&cobra.Group{ID: groupLook, Title: "Inspect and measure"}, &cobra.Group{ID: groupSet, Title: "Contexts, logins and completion"})
	root.AddCommand(newDev(p), newServe(p), newAgent(p), newDoctor(p), newBench(p), newVersion(p), newNATSContext(p), newNATSConfig(p))
	for _, cmd := range root.Commands() {
		cmd.Args = noArguments
	}
	addClient(root, p)
	root.SetHelpCommand(newHelp())
	root.SetCompletionCommandGroupID(groupSet)
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Short = "Generate shell completion for commands and names of applications and jobs"
		for _, shell := range completion.Commands() {
			help.Quiet(shell, "")
		}
	}
	sharedFlags(root, p)
	help.Set(root)
	root.Args = noCommand
	return root
}

// addClient adds the commands that call a control bus, some of them below the
// command agent.
func addClient(root *cobra.Command, p *program) {
	c := p.newClient()
	for _, cmd := range c.Work() {
		cmd.GroupID = groupWork
		root.AddCommand(cmd)
	}
	for _, cmd := range append(c.Logins(), c.Contexts()) {
		cmd.GroupID = groupSet
		root.AddCommand(cmd)
	}
	agent, _, _ := root.Find([]string{"agent"})
	agent.AddCommand(c.Agents()...)
	agent.Args = cli.Subcommand
}

// newClient returns the creator of the commands that call a control bus.
func (p *program) newClient() *cli.CLI {
	return cli.New(cli.Config{In: p.in, Out: p.out, Err: p.err, Env: p.env, Dir: programDir(configHome(p.env)), Version: programVersion()})
}

func sharedFlags(root *cobra.Command, p *program) {
	help.Section(root.PersistentFlags(), "Global", func(f *pflag.FlagSet) {
		f.String(configFlag, "", "`FILE` YAML file with any of these settings, such as \"slots: 8\"")
		f.StringVar(&p.logs.level, "log-level", "info", "`LEVEL` minimum level of log messages: debug, info, warn or error")
		f.StringVar(&p.logs.format, "log-format", "auto", "`FORMAT` log format: text, json, or auto (text on a terminal, else json)")
	})
}

// newHelp returns the command that shows the help of another command.
func newHelp() *cobra.Command {
	cmd := &cobra.Command{
		Use: "help [COMMAND...]", Short: "Show the help of a command", Hidden: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, words []string) error {
			of, unknown, err := cmd.Root().Find(words)
			if err != nil {
				return usageError{err}
			}
			if err := noCommand(of, unknown); err != nil {
				return err
			}
			return of.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, words []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			of, unknown, err := cmd.Root().Find(words)
			for _, sub := range of.Commands() {
				if err == nil && len(unknown) == 0 && sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	help.Quiet(cmd, "")
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

func noCommand(cmd *cobra.Command, args []string) error {
	if err := help.NoCommand(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}
