package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
	"github.com/job-streamer/job-streamer-control-bus/bus/oidc"
	"github.com/job-streamer/job-streamer-control-bus/bus/samples"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/certfiles"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/ops"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// busSettings are the settings of a control bus.
type busSettings struct {
	data, http, listen, sync, name, timeZone string
	access                                   accessSettings
	notifications                            notifySettings
	replicas                                 int
	retention                                bus.Retention
	nats                                     natsSettings
	natsKeys                                 string // folder; empty: none given
	agentAccounts                            bool   // on the embedded NATS
	join                                     joinSettings
	login                                    loginSettings
	classPaths                               classPathSettings
	secretKeys                               secretKeySettings
}

// controlBus is a control bus with its NATS and its listener, in three layers:
//
//	accept work        REST, scheduler, notifier, in `dev` the agent
//	store it           service, index, logins, audit, sampler
//	hold the data      bus, connection, embedded NATS
//
// A layer stops after the layer above it has stopped.
type controlBus struct {
	server   *embedded.Server // nil if NATS is external
	conn     *nats.Conn
	keys     *accounts.Keys // nil if agents have no accounts of their own
	system   *nats.Conn     // to the system account; nil without keys
	agent    *nats.Conn     // of the agent in this process; nil without one
	bus      *bus.Bus
	index    *index.Index
	service  *execution.Service
	schedule *scheduler.Scheduler
	notifier *notify.Notifier
	deployer *deploy.Deployer
	sampler  *samples.Sampler
	logins   *login.Service
	provider *oidc.Provider // nil: users log in by password only
	audit    *audit.Log
	secrets  *secrets.Secrets
	prepare  func(context.Context) error // runs before the first request is accepted
	rest     *httpapi.Server
	listener net.Listener
	restCert *certfiles.Files // nil: without TLS
	natsCert *certfiles.Files // of the embedded NATS; nil: without TLS
	ops      net.Listener     // of operators; nil: none
	phase    atomic.Value     // string: why the REST API is not served; empty: it is
	log      *slog.Logger
}

// openControlBus opens the listener and NATS. The caller calls Run and then
// Close.
func openControlBus(ctx context.Context, s busSettings, log *slog.Logger) (c *controlBus, err error) {
	zone, err := time.LoadLocation(s.timeZone)
	if err != nil {
		return nil, usageError{fmt.Errorf("--timezone %s: want a name such as Europe/Berlin: %w", s.timeZone, err)}
	}
	c = &controlBus{log: log}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err = c.openREST(&s); err != nil {
		return c, err
	}
	if err = c.openOps(s.access); err != nil {
		return c, err
	}
	if err = c.openNATS(ctx, s); err != nil {
		return c, err
	}
	s.retention.Sessions = login.KeepFor(s.login.timeout)
	if c.bus, err = bus.Open(ctx, c.conn, bus.Config{
		Name: s.name, Replicas: s.replicas, Retention: s.retention, Log: log,
		Group: c.server != nil && s.sync == "always", Embedded: c.server != nil,
	}); err != nil {
		return c, fieldFlagError(err)
	}
	c.index = index.New(c.bus)
	c.service = execution.New(c.bus, c.index, execution.Config{})
	c.schedule = scheduler.New(scheduler.Config{Bus: c.bus, Index: c.index, Submit: c.service, TimeZone: zone, Log: log})
	cfg := notify.Config{Bus: c.bus, Index: c.index, Executions: c.service, TimeZone: zone, URL: s.notifications.notificator}
	if cfg.Senders, err = s.notifications.loadSenders(log); err != nil {
		return c, err
	}
	if c.notifier, err = notify.New(cfg); err != nil {
		return c, fieldFlagError(err)
	}
	artifacts, err := objects.Open(ctx, objects.Config{NC: c.conn, JS: c.bus.JS, Pub: c.bus.Pub, Name: subjects.ArtifactsStore, Log: log})
	if err != nil {
		return c, err
	}
	if c.deployer, err = deploy.New(s.classPaths.deployConfig(deploy.Config{Bus: c.bus, Objects: artifacts, Builtin: builtinComponents(), Log: log}, s.data)); err != nil {
		return c, fieldFlagError(err)
	}
	var tokens httpapi.AgentTokens // stays nil without keys
	var joins httpapi.Joins        // stays nil without a join token
	if c.keys != nil {
		made := accounts.NewTokens(c.bus, c.keys, c.system)
		if err = made.PublishAccounts(ctx); err != nil {
			return c, err
		}
		if s.login.required {
			if err = warnOfOpenTokens(ctx, made, log); err != nil {
				return c, err
			}
		}
		tokens = made
		if s.join.token != "" {
			joins = s.join.newJoins(made, log)
		}
	}
	c.audit = audit.New(c.bus)
	if err = c.openSecrets(ctx, &s); err != nil {
		return c, err
	}
	if c.provider, err = s.login.oidc.open(log); err != nil {
		return c, err
	}
	var provider httpapi.LoginProvider // stays nil without one
	if c.provider != nil {
		provider = c.provider
	}
	c.logins = login.New(login.Config{Bus: c.bus, Timeout: s.login.timeout, Issuer: s.login.oidc.issuer})
	c.sampler = samples.New(c.bus, c.service.Agents())
	var restTLS *tls.Config
	if c.restCert != nil {
		restTLS = c.restCert.ServerConfig()
	}
	c.rest, err = httpapi.New(httpapi.Config{
		Health: c.bus.Healthy, Broker: c.bus.JS, Index: c.index,
		Catalog:    catalog.New(catalog.Config{Bus: c.bus, Index: c.index, History: c.service, Schedules: c.schedule}),
		Executions: c.service, Agents: c.service.Agents(), Schedules: c.schedule, Deployments: c.deployer,
		LoadSamples: c.sampler, TimeZone: zone, Log: log, Version: programVersion(), AllowOrigin: s.access.allowOrigin, Notifier: c.notifier,
		AgentTokens: tokens, Joins: joins, Logins: c.logins, Audit: c.audit, Secrets: c.secrets, RequireLogin: s.login.required, CookieSecure: s.login.cookieSecure,
		Provider: provider, PublicURL: s.login.oidc.publicURL,
		TLS: restTLS, HostNames: s.access.ownNames(s.http, c.listener.Addr()), TrustedProxies: s.access.proxies,
		MaxConnectionsPerAddress: int(s.access.connections),
	})
	return c, fieldFlagError(err)
}

// openSecrets reads the keys of secrets.
func (c *controlBus) openSecrets(ctx context.Context, s *busSettings) error {
	data := ""
	if c.server != nil {
		data = s.data
	}
	keys, err := s.secretKeys.open(ctx, c.bus, data, c.log)
	c.secrets = secrets.New(secrets.Config{Bus: c.bus, Keys: keys, Executions: c.service})
	return err
}

// warnOfOpenTokens logs the agents whose tokens were made while no login was
// required: anybody could have made them, and they stay valid.
func warnOfOpenTokens(ctx context.Context, tokens *accounts.Tokens, log *slog.Logger) error {
	all, err := tokens.List(ctx)
	if err != nil {
		return err
	}
	var open []string
	for i := range all {
		if all[i].CreatedBy == "" && all[i].UserKey == "" {
			open = append(open, all[i].Agent)
		}
	}
	if len(open) > 0 {
		log.Warn("tokens of agents were made without a login and stay valid: revoke those that you do not know", "agents", open)
	}
	return nil
}

// recordStart writes to the audit that the bus has started, and whether it
// requires a login.
func (c *controlBus) recordStart(login bool) {
	action := audit.StartedWithoutLogin
	if login {
		action = audit.StartedWithLogin
	}
	c.audit.Record(audit.Row{Action: action, Kind: "bus", Name: c.bus.Name()})
}

// openREST opens the listener of the REST API, and loads its certificate.
func (c *controlBus) openREST(s *busSettings) (err error) {
	if err := s.access.checkFlags(s.http); err != nil {
		return err
	}
	if c.restCert, err = s.access.loadCertificate(c.log); err != nil {
		return err
	}
	mode, _ := s.access.socketPermissions() // checked before
	if c.listener, err = listenOn("http", s.http, mode); err != nil {
		return err
	}
	if err := s.access.checkExposed(s.login.required, s.http, c.listener.Addr()); err != nil {
		return err
	}
	s.access.warnOfPlainText(s.login.required, c.listener.Addr(), c.log)
	s.access.warnOfProxies(c.listener.Addr(), c.log)
	warnOfReadable(c.log, "http-key", s.access.key)
	return nil
}

// openOps opens the listener for operators, if there is one.
func (c *controlBus) openOps(s accessSettings) (err error) {
	if s.ops == "" {
		return nil
	}
	mode, err := s.socketPermissions()
	if err != nil {
		return err
	}
	c.ops, err = listenOn("ops", s.ops, mode)
	return err
}

// serveOps answers operators until ctx ends.
func (c *controlBus) serveOps(ctx context.Context) error {
	metrics := ops.NewMetrics(c.bus, c.index, c.service.Agents())
	s, err := ops.New(ops.Config{Health: c.bus.Healthy, Metrics: metrics, Log: c.log, Ready: func() error {
		if why, _ := c.phase.Load().(string); why != "" {
			return errors.New(why)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return metrics.Run(ctx) })
	g.Go(func() error { return s.Serve(ctx, c.ops) })
	return g.Wait()
}

// fieldFlagError returns an error that names the flag whose value is wrong.
func fieldFlagError(err error) error {
	var field *bus.FieldError
	switch {
	case !errors.As(err, &field):
		return err
	case field.Got == "": // the value may contain a password
		return usageError{fmt.Errorf("--%s: want %s", field.Path, field.Want)}
	}
	return usageError{fmt.Errorf("--%s: want %s, not %s", field.Path, field.Want, field.Got)}
}

// openNATS connects to the NATS of the settings, or starts an embedded one.
func (c *controlBus) openNATS(ctx context.Context, s busSettings) (err error) {
	name := "jobstreamer bus " + s.name
	if c.keys, err = s.openKeys(); err != nil {
		return err
	}
	var asBus, asSystem []nats.Option
	if c.keys != nil {
		if asBus, asSystem, err = connectWithKeys(c.keys); err != nil {
			return err
		}
	}
	if s.nats.url != "" {
		s.nats.advice = "check --nats-keys, --nats-creds or --nats-user"
		if c.conn, err = s.nats.dialUntilUp(ctx, name, c.log, asBus...); err == nil && c.keys != nil {
			c.system, err = s.nats.dialUntilUp(ctx, name, c.log, asSystem...)
		}
		return err
	}
	if err := checkPortFree("nats", s.listen); err != nil {
		return err
	}
	cfg := embedded.Config{
		Dir: filepath.Join(s.data, "nats"), Listen: s.listen, Sync: s.sync,
		Username: s.nats.user, Password: s.nats.password, Log: c.log,
	}
	if s.nats.cert != "" {
		if c.natsCert, err = s.nats.loadCertificate(c.log); err != nil {
			return err
		}
		cfg.TLS = c.natsCert.ServerConfig()
	}
	if c.keys != nil {
		if cfg.Trust, err = c.keys.Trust(); err != nil {
			return err
		}
	}
	if c.server, err = embedded.Start(cfg); err != nil {
		return err
	}
	if c.keys == nil && s.nats.user == "" && s.nats.ca == "" {
		c.log.Warn("NATS is open: every process that reaches it may do everything; start without --agent-accounts=false to close it", "nats", c.server.URL())
	}
	if s.nats.user != "" {
		asBus = append(asBus, nats.UserInfo(s.nats.user, s.nats.password))
	}
	if c.conn, err = c.server.Connect(append(reconnectOptions(name), asBus...)...); err == nil && c.keys != nil {
		c.system, err = c.server.Connect(append(reconnectOptions(name), asSystem...)...)
	}
	return err
}

// connectAgent returns the connection of an agent in this process. The bus
// answers an agent only on the agent's own reply subjects, so it cannot use the
// connection of the bus.
func (c *controlBus) connectAgent(name string) (_ *nats.Conn, err error) {
	opts := append(reconnectOptions("jobstreamer agent "+name), nats.CustomInboxPrefix(subjects.InboxPrefix(name)))
	if c.keys != nil {
		asBus, err := c.keys.ConnectBus()
		if err != nil {
			return nil, err
		}
		opts = append(opts, asBus)
	}
	c.agent, err = c.server.Connect(opts...)
	return c.agent, err
}

// hasKeys reports whether agents have accounts of their own.
func (s *busSettings) hasKeys() bool { return s.natsKeys != "" || s.agentAccounts }

// openKeys returns the keys of the accounts on NATS, or nil if agents have no
// accounts of their own.
func (s *busSettings) openKeys() (*accounts.Keys, error) {
	switch {
	case s.natsKeys != "":
		return accounts.ReadKeys(s.natsKeys)
	case s.agentAccounts:
		return accounts.OpenKeys(s.data)
	}
	return nil, nil
}

// connectWithKeys returns the options of the connections to the bus's account
// and to the system account.
func connectWithKeys(keys *accounts.Keys) (asBus, asSystem []nats.Option, err error) {
	bus, err := keys.ConnectBus()
	if err != nil {
		return nil, nil, err
	}
	system, err := keys.ConnectSystem()
	return []nats.Option{bus}, []nats.Option{system}, err
}

// Run runs the bus and the functions more until ctx ends or a part fails. It
// calls ready when the bus accepts requests. Earlier requests wait in the
// listener.
func (c *controlBus) Run(ctx context.Context, ready func(), more ...func(context.Context) error) error {
	lower, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	below, lower := errgroup.WithContext(lower)
	if c.server != nil {
		below.Go(func() error { return c.server.Watch(lower) })
	}
	for _, files := range []*certfiles.Files{c.restCert, c.natsCert} {
		if files != nil {
			below.Go(func() error { return files.Watch(lower) })
		}
	}
	c.phase.Store("the control bus is starting: it reads what NATS stores")
	if c.ops != nil {
		below.Go(func() error { return c.serveOps(lower) })
	}
	below.Go(func() error { return c.bus.KeepLogsFitting(lower) })
	below.Go(func() error { return c.index.Run(lower) })
	below.Go(func() error { return c.service.Run(lower) })
	below.Go(func() error { return c.deployer.Run(lower) })
	below.Go(func() error { return c.sampler.Run(lower) })
	below.Go(func() error { return c.logins.Run(lower) })
	below.Go(func() error { return c.audit.Run(lower) })
	below.Go(func() error { return c.secrets.Run(lower) })

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(lower, cancel)() // stop accepting work when the storing half has ended
	above, ctx := errgroup.WithContext(ctx)
	above.Go(func() error { return c.schedule.Run(ctx) })
	above.Go(func() error { return c.notifier.Run(ctx) })
	if c.provider != nil {
		above.Go(func() error { return c.provider.Run(ctx) })
	}
	for _, run := range more {
		above.Go(func() error { return run(ctx) })
	}
	above.Go(func() error {
		select {
		case <-c.index.Ready():
		case <-ctx.Done():
			return nil
		}
		if c.deployer.WaitReady(ctx) != nil { // ctx has ended
			return nil
		}
		if err := c.logins.WaitReady(ctx); err != nil {
			return err
		}
		if err := c.prepare(ctx); err != nil {
			return err
		}
		ready()
		c.phase.Store("")
		defer context.AfterFunc(ctx, func() { c.phase.Store("the control bus is shutting down") })()
		return c.rest.Serve(ctx, c.listener)
	})
	err := ignoreCanceled(above.Wait())
	stop()
	return cmp.Or(err, ignoreCanceled(below.Wait()))
}

// ignoreCanceled returns err, or nil if it is context.Canceled.
func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close closes everything in reverse order of opening.
func (c *controlBus) Close() {
	if c.listener != nil {
		_ = c.listener.Close() // already closed if Run has run
	}
	if c.ops != nil {
		_ = c.ops.Close()
	}
	if c.bus != nil {
		c.bus.Close()
	}
	for _, nc := range []*nats.Conn{c.agent, c.system, c.conn} {
		if nc != nil {
			nc.Close()
		}
	}
	if c.server != nil {
		c.server.Stop()
	}
}

// URL returns the address of the REST API.
func (c *controlBus) URL() string {
	at := c.listener.Addr()
	switch {
	case at.Network() == "unix":
		return unixPrefix + at.String()
	case c.restCert != nil:
		return "https://" + at.String()
	}
	return "http://" + at.String()
}

// natsURL returns the address of NATS.
func (c *controlBus) natsURL() string {
	if c.server != nil {
		return c.server.URL()
	}
	return c.conn.ConnectedUrlRedacted()
}
