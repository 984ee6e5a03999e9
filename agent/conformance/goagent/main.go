// Command goagent is a minimal agent built from package agent and its native
// runtime. The conformance suite runs it as a process.
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
	flags.StringVar(&cfg.URL, "nats-url", "", "URL of NATS")
	flags.StringVar(&cfg.Name, "name", "", "name of the agent")
	flags.StringVar(&cfg.DataDir, "data", "", "data directory")
	flags.IntVar(&cfg.Slots, "slots", 0, "maximum number of concurrent executions")
	flags.DurationVar(&cfg.Interval, "heartbeat", 0, "interval of heartbeats")
	apps := flags.String("apps", "default", "applications, separated by commas")
	pools := flags.String("pools", "default", "pools, separated by commas")
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
