package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

func newServe(p *program) *cobra.Command {
	var s busSettings
	cmd := &cobra.Command{
		Use: "serve", GroupID: groupRun, Short: "Run a control bus: REST API, scheduler and execution records",
		Long: `Runs a control bus: REST API, scheduler and execution records. It starts an embedded NATS server with JetStream, or
connects to the NATS at --nats-url. Any number of control buses can share one NATS; all of them accept requests.

By default it listens on the loopback interface only, and its NATS accepts only clients with credentials: see jobstreamer
agent-token and jobstreamer nats-context. With --nats-user they share one login instead.`,
		Example: `  jobstreamer serve --data /var/lib/jobstreamer --http 127.0.0.1:45102 --nats 127.0.0.1:4222
  jobstreamer serve --nats-url nats://n1:4222,nats://n2:4222,nats://n3:4222 --nats-keys keys --replicas 3`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runServe(cmd.Context(), s, cmd.Flags()) },
	}
	flags := cmd.Flags()
	help.Section(flags, "REST API", func(f *pflag.FlagSet) {
		s.httpFlag(f)
		s.access.addFlags(f)
		s.classPaths.addFlags(f)
	})
	help.Section(flags, "Secrets of applications", func(f *pflag.FlagSet) {
		s.secretKeys.addFlag(f)
	})
	s.notifications.addFlags(flags)
	s.login.addFlags(flags)
	s.join.addFlags(flags)
	help.Section(flags, "Embedded NATS", func(f *pflag.FlagSet) {
		f.StringVar(&s.data, "data", defaultData(p.env), "`DIR` data directory")
		s.accountsFlag(f)
		f.StringVar(&s.listen, "nats", "127.0.0.1:4222", "`HOST:PORT` address on which NATS listens for agents; port 0 picks a free port")
		s.syncFlag(f)
	})
	help.Section(flags, "External NATS", func(f *pflag.FlagSet) {
		s.nats.addFlags(f, "")
		f.StringVar(&s.natsKeys, "nats-keys", "", "`DIR` directory with the keys of the accounts that jobstreamer nats-config has made")
		f.IntVar(&s.replicas, "replicas", 1, "`NUMBER` number of replicas of each stream: 1, 3 or 5")
		f.Lookup("nats-user").Usage += "; without --nats-url, the embedded NATS requires it from its clients, and agents have no accounts of their own"
		f.Lookup("nats-cert").Usage += "; without --nats-url, the one of the embedded NATS, which then speaks TLS only; a changed file is loaded without a restart"
		f.Lookup("nats-ca").Usage += "; without --nats-url, the embedded NATS demands from each client a certificate that one of them has signed"
	})
	help.Section(flags, "Retention", func(f *pflag.FlagSet) {
		f.DurationVar(&s.retention.Results, "retain-results", 24*time.Hour, "`DURATION` time to keep the individual results of an execution after its end; at least 1h")
		f.DurationVar(&s.retention.Executions, "retain-executions", 0, "`DURATION` time to keep the record of an execution after its end; at least 1h, 0 keeps it forever")
		f.DurationVar(&s.retention.Logs, "retain-logs", 30*24*time.Hour, "`DURATION` time to keep the output of jobs; 0 keeps it forever")
		f.DurationVar(&s.retention.Audit, "retain-audit", auditTime, "`DURATION` time to keep the audit: who changed what; at least 24h, 0 keeps it forever")
		f.Int64Var(&s.retention.LogBytes, "max-log-bytes", 10<<30, "`BYTES` maximum size of the stored output, also limited by the space available; the oldest output is deleted first; 0 means no limit")
		f.Lookup("max-log-bytes").DefValue = "10 GiB"
	})
	help.Section(flags, "Other", func(f *pflag.FlagSet) {
		f.StringVar(&s.name, "name", "", "`NAME` name of this control bus in logs and leases (default: the host name with the process id)")
		s.timeZoneFlag(f)
	})
	return cmd
}

// auditTime is how long the audit is kept by default.
const auditTime = 365 * 24 * time.Hour

func (s *busSettings) httpFlag(f *pflag.FlagSet) {
	f.StringVar(&s.http, "http", "127.0.0.1:45102", "`ADDRESS` HOST:PORT on which the REST API listens (port 0 picks a free port), or unix:PATH for a Unix socket")
}

func (s *busSettings) accountsFlag(f *pflag.FlagSet) {
	f.BoolVar(&s.agentAccounts, "agent-accounts", true, "give each agent a NATS account of its own, and accept only clients with credentials: see jobstreamer agent-token and jobstreamer nats-context; =false leaves NATS open to every process that reaches it")
}

func (s *busSettings) syncFlag(f *pflag.FlagSet) {
	f.StringVar(&s.sync, "sync", "always", "`MODE` when data is flushed to disk: always (before it is acknowledged), interval (every 2m), or a duration such as 1s; with the last two, a power failure can lose the data since the last flush")
}

func (s *busSettings) timeZoneFlag(f *pflag.FlagSet) {
	f.StringVar(&s.timeZone, "timezone", "UTC", "`ZONE` default time zone of schedules, such as Europe/Berlin")
}

func (p *program) runServe(ctx context.Context, s busSettings, flags *pflag.FlagSet) error {
	log, err := p.newLogger()
	if err != nil {
		return err
	}
	if err := cmp.Or(s.checkFlags(flags), s.nats.checkSecretFiles("", log), s.nats.checkSecrets(), s.login.checkFlags(), s.join.checkFlags(s.hasKeys())); err != nil {
		return err
	}
	if s.nats.url == "" {
		unlock, err := lockData(s.data)
		if err != nil {
			return err
		}
		defer unlock()
	}
	ctx, stop := untilSignal(ctx, func() { log.Info("shutting down; a second signal exits immediately") }, func() {})
	defer stop()
	c, err := openControlBus(ctx, s, log)
	if err != nil {
		return err
	}
	defer c.Close()
	c.prepare = func(ctx context.Context) error { return p.prepareLogins(ctx, c, &s.login) }
	return c.Run(ctx, func() {
		log.Info("control bus is ready", "name", s.name, "http", c.URL(), "nats", c.natsURL(), "data", s.data, "sync", s.sync, "replicas", s.replicas)
	}, adaptGarbage(p.env))
}

// checkFlags sets computed defaults and refuses contradictory flags.
func (s *busSettings) checkFlags(flags *pflag.FlagSet) error {
	if s.name == "" {
		host, _ := os.Hostname()
		s.name = fmt.Sprintf("%s-%d", agent.ValidName(host), os.Getpid())
	}
	switch {
	case s.replicas != 1 && s.replicas != 3 && s.replicas != 5:
		return usageError{fmt.Errorf("--replicas %d: want 1, 3 or 5", s.replicas)}
	case s.nats.url == "":
		if s.replicas != 1 {
			return usageError{errors.New("--replicas: the embedded NATS is a single server; set a cluster with --nats-url")}
		}
		if s.nats.creds != "" {
			return usageError{errors.New("--nats-creds requires --nats-url; the embedded NATS makes its own credentials")}
		}
		if s.natsKeys != "" {
			return usageError{errors.New("--nats-keys requires --nats-url; the embedded NATS has its keys in --data")}
		}
		if s.nats.user != "" { // one login for all clients instead of accounts
			if flags.Changed("agent-accounts") && s.agentAccounts {
				return usageError{errors.New("--agent-accounts cannot be combined with --nats-user")}
			}
			s.agentAccounts = false
		}
		if err := embedded.CheckSync(s.sync); err != nil {
			return usageError{err}
		}
		return nil
	case s.natsKeys != "" && (s.nats.creds != "" || s.nats.user != ""):
		return usageError{errors.New("--nats-keys cannot be combined with --nats-creds or --nats-user")}
	}
	for _, own := range []string{"nats", "sync", "agent-accounts"} {
		if f := flags.Lookup(own); f != nil && f.Changed {
			return usageError{fmt.Errorf("--%s applies to the embedded NATS and cannot be combined with --nats-url", own)}
		}
	}
	s.data, s.sync, s.agentAccounts = "", "", false
	return nil
}
