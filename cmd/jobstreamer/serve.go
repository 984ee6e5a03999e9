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
		Use: "serve", GroupID: groupRun, Short: "Run a control bus: REST API, scheduler, records",
		Long: `Runs a control bus: REST API, scheduler, records. It starts a NATS server with JetStream in its own process, or uses
the NATS that --nats-url names. On one NATS any number of control buses can run; all of them take requests.

Addresses are on the loopback interface unless you say otherwise.`,
		Example: `  jobstreamer serve --data /var/lib/jobstreamer --http 127.0.0.1:45102 --nats 127.0.0.1:4222
  jobstreamer serve --nats-url nats://n1:4222,nats://n2:4222,nats://n3:4222 --nats-creds bus.creds --replicas 3`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runServe(cmd.Context(), s, cmd.Flags()) },
	}
	flags := cmd.Flags()
	help.Section(flags, "REST", func(f *pflag.FlagSet) {
		s.httpFlag(f)
		s.access.addFlags(f)
		s.notificatorFlag(f)
	})
	s.login.addFlags(flags)
	help.Section(flags, "NATS in this process", func(f *pflag.FlagSet) {
		f.StringVar(&s.data, "data", defaultData(p.env), "`DIR` where its data is")
		f.StringVar(&s.listen, "nats", "127.0.0.1:4222", "`HOST:PORT` where agents reach it; port 0 is any free one")
		s.syncFlag(f)
	})
	help.Section(flags, "NATS elsewhere", func(f *pflag.FlagSet) {
		s.nats.addFlags(f, "")
		f.IntVar(&s.replicas, "replicas", 1, "`NUMBER` servers that keep each stream: 1, 3 or 5")
		f.Lookup("nats-user").Usage += "; without --nats-url, the NATS in this process asks for it"
	})
	help.Section(flags, "Limits", func(f *pflag.FlagSet) {
		f.DurationVar(&s.retention.Results, "retain-results", 24*time.Hour, "`TIME` keep the single results of what has ended so long; at least 1h")
		f.DurationVar(&s.retention.Executions, "retain-executions", 0, "`TIME` keep the records of what has ended so long; at least 1h, 0 is for ever")
		f.DurationVar(&s.retention.Logs, "retain-logs", 30*24*time.Hour, "`TIME` keep the output of jobs so long; 0 is for ever")
		f.Int64Var(&s.retention.LogBytes, "max-log-bytes", 10<<30, "`BYTES` keep so much output, the oldest goes first, or as much as there is room for; 0 is no limit")
		f.Lookup("max-log-bytes").DefValue = "10 GiB"
	})
	help.Section(flags, "Besides", func(f *pflag.FlagSet) {
		f.StringVar(&s.name, "name", "", "`NAME` of this control bus, in logs and leases (default: the host's, with the process id)")
		s.timeZoneFlag(f)
	})
	return cmd
}

func (s *busSettings) httpFlag(f *pflag.FlagSet) {
	f.StringVar(&s.http, "http", "127.0.0.1:45102", "`HOST:PORT` where the REST API is; port 0 is any free one")
}

func (s *busSettings) syncFlag(f *pflag.FlagSet) {
	f.StringVar(&s.sync, "sync", "always", "`WHEN` data goes to disk: always, before anything is acknowledged; interval, every 2m; or after a duration such as 1s, whose work a power cut can lose")
}

func (s *busSettings) timeZoneFlag(f *pflag.FlagSet) {
	f.StringVar(&s.timeZone, "timezone", "UTC", "`ZONE` time zone of schedules that name none, such as Europe/Berlin")
}

func (s *busSettings) notificatorFlag(f *pflag.FlagSet) {
	f.StringVar(&s.notificator, "notificator-url", "", "`URL` where notifications are posted, each to URL/TYPE, such as http://localhost:2121; without it none are sent")
}

func (p *program) runServe(ctx context.Context, s busSettings, flags *pflag.FlagSet) error {
	log, err := p.newLogger()
	if err != nil {
		return err
	}
	if err := cmp.Or(s.checkFlags(flags), s.nats.loadPassword(), s.login.checkFlags()); err != nil {
		return err
	}
	if s.nats.url == "" {
		unlock, err := lockData(s.data)
		if err != nil {
			return err
		}
		defer unlock()
	}
	ctx, stop := untilSignal(ctx, func() { log.Info("ending; a second signal ends at once") }, func() {})
	defer stop()
	c, err := openControlBus(ctx, s, log)
	if err != nil {
		return err
	}
	defer c.Close()
	c.prepare = func(ctx context.Context) error { return p.firstAdmin(ctx, c.logins, &s.login) }
	return c.Run(ctx, func() {
		log.Info("control bus is ready", "name", s.name, "http", c.URL(), "nats", c.natsURL(), "data", s.data, "sync", s.sync, "replicas", s.replicas)
	}, adaptGarbage(p.env))
}

// checkFlags fills what has no fixed default and refuses what does not go
// together.
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
			return usageError{errors.New("--replicas: the NATS in this process is alone; name a cluster with --nats-url")}
		}
		if s.nats.creds != "" {
			return usageError{errors.New("--nats-creds: is for --nats-url; the NATS in this process knows --nats-user and --nats-password")}
		}
		if err := embedded.CheckSync(s.sync); err != nil {
			return usageError{err}
		}
		return nil
	}
	for _, own := range []string{"nats", "sync"} {
		if f := flags.Lookup(own); f != nil && f.Changed {
			return usageError{fmt.Errorf("--%s: is about the NATS in this process, but --nats-url names another", own)}
		}
	}
	s.data, s.sync = "", ""
	return nil
}
