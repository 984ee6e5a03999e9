package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// devSettings are the settings of a control bus and an agent in one process.
type devSettings struct {
	bus   busSettings
	agent agentSettings
	demo  bool
}

func newDev(p *program) *cobra.Command {
	var s devSettings
	cmd := &cobra.Command{
		Use: "dev", GroupID: groupRun, Short: "Run a control bus, NATS and an agent in one process, for trials and development",
		Long: `Runs a control bus, a NATS server with JetStream and one agent in one process, all on the loopback interface. The data
is kept: the next start with the same --data continues with it.

On Ctrl-C, running jobs have some time to finish (--drain) before they are stopped. A second Ctrl-C exits immediately.`,
		Example: `  jobstreamer dev --demo
  jobstreamer dev --data /tmp/jobs --http 127.0.0.1:0 --nats 127.0.0.1:0`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("log-level") {
				p.logs.level = "warn" // a person watches the terminal
			}
			return p.runDev(cmd.Context(), s)
		},
	}
	flags := cmd.Flags()
	help.Section(flags, "Addresses and data", func(f *pflag.FlagSet) {
		f.StringVar(&s.bus.data, "data", defaultData(p.env), "`DIR` data directory")
		s.bus.httpFlag(f)
		f.StringVar(&s.bus.listen, "nats", "127.0.0.1:4222", "`HOST:PORT` address on which NATS listens for the nats command and for more agents; port 0 picks a free port")
		s.bus.accountsFlag(f)
		s.bus.access.addFlags(f)
		s.bus.classPaths.addFlags(f)
	})
	s.bus.notifications.addFlags(flags)
	s.bus.login.addFlags(flags)
	s.bus.join.addFlags(flags)
	help.Section(flags, "Secrets of applications", func(f *pflag.FlagSet) {
		s.bus.secretKeys.addFlag(f)
	})
	help.Section(flags, "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&s.demo, "demo", false, "register sample jobs, run them and print what happens")
		f.StringSliceVar(&s.agent.apps, "apps", []string{bus.DefaultApp}, "`NAMES` applications whose jobs the agent runs")
		f.StringSliceVar(&s.agent.pools, "pools", []string{subjects.DefaultPool}, "`NAMES` pools that the agent belongs to")
		f.IntVar(&s.agent.slots, "slots", max(4, runtime.NumCPU()), "`NUMBER` maximum number of concurrent executions")
		f.Lookup("slots").DefValue = "one per core, at least 4"
		s.bus.syncFlag(f)
		s.bus.timeZoneFlag(f)
	})
	help.Section(flags, "Timing", s.agent.endFlags)
	return cmd
}

func (p *program) runDev(ctx context.Context, s devSettings) error {
	log, err := p.newLogger()
	if err != nil {
		return err
	}
	if err := embedded.CheckSync(s.bus.sync); err != nil {
		return usageError{err}
	}
	if err := cmp.Or(s.bus.login.checkFlags(), s.bus.join.checkFlags(s.bus.hasKeys())); err != nil {
		return err
	}
	unlock, err := lockData(s.bus.data)
	if err != nil {
		return err
	}
	defer unlock()
	s.agent.runtime = native.New(native.Config{})
	ctx, stop := untilSignal(ctx, func() {
		fmt.Fprintf(p.out, "\nStopping. Running jobs have %s to finish; press Ctrl-C again to exit immediately.\n", s.agent.drainTime)
	}, s.agent.runtime.Kill)
	defer stop()
	s.bus.name, s.bus.replicas = "dev", 1
	s.bus.retention = bus.Retention{Results: 24 * time.Hour, Logs: 30 * 24 * time.Hour, LogBytes: 10 << 30, Audit: auditTime}
	c, err := openControlBus(ctx, s.bus, log)
	if err != nil {
		return err
	}
	defer c.Close()
	c.prepare = func(ctx context.Context) error { return p.prepareLogins(ctx, c, &s.bus.login) }
	a, err := p.devAgent(c, &s, log)
	if err != nil {
		return err
	}
	running := make(chan struct{})
	more := []func(context.Context) error{a.Run, adaptGarbage(p.env)}
	if s.demo {
		more = append(more, func(ctx context.Context) error {
			select {
			case <-running:
				return p.runDemo(ctx, c, s.bus.login.required)
			case <-ctx.Done():
				return nil
			}
		})
	}
	err = c.Run(ctx, func() {
		p.printWelcome(c, &s)
		close(running)
	}, more...)
	if err == nil {
		fmt.Fprintln(p.out, "Stopped. Start again with the same --data to continue from here.")
	}
	return err
}

// devAgent returns the agent in the process of the bus.
func (p *program) devAgent(c *controlBus, s *devSettings, log *slog.Logger) (*agent.Agent, error) {
	s.agent.name = "dev"
	s.agent.data = filepath.Join(s.bus.data, "agents", s.agent.name)
	s.agent.heartbeat = 2 * time.Second
	conn, err := c.connectAgent(s.agent.name)
	if err != nil {
		return nil, err
	}
	cfg := s.agent.agentConfig(conn)
	cfg.Log = log
	options, err := artifactOptions(p.env, s.agent.runAs)
	if err != nil {
		return nil, err
	}
	return agent.New(cfg, options...)
}

func (p *program) printWelcome(c *controlBus, s *devSettings) {
	fmt.Fprintf(p.out, `JobStreamer is up.

  REST API   %s
  NATS       %s
  data       %s

Press Ctrl-C to stop.
`, c.URL(), c.natsURL(), s.bus.data)
}
