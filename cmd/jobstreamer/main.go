// Command jobstreamer is the control bus, its agent, and both in one process.
//
//	run --> command tree (root.go) --> settings: flags > environment > file (settings.go)
//	          |
//	          +-- serve    controlBus (controlbus.go): NATS, index, service, scheduler, REST
//	          +-- agent    an agent (agent.go)
//	          +-- dev      both, in one process (dev.go), with demo jobs (demo.go)
//	          +-- doctor   diagnoses a bus (package doctor)
//	          +-- bench    measures one (package bench)
//	          +-- app, job, run, execution, logs, schedule, agent ... call one (package cli)
//
// A command owns its goroutines and stops them in the order in which work flows:
// first REST and scheduler, which accept work, then the parts that store it, and
// NATS last.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // schedules have time zones, and some machines have no database of them

	"github.com/job-streamer/job-streamer-control-bus/agent/reaper"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
)

func main() {
	if err := concealProcess(); err != nil { // first, because even process 1 has secrets in its environment
		fmt.Fprintf(os.Stderr, "jobstreamer: other processes of this user can read its environment: %v\n", err)
	}
	reaper.Main()
	os.Exit(runCommand(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.Environ()))
}

// streams are the standard streams of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes; package cli has more.
const (
	exitOK    = cli.ExitOK
	exitError = cli.ExitError // or the doctor has findings
	exitUsage = cli.ExitUsage
)

// usageError is a mistake in flags, environment or settings file.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errFindings ends the doctor with exit code 1. The findings were already
// printed.
var errFindings = errors.New("findings")

// runCommand runs one command and returns its exit code. The command ends early
// when ctx ends or at a signal.
func runCommand(ctx context.Context, args []string, io streams, env []string) int {
	root := newRoot(io, environmentMap(env))
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFindings):
		return exitError
	case errors.Is(err, cli.ErrPrinted):
		return cli.ExitStatus(err)
	case errors.As(err, &usage), errors.As(err, new(cli.UsageError)):
		fmt.Fprintf(io.err, "jobstreamer: %s\nSee `%s --help`.\n", cli.PrintableText(err.Error()), cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(io.err, "jobstreamer: %s\n", cli.PrintableText(err.Error()))
	return cli.ExitStatus(err)
}

// environmentMap returns a map of NAME=value lines.
func environmentMap(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, line := range env {
		if name, value, ok := strings.Cut(line, "="); ok {
			m[name] = value
		}
	}
	return m
}
