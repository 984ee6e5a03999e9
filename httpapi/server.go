package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/bus/oidc"
	"github.com/job-streamer/job-streamer-control-bus/bus/samples"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/origin"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/sse"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

const (
	headerTimeout   = 10 * time.Second
	maxHeader       = 64 << 10 // bytes of a request line and its headers
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 15 * time.Second // how long what was begun may take to end

	// Of HTTP/2, which clients may use with TLS.
	maxStreams  = 100              // requests at once on a connection (RFC 9113 section 6.5.2)
	pingTimeout = 30 * time.Second // of a connection without traffic
)

// Index is the part of the read model that the API needs.
type Index interface {
	App(name string) (a bus.App, revision uint64, ok bool)
	Apps() []bus.App
	PermanentKey(app, job string) (key string, ok bool) // of a job by its name
	JobName(app, key string) string                     // of the job with this permanent key
	Job(app, key string) (*index.Job, bool)
	Jobs(q index.JobQuery) (page []*index.Job, hits int)
	CountJobs(app string) int
	Executions(app, key string, offset, limit int) (page []index.Summary, hits int)
	FindExecutions(q *index.ExecutionQuery) index.Page
	NewestOf(agent string, limit int, appMatch func(string) bool) []index.Summary
}

// Catalog is the part of the catalog of applications and jobs that the API
// needs.
type Catalog interface {
	App(ctx context.Context, name string) (a bus.App, revision uint64, err error)
	CheckApp(ctx context.Context, name string, allowed catalog.Condition) error
	SaveApp(ctx context.Context, name, description string, allowed catalog.Condition) (bus.Entry[bus.App], catalog.Change, error)
	DeleteApp(ctx context.Context, name string) error
	AnnounceDeployment(app string)
	Job(ctx context.Context, at catalog.Ref) (*index.Job, error)
	StoredJob(ctx context.Context, app, key string) (bus.Entry[bus.Job], error)
	JobNamed(ctx context.Context, app, name string) (bus.Entry[bus.Job], error)
	SaveJob(ctx context.Context, app, name string, allowed catalog.Condition, change func(was *bus.Job) (bus.Job, error)) (bus.Entry[bus.Job], catalog.Change, error)
	DeleteJob(ctx context.Context, app, key string, allowed catalog.Condition, keepHistory bool) error
	SetExclusive(ctx context.Context, at catalog.Ref, exclusive bool) (*bus.Job, error)
	SetTimeMonitor(ctx context.Context, at catalog.Ref, m *bus.TimeMonitor) (*bus.Job, error)
	SetTriggers(ctx context.Context, at catalog.Ref, t *bus.Triggers) (*bus.Job, error)
	CheckTriggers(app, name, key string, t *bus.Triggers) error
	SetSLA(ctx context.Context, at catalog.Ref, s *bus.SLA) (*bus.Job, error)
	NewNotificationID(ctx context.Context) (int64, error)
	AddNotification(ctx context.Context, at catalog.Ref, n bus.StatusNotification) (*bus.Job, error)
	RemoveNotification(ctx context.Context, at catalog.Ref, id int64) (*bus.Job, error)
	Calendars() *calendars.Set
	CalendarsNow(ctx context.Context, name string) (*calendars.Set, calendars.Entry, error)
	SaveCalendar(ctx context.Context, name string, allowed catalog.Condition, change func(was *calendar.Calendar) (calendar.Calendar, error)) (calendars.Entry, catalog.Change, error)
	DeleteCalendar(ctx context.Context, name string, allowed catalog.Condition) error
}

// Executions is the part of the life cycle that the API needs.
type Executions interface {
	Submit(ctx context.Context, sub execution.Submission) (e *bus.Execution, created bool, err error)
	Get(ctx context.Context, app, job string, id int64) (*bus.Execution, error)
	Wait(ctx context.Context, app, job string, id int64) (*bus.Execution, error) // until it has ended
	Stop(ctx context.Context, app, job string, id int64) (*bus.Execution, error)
	Abandon(ctx context.Context, app, job string, id int64) (*bus.Execution, error)
	Restart(ctx context.Context, app, job string, id int64, parameters map[string]string) (e *bus.Execution, created bool, err error)
	DeleteExecution(ctx context.Context, app, job string, id int64) error
	DeleteHistory(ctx context.Context, app, job string) error
	WaitingFor(ctx context.Context, e *bus.Execution) execution.Waiting
	WaitingOf(all []index.Summary) map[int64]execution.Waiting
	Limits(ctx context.Context) ([]execution.LimitInfo, error) // ordered by name
	Limit(ctx context.Context, name string) (*execution.LimitInfo, error)
	SetLimit(ctx context.Context, name string, capacity int) (created bool, err error)
	DeleteLimit(ctx context.Context, name string) error
}

// Agents is the part of the registry of agents that the API needs.
type Agents interface {
	List() []agents.Info
	Find(nameOrID string) (agents.Info, bool)
	Block(ctx context.Context, agent string, blocked bool, by string) error
}

// Schedules is the part of the scheduler that the API needs.
type Schedules interface {
	ValidateSchedule(ctx context.Context, s bus.Schedule) error // returns an error if Set would refuse it
	Set(ctx context.Context, s bus.Schedule) (revision uint64, err error)
	// Set, unless allow returns an error for the schedule that s replaces, nil for none.
	SetIf(ctx context.Context, s bus.Schedule, allow func(was *bus.Schedule) error) (revision uint64, err error)
	Create(ctx context.Context, s bus.Schedule) (revision uint64, err error) // refuses one that exists
	// From the leader; nil if there is none.
	Stored(ctx context.Context, key bus.ScheduleKey) (*bus.Schedule, error)
	StoredAll(ctx context.Context, app, job string) ([]bus.Schedule, error) // the default one first
	Pause(ctx context.Context, key bus.ScheduleKey, by bus.Pause) error
	Resume(ctx context.Context, key bus.ScheduleKey, catchUp bool) (scheduler.Resumed, error)
	Remove(ctx context.Context, key bus.ScheduleKey) error
	// Of the schedules of an application, or of all if app is empty.
	PauseGroup(ctx context.Context, app string, by bus.Pause) (bus.PausePeriod, error)
	ResumeGroup(ctx context.Context, app, by string, catchUp bool) (scheduler.GroupResumed, error)
	GroupPauses(app string) []bus.GroupPause // that are on and concern an application
	AllGroupPauses() []bus.GroupPause
	Next(key bus.ScheduleKey, n int) []time.Time // none if it is paused or there is none
	Preview(ctx context.Context, s bus.Schedule, from time.Time, n int) (scheduler.Previewed, error)
	// Newest first; of all schedules of the job if name is empty.
	Forecast(from, to time.Time, isAllowed func(app string) bool, limit int) (fires []scheduler.ForecastFire, more bool)
	Why(ctx context.Context, app, job string, at time.Time) ([]scheduler.Reason, error)
	Fires(ctx context.Context, app, job, name string, q scheduler.FireQuery) ([]scheduler.Decided, error)
	Backfill(ctx context.Context, key bus.ScheduleKey, q scheduler.BackfillQuery) (scheduler.Backfilled, error)
	Backfills(ctx context.Context, app, job string) ([]scheduler.BackfillStatus, error)
	CancelBackfill(ctx context.Context, app, job string, id int64) (cancelled int, err error) // id 0: all
}

// Notifier is the part of package notify that the API needs.
type Notifier interface {
	Alert(ctx context.Context, e *bus.Execution, m *bus.TimeMonitor) error
	WhyUnsent(kind string) string // why notifications of a type are never sent, or ""
	Senders() []notify.SenderInfo
	Test(ctx context.Context, kind, user string) (by notify.SenderInfo, err error)
	Alerts(limit int, match func(*bus.Alert) bool) []bus.Alert
	DeadLetters(ctx context.Context, limit int, match func(app string) bool) ([]notify.DeadLetter, error)
	// The last notify.MaxResend letters if there are no numbers.
	Resend(ctx context.Context, numbers []uint64, match func(app string) bool) (notify.Resent, error)
}

// Deployments is the part of package deploy that the API needs.
type Deployments interface {
	DeployPath(ctx context.Context, app string, urls []string) (*deploy.Deployment, error)
	CheckRoots(urls []string) error // of users who may not deploy from everywhere
	Deploy(ctx context.Context, app string, refs []deploy.ArtifactRef) (*deploy.Deployment, error)
	Add(ctx context.Context, app string, refs []deploy.ArtifactRef) (*deploy.Deployment, error)
	Store(ctx context.Context, ref deploy.ArtifactRef, r io.Reader) (a deploy.Artifact, created bool, err error)
	Open(ctx context.Context, sha256 string) (r io.ReadCloser, size int64, err error)
	Revisions(ctx context.Context, app string) ([]deploy.Deployment, error)
	Revision(ctx context.Context, app string, n int) (*deploy.Deployment, error)
	MakeCurrent(ctx context.Context, app string, n int) (*deploy.Deployment, error)
	Components(app string) []deploy.Component
	Classpath(app string) []string
	Missing(app string, j *jsl.Job) []string
	Remove(ctx context.Context, app string) error
}

// AgentTokens is the part of package accounts that the API needs.
type AgentTokens interface {
	Create(ctx context.Context, g accounts.Grant, ttl time.Duration, by string) (t *bus.AgentToken, credentials []byte, err error)
	List(ctx context.Context) ([]bus.AgentToken, error)
	Revoke(ctx context.Context, agent string) error
}

// Joins is the part of package accounts that lets agents join.
type Joins interface {
	Join(ctx context.Context, r accounts.JoinRequest) (t *bus.AgentToken, user string, err error)
}

// Logins is the part of package login that the API needs.
type Logins interface {
	Login(ctx context.Context, a login.Attempt) (login.Secrets, error)
	Logout(ctx context.Context, secret string) error
	BySession(ctx context.Context, secret string) *bus.User
	ByToken(ctx context.Context, secret string) *bus.User
	Peek(ctx context.Context, secret string) (*bus.User, error)
	Users() []*bus.User
	Add(ctx context.Context, id, password string, roles map[string]string) error
	CheckPassword(ctx context.Context, a login.Attempt) error
	SetPassword(ctx context.Context, id, password, keep string) error
	Remove(ctx context.Context, id string) error
	SetRoles(ctx context.Context, id string, roles map[string]string) (*bus.User, error)
	NewKey(ctx context.Context, id string, limits login.KeyLimits) (string, bus.Key, error)
	Keys(id string) ([]bus.Key, error)
	RevokeKey(ctx context.Context, id, name string) error
	RevokeKeys(ctx context.Context, id string) error
	LoginExternal(ctx context.Context, x login.External) (login.Secrets, error)
	Withdraw(ctx context.Context, issuer, subject string) error
	NewCode(ctx context.Context, x login.External, challenge string) (code string, err error)
	RedeemCode(ctx context.Context, code, verifier string) (login.Secrets, error)
}

// LoginProvider is the part of package oidc that the API needs.
type LoginProvider interface {
	Name() string
	Begin() (f oidc.Flow, at string, err error)
	Finish(ctx context.Context, f oidc.Flow, c oidc.Callback) (*oidc.Identity, error)
}

// Secrets is the part of package secrets that the API needs.
type Secrets interface {
	List(ctx context.Context, app string) ([]secrets.Info, error) // ordered by name
	Set(ctx context.Context, app, name, value, by string) (i secrets.Info, created bool, err error)
	Delete(ctx context.Context, app, name string) error
}

// LoadSamples is the part of package samples that the API needs.
type LoadSamples interface {
	Samples(ctx context.Context, agent string, a samples.Archive) (bus.Samples, error)
}

// Config of a [Server].
type Config struct {
	Health      func(context.Context) error // nil error: the control bus can work
	Broker      sse.Broker                  // of events and logs
	Catalog     Catalog
	Index       Index
	Executions  Executions
	Agents      Agents
	Schedules   Schedules
	Deployments Deployments
	Logins      Logins
	Audit       Audit
	AgentTokens AgentTokens // nil: agents have no accounts of their own
	Joins       Joins       // nil: agents cannot join
	Notifier    Notifier
	LoadSamples LoadSamples
	Secrets     Secrets
	Runnable    func(*jsl.Job) error // nil, or why no agent can run a job
	TimeZone    *time.Location       // of pictures, and of holidays sent as times; default: UTC
	Version     string               // of the program

	// TLS makes the server speak HTTPS; nil: HTTP. Then cookies go over HTTPS
	// only, without CookieSecure too.
	TLS *tls.Config

	RequireLogin bool          // else everybody is an admin
	Provider     LoginProvider // nil: users log in by password only
	PublicURL    string        // of the API as browsers reach it; needed with a Provider
	CookieSecure bool          // cookies go over HTTPS only, with AllowOrigin also from other sites

	// AllowOrigin is the origin of pages that may use the API, such as
	// http://localhost:3000; default: none.
	AllowOrigin string

	// HostNames are names and addresses by which clients reach the server,
	// besides loopback and the address that it listens on. Without RequireLogin
	// it answers requests for other hosts with 421.
	HostNames []string

	// TrustedProxies are addresses, or networks such as 10.0.0.0/8, of proxies
	// whose header X-Forwarded-For names the client; "unix" is whoever connects
	// to a Unix socket. Default: none.
	TrustedProxies []string

	// MaxConnectionsPerAddress is how many connections one IP address, or one
	// IPv6 network of 64 bits, may have at once; the server closes further ones.
	// Trusted proxies have no limit. 0: no limit.
	MaxConnectionsPerAddress int
	Log                      *slog.Logger // default: none
}

// Server serves the REST API.
type Server struct {
	cfg     Config
	log     *slog.Logger
	api     huma.API
	handler http.Handler
	streams *sse.Source
	needs   map[place]permission
	actions map[place]action // of the routes that change something
	pages   *origin.Policy
	proxies trustedProxies
	drawing chan struct{}   // has room for as many pictures as are drawn at once
	closing context.Context // over when streams and waiting requests have to end
	close   context.CancelFunc
}

// New returns a server, or a [bus.FieldError] for AllowOrigin, HostNames and
// TrustedProxies.
// The index should be ready: until then lists are incomplete.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.TimeZone = cmp.Or(cfg.TimeZone, time.UTC)
	cfg.Schedules = calendarNames{cfg.Schedules, cfg.Catalog}
	pages, err := origin.New(cfg.AllowOrigin, cfg.HostNames)
	if err != nil {
		return nil, err
	}
	proxies, err := parseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	if cfg.Audit == nil {
		return nil, errors.New("httpapi: want a Config with an Audit")
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, needs: map[place]permission{}, actions: map[place]action{}, pages: pages, proxies: proxies,
		drawing: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.streams = sse.New(sse.Config{
		Broker: cfg.Broker, Executions: cfg.Executions, EventOf: s.eventOf, Bound: s.untilClosing, Log: s.log,
	})
	adoptProblems()
	e := newEcho(s)
	s.api = newAPI(e, cfg.Version)
	s.api.UseMiddleware(s.chooseFormat)
	s.addRoutes()
	serveDocument(e, s.api)
	s.serveFrontPage(e)
	s.handler = e
	return s, nil
}

// ServeHTTP answers one request. It treats HEAD as GET; net/http leaves out the
// body.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routed := *r
	if r.Method == http.MethodHead {
		routed.Method = http.MethodGet
	}
	if r.URL.RawPath != "" {
		routed.URL = canonicalPath(r.URL)
	}
	origin.ProtectAnswer(w.Header())
	answer := limitTimes(w, &routed)
	s.handler.ServeHTTP(answer, &routed)
	answer.finish()
}

// Serve answers requests on l until ctx ends. Then it ends streams and waiting
// requests at once, and lets other requests finish.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeader, IdleTimeout: idleTimeout, TLSConfig: s.cfg.TLS,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingTimeout, PingTimeout: pingTimeout, WriteByteTimeout: transferTimeout},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	serve := srv.Serve
	if s.cfg.TLS != nil {
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	if limit := s.cfg.MaxConnectionsPerAddress; limit > 0 {
		srv.ConnState = (&connections{perAddress: limit, proxies: s.proxies.networks, log: s.log, open: map[string]int{}}).track
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(l) }()
	select {
	case err := <-failed:
		s.close()
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	s.close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests did not end in %v", shutdownTimeout), srv.Close())
	}
	<-failed //nolint:errcheck // http.ErrServerClosed
	return err
}

// untilClosing returns a context that ends with ctx, when the server shuts
// down, or when the login of the request ends, whichever comes first.
func (s *Server) untilClosing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	if isValid, ok := ctx.Value(loginCheckKey{}).(loginCheck); ok {
		go func() { cancelUnless(ctx, isValid, cancel) }()
	}
	return ctx, func() { stop(); cancel() }
}

// healthTimeout is how long NATS may take to answer a health check.
const healthTimeout = 2 * time.Second

// getVersion answers with a string, as the original control bus does.
func (s *Server) getVersion(context.Context, *struct{}) (*answer[string], error) {
	return &answer[string]{s.cfg.Version}, nil
}

// sickError is why the control bus cannot work now. Answers show it: operators
// and logs of load balancers need the reason.
type sickError struct{ reason error }

func (e *sickError) Error() string { return e.reason.Error() }

// healthcheck answers with no body if the control bus can work, or with a
// problem that says why it cannot.
func (s *Server) healthcheck(ctx context.Context, _ *struct{}) (*struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := s.cfg.Health(ctx); err != nil {
		return nil, &sickError{err}
	}
	return nil, nil
}
