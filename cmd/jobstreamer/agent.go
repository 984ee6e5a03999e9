package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// agentSettings are the settings of an agent.
type agentSettings struct {
	nats             natsSettings
	name, data       string
	server, serverCA string // URL of the control bus that the agent joins, file of its authorities
	joinFile         string // with the join token; empty: the agent does not join
	runAs            string // user of the jobs' processes; empty: the agent's user
	apps, pools      []string
	slots            int
	heartbeat        time.Duration
	grace, drainTime time.Duration
	runtime          *native.Runtime
}

func newAgent(p *program) *cobra.Command {
	var s agentSettings
	cmd := &cobra.Command{
		Use: "agent", GroupID: groupRun, Short: "Run an agent, which executes jobs",
		Long: `Runs an agent. The agent takes executions of its applications and pools from NATS, runs them and reports the results.
Any number of agents share the work. Each needs a unique name; the default is the host name.

NATS accepts agents with credentials: an admin creates them (` + "`jobstreamer agent-token create`" + `) for --nats-creds, or the agent
joins by itself with --join-token-file and keeps them in its data directory.

On Ctrl-C, running jobs have some time to finish (--drain) before they are stopped. A second Ctrl-C exits immediately.`,
		Example: `  jobstreamer agent --nats-url nats://127.0.0.1:4222 --name a1 --nats-creds a1.creds --apps default,billing --slots 8
  jobstreamer agent --nats-url nats://n1:4222 --name a1 --server https://jobs.example.com --join-token-file join-token`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runAgent(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	host, _ := os.Hostname()
	help.Section(flags, "Work", func(f *pflag.FlagSet) {
		f.StringVar(&s.name, "name", "", "`NAME` unique name of the agent (default: the host name)")
		f.StringSliceVar(&s.apps, "apps", []string{bus.DefaultApp}, "`NAMES` applications whose jobs the agent runs")
		f.StringSliceVar(&s.pools, "pools", []string{subjects.DefaultPool}, "`NAMES` pools that the agent belongs to; a job runs in the pool that it requests")
		f.IntVar(&s.slots, "slots", 0, "`NUMBER` maximum number of concurrent executions (default: one per core)")
		f.StringVar(&s.runAs, "run-as", "", "`USER` user account that runs the processes of jobs; requires an agent that runs as root")
		f.StringVar(&s.data, "data", "", "`DIR` directory for data that must survive a restart (default: agents/NAME in "+cmp.Or(defaultData(p.env), "the user's data directory")+")")
	})
	help.Section(flags, "NATS", func(f *pflag.FlagSet) { s.nats.addFlags(f, nats.DefaultURL) })
	help.Section(flags, "Joining", func(f *pflag.FlagSet) {
		f.StringVar(&s.joinFile, "join-token-file", "", "`FILE` file with the join token of the control bus, which lets the agent get credentials for NATS by itself")
		f.StringVar(&s.server, "server", client.DefaultURL, "`URL` address of the control bus that the agent joins")
		f.StringVar(&s.serverCA, "server-ca", "", "`FILE` PEM file with the authorities that sign the certificate of the control bus (default: those of the system)")
	})
	help.Section(flags, "Timing", func(f *pflag.FlagSet) {
		f.DurationVar(&s.heartbeat, "heartbeat", 2*time.Second, "`DURATION` interval between heartbeats; an agent that misses three is considered lost")
		s.endFlags(f)
	})
	cmd.PreRun = func(*cobra.Command, []string) {
		if s.name == "" {
			s.name = agent.ValidName(host)
		}
		if s.data == "" {
			s.data = defaultData(p.env, "agents", s.name)
		}
		if s.slots == 0 {
			s.slots = runtime.NumCPU()
		}
	}
	return cmd
}

func (s *agentSettings) endFlags(f *pflag.FlagSet) {
	f.DurationVar(&s.grace, "grace", 10*time.Second, "`DURATION` time that a stopped job has to end before it is killed")
	f.DurationVar(&s.drainTime, "drain", 15*time.Second, "`DURATION` time that running jobs have to finish after Ctrl-C before they are stopped")
}

func (p *program) runAgent(ctx context.Context, s agentSettings) error {
	log, err := p.newLogger()
	if err != nil {
		return err
	}
	if err := s.nats.checkSecretFiles(s.runAs, log); err != nil {
		return err
	}
	if s.runtime, err = s.newRuntime(); err != nil {
		return err
	}
	unlock, err := lockData(s.data)
	if err != nil {
		return err
	}
	defer unlock()
	options, err := artifactOptions(p.env, s.runAs)
	if err != nil {
		return err
	}
	// Check the settings before waiting for NATS.
	if _, err := agent.New(s.agentConfig(nil), options...); err != nil {
		return agentFlagError(err)
	}
	ctx, stop := untilSignal(ctx, func() { log.Info("shutting down; a second signal exits immediately", "drain", s.drainTime.String()) }, s.runtime.Kill)
	defer stop()
	s.nats.advice = s.adviseCredentials()
	opts := []nats.Option{nats.CustomInboxPrefix(subjects.InboxPrefix(s.name))}
	renew := func(context.Context, *nats.Conn) error { return nil }
	if s.joinFile != "" {
		j, err := s.joinBus(ctx, log)
		if err != nil {
			return ignoreCanceled(err)
		}
		opts, renew = append(opts, j.connectOption()), j.renew
	}
	conn, err := s.nats.dialUntilUp(ctx, "jobstreamer agent "+s.name, log, opts...)
	if err != nil {
		return ignoreCanceled(err)
	}
	defer conn.Close()
	cfg := s.agentConfig(conn)
	cfg.Log = log
	a, err := agent.New(cfg, options...)
	if err != nil {
		return agentFlagError(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, renewing := errgroup.WithContext(ctx)
	g.Go(func() error { return renew(renewing, conn) })
	err = a.Run(ctx)
	cancel()
	return cmp.Or(ignoreCanceled(err), g.Wait())
}

// adviseCredentials says how the agent gets credentials that NATS accepts.
func (s *agentSettings) adviseCredentials() string {
	create := fmt.Sprintf("create credentials with `jobstreamer agent-token create %s --apps %s -o %[1]s.creds`, and use them with --nats-creds %[1]s.creds", s.name, strings.Join(s.apps, ","))
	switch {
	case s.joinFile != "":
		return fmt.Sprintf("the token of the agent was revoked, or belongs to another control bus; to join again, delete %s", filepath.Join(s.data, joinFile))
	case s.nats.creds != "":
		return fmt.Sprintf("the credentials in %s have expired, were revoked, or belong to another control bus; %s", s.nats.creds, create)
	case s.nats.user != "":
		return "check --nats-user and its password"
	}
	return create + "; or let the agent join with --join-token-file"
}

// joinBus returns the identity of an agent that has joined the control bus.
func (s *agentSettings) joinBus(ctx context.Context, log *slog.Logger) (*joiner, error) {
	if s.nats.creds != "" || s.nats.user != "" {
		return nil, usageError{errors.New("--join-token-file cannot be combined with --nats-creds or --nats-user")}
	}
	j, err := openJoiner(s, log)
	if err == nil && j.mustJoin() {
		err = j.join(ctx)
	}
	return j, err
}

func (s *agentSettings) newRuntime() (*native.Runtime, error) {
	var cfg native.Config
	if s.runAs != "" {
		var err error
		if cfg.RunAs, err = native.LookupUser(s.runAs); err != nil {
			return nil, usageError{fmt.Errorf("--run-as %s: %w", s.runAs, err)}
		}
	}
	return native.New(cfg), nil
}

// agentFlagError returns an error that names the flag of a wrong field of
// agent.Config.
func agentFlagError(err error) error {
	for _, field := range []struct{ name, flag string }{{"Name", "name"}, {"Apps", "apps"}, {"Pools", "pools"}, {"Slots", "slots"}, {"Interval", "heartbeat"}} {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(err.Error(), "agent: "), field.name); ok {
			return usageError{errors.New("--" + field.flag + rest)}
		}
	}
	return err
}

// agentConfig returns the configuration of the agent library.
func (s *agentSettings) agentConfig(conn *nats.Conn) agent.Config {
	return agent.Config{
		Conn: conn, URL: nats.DefaultURL, Name: s.name, Apps: s.apps, Pools: s.pools, Slots: s.slots, Version: programVersion(),
		Interval: s.heartbeat, Grace: s.grace, DrainGrace: s.drainTime,
		DataDir: s.data, Runtime: s.runtime,
	}
}
