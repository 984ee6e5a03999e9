// Command goagent is the smallest agent that a program can make of package
// agent and its native runtime. The conformance suite runs it as a process.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runAgent(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runAgent(ctx context.Context, args []string) error {
	cfg := agent.Config{Runtime: native.New(native.Config{}), Version: "conformance"}
	flags := flag.NewFlagSet("goagent", flag.ContinueOnError)
	flags.StringVar(&cfg.URL, "nats-url", "", "where NATS is")
	flags.StringVar(&cfg.Name, "name", "", "name of the agent")
	flags.StringVar(&cfg.DataDir, "data", "", "directory of the agent")
	flags.IntVar(&cfg.Slots, "slots", 0, "executions at a time")
	flags.DurationVar(&cfg.Interval, "heartbeat", 0, "between heartbeats")
	apps := flags.String("apps", "default", "applications, joined by commas")
	pools := flags.String("pools", "default", "pools, joined by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg.Apps, cfg.Pools = strings.Split(*apps, ","), strings.Split(*pools, ",")
	a, err := agent.New(cfg)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
