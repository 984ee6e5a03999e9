package accounts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// seed is a secret key of NATS.
var seed = regexp.MustCompile(`S[UAO][A-Z2-7]{56}`)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// world is a control bus whose NATS has accounts.
type world struct {
	*testing.T
	keys         *accounts.Keys
	url          string
	urls         []string // of each server of a cluster
	replicas     int
	conn, system *nats.Conn
	bus          *bus.Bus
	tokens       *accounts.Tokens
	jobs         *execution.Service
	index        *index.Index
}

// onBothServers runs a test with the NATS server in the process of the control
// bus, and with one that has the configuration of [accounts.Keys.ServerConfig].
func onBothServers(t *testing.T, test func(w *world)) {
	t.Parallel()
	for name, startServer := range map[string]func(*world){"embedded": (*world).startEmbedded, "external": (*world).startExternal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{T: t}
			var err error
			w.keys, err = accounts.OpenKeys(t.TempDir())
			w.check(err)
			startServer(w)
			w.startBus()
			test(w)
		})
	}
}

func (w *world) startEmbedded() {
	trust, err := w.keys.Trust()
	w.check(err)
	s, err := embedded.Start(embedded.Config{Dir: w.TempDir(), Listen: "127.0.0.1:0", Trust: trust})
	w.check(err)
	w.Cleanup(s.Stop)
	w.url = s.URL()
}

func (w *world) startExternal() {
	dir := w.TempDir()
	text, err := w.keys.ServerConfig(filepath.Join(dir, "accounts"))
	w.check(err)
	file := filepath.Join(dir, "nats.conf")
	w.check(os.WriteFile(file, []byte(text+fmt.Sprintf("jetstream: {store_dir: %q}\nmax_payload: 8MB\n", dir)), 0o600))
	opts, err := server.ProcessConfigFile(file)
	w.check(err)
	opts.Host, opts.Port, opts.NoLog, opts.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(opts)
	w.check(err)
	s.Start()
	w.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		w.Fatal("the NATS server did not get ready")
	}
	w.url = s.ClientURL()
}

// check fails the test if err is not nil.
func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) startBus() {
	w.Helper()
	log := slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	asBus, err := w.keys.ConnectBus()
	w.check(err)
	w.conn, err = nats.Connect(w.url, asBus, nats.Timeout(time.Minute), nats.ReconnectBufSize(-1))
	w.check(err)
	w.Cleanup(w.conn.Close)
	asSystem, err := w.keys.ConnectSystem()
	w.check(err)
	w.system, err = nats.Connect(w.url, asSystem, nats.Timeout(time.Minute))
	w.check(err)
	w.Cleanup(w.system.Close)
	w.bus, err = bus.Open(w.Context(), w.conn, bus.Config{Log: log, Replicas: w.replicas})
	w.check(err)
	w.Cleanup(w.bus.Close)
	w.tokens = accounts.NewTokens(w.bus, w.keys, w.system)
	w.check(w.tokens.PublishAccounts(w.Context()))
	w.index = index.New(w.bus)
	w.jobs = execution.New(w.bus, w.index, execution.Config{})
	bustest.RunBackground(w, w.index.Run)
	w.check(w.index.WaitReady(w.Context()))
	bustest.RunBackground(w, w.jobs.Run)
}

// createToken makes a token for an agent and returns its credentials file.
func (w *world) createToken(name string, apps ...string) (file string) {
	w.Helper()
	_, credentials, err := w.tokens.Create(w.Context(), accounts.Grant{Agent: name, Apps: apps}, 0, "test")
	w.check(err)
	file = filepath.Join(w.TempDir(), name+".creds")
	w.check(os.WriteFile(file, credentials, 0o600))
	return file
}

// runAgent runs an agent with a credentials file until the test ends or stop is
// called.
func (w *world) runAgent(name, file string, apps ...string) (stop func()) {
	w.Helper()
	a, err := agent.New(agent.Config{
		URL: w.url, Name: name, Apps: apps, Slots: 4, Runtime: native.New(native.Config{}),
		DataDir: w.TempDir(), Interval: 500 * time.Millisecond, Options: []nats.Option{nats.UserCredentials(file)},
		Log: slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	w.check(err)
	return bustest.RunBackground(w, a.Run)
}

// runJob runs a job with a shell command and returns its record at the end.
func (w *world) runJob(app, command string) *bus.Execution {
	w.Helper()
	e := w.submitJob(app, command)
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	if _, err := w.index.WaitEnd(ctx, e.ID); err != nil {
		w.Fatalf("job of %s: %v", app, err)
	}
	e, err := w.jobs.Get(w.Context(), app, e.Job, e.ID)
	w.check(err)
	return e
}

// submitJob submits a job with a shell command.
func (w *world) submitJob(app, command string) *bus.Execution {
	w.Helper()
	name := fmt.Sprintf("job-%d", time.Now().UnixNano())
	definition, err := json.Marshal(map[string]any{"id": name, "steps": []any{map[string]any{"id": "s", "batchlet": map[string]any{"ref": native.Shell, "properties": map[string]string{"command": command}}}}})
	w.check(err)
	j := bus.Job{App: app, Name: name, Definition: definition}
	_, err = w.bus.Jobs.Create(w.Context(), j.Key(), j)
	w.check(err)
	e, _, err := w.jobs.Submit(w.Context(), execution.Submission{App: app, Job: name})
	w.check(err)
	return e
}

func TestAgentWithToken(t *testing.T) { onBothServers(t, testAgentWithToken) }

func testAgentWithToken(w *world) {
	file := w.createToken("a1", bus.DefaultApp)
	stop := w.runAgent("a1", file, bus.DefaultApp)
	if e := w.runJob(bus.DefaultApp, "echo hello"); e.BatchStatus != subjects.Completed || e.Agent != "a1" {
		w.Fatalf("it ended as %s on %q: %s", e.BatchStatus, e.Agent, e.Exception)
	}
	stop()
	if _, _, err := w.tokens.Create(w.Context(), accounts.Grant{Agent: "a1", Apps: []string{"x"}}, 0, ""); !errors.Is(err, bus.ErrExists) {
		w.Errorf("a second token: %v, want ErrExists", err)
	}
	all, err := w.tokens.List(w.Context())
	if err != nil || len(all) != 1 || all[0].Agent != "a1" || seed.MatchString(fmt.Sprint(all)) {
		w.Errorf("%d tokens, %v", len(all), err)
	}
}

// connectAs connects with a credentials file until the test ends.
func (w *world) connectAs(file string, opts ...nats.Option) *nats.Conn {
	w.Helper()
	nc, err := nats.Connect(w.url, append(opts, nats.Timeout(time.Minute), nats.UserCredentials(file), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	w.check(err)
	w.Cleanup(nc.Close)
	return nc
}

// TestConfinedAgent holds that an agent reaches its own subjects only, whatever
// it publishes and whatever it asks to be answered on. The bus's account is
// watched as a whole: a message there that is not for the agent's own subjects
// is a way out.
func TestConfinedAgent(t *testing.T) { onBothServers(t, testConfinedAgent) }

func testConfinedAgent(w *world) {
	for _, app := range []string{"billing", "hr"} {
		_, err := w.bus.Apps.Create(w.Context(), app, bus.App{Name: app})
		w.check(err)
	}
	evil := w.createToken("a1", "billing")
	w.runAgent("a2", w.createToken("a2", "hr"), "hr")
	if e := w.runJob("hr", "echo secret"); e.BatchStatus != subjects.Completed {
		w.Fatalf("the job of hr ended as %s: %s", e.BatchStatus, e.Exception)
	}
	victim := jetio.BucketStream(subjects.UsersBucket)
	_, err := w.bus.Users.Create(w.Context(), "ann", bus.User{ID: "ann"})
	w.check(err)

	for range 30 { // requests that the agent may take, and have delivered to any subject
		w.submitJob("billing", "echo EVIL")
	}
	nc := w.connectAs(evil)
	attempt := 0
	// Each is a subject that the agent must not reach.
	targets := []string{
		"$KV.jobstreamer_users.evil", "jobstreamer.request.hr.default.normal.424242", "jobstreamer.result.hr.hello.2.a2", "jobstreamer.result.billing.hello.2.a2",
		"jobstreamer.log.hr.hello.2.a2", "jobstreamer.heartbeat.a2", "jobstreamer.command.a2.stop", "jobstreamer.answer.a2.1", "jobstreamer.request.billing.default.normal.7",
		"jobstreamer.secret.billing.a2", "jobstreamer.secret.hr.a1", "jobstreamer.secret.hr.a2",
		"$JS.API.STREAM.DELETE." + victim, "$JS.API.STREAM.PURGE." + victim, "$JS.API.STREAM.MSG.GET." + victim, "$JS.API.STREAM.NAMES", "$JS.API.STREAM.CREATE.X",
		"$JS.API.DIRECT.GET." + victim + ".$KV.jobstreamer_users.ann", "$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.jobstreamer.result.hr.>", "$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS",
		"$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_hr.default=normal", "$JS.API.CONSUMER.CREATE.JOBSTREAMER_RESULTS", "$JS.ACK.JOBSTREAMER_REQUEST_hr.default=normal.1.1.1.1.0",
		"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.AUTH",
	}
	type seen struct{ subject, reply string }
	seenAtBus := make(chan seen, 1000)
	watch, err := w.conn.Subscribe(">", func(m *nats.Msg) {
		if strings.Contains(string(m.Data), "EVIL") || strings.HasPrefix(m.Header.Get("X-Evil"), "EVIL") {
			select {
			case seenAtBus <- seen{m.Subject, m.Reply}:
			default:
			}
		}
	})
	w.check(err)
	w.check(w.conn.Flush())
	own := func(subject string) bool {
		return strings.HasPrefix(subject, "jobstreamer.result.billing.") && strings.HasSuffix(subject, ".a1") ||
			strings.HasPrefix(subject, "jobstreamer.log.billing.") && strings.HasSuffix(subject, ".a1") ||
			subject == "jobstreamer.heartbeat.a1" || subject == "jobstreamer.secret.billing.a1" || strings.HasPrefix(subject, "jobstreamer.answer.a1.") ||
			strings.HasPrefix(subject, "$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_billing.") || strings.HasPrefix(subject, "$JS.ACK.JOBSTREAMER_REQUEST_billing.") ||
			strings.HasPrefix(subject, "$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.jobstreamer.result.billing.") || strings.HasPrefix(subject, "_R_.")
	}
	publish := func(subject, reply string) {
		attempt++
		m := nats.NewMsg(subject)
		m.Reply, m.Data = reply, fmt.Appendf(nil, `{"id":"EVIL %d"}`, attempt)
		m.Header.Set("X-Evil", "EVIL")
		w.check(nc.PublishMsg(m))
	}
	stored := "jobstreamer.result.billing.zz.777.a1"
	publish(stored, "")
	w.check(nc.Flush())
	before := w.countMessages()
	for _, target := range targets {
		publish(target, "")
		publish(target, "_INBOX.x")
		for _, reach := range []string{ // everything that is answered
			"$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS." + stored, "$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_billing.default=normal",
			"jobstreamer.heartbeat.a1", "$JS.ACK.JOBSTREAMER_REQUEST_billing.default=normal.1.1.1.1.0", "jobstreamer.answer.a1.1",
			"jobstreamer.secret.billing.a1",
		} {
			publish(reach, target)
		}
		// An answer may be a stored message, or a request with its acknowledgement.
		w.check(nc.PublishRequest("$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS."+stored, target, nil))
		w.check(nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_billing.default=normal", target, []byte("1")))
	}
	w.check(nc.Flush())
	// Requests that may be answered come after all those that may not.
	for _, reach := range []string{"$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS." + stored, "$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_billing.default=normal"} {
		if _, err := nc.Request(reach, []byte(`{"batch":1,"no_wait":true}`), 10*time.Second); err != nil {
			w.Fatalf("%s: %v", reach, err)
		}
	}
	w.check(w.conn.Flush())
	w.check(watch.Unsubscribe())
	for len(seenAtBus) > 0 {
		s := <-seenAtBus
		// The account also sees what the broker delivers to the agent.
		delivered := strings.HasPrefix(s.subject, "jobstreamer.request.billing.") && strings.HasPrefix(s.reply, "$JS.ACK.JOBSTREAMER_REQUEST_billing.")
		answered := s.reply == "" || strings.HasPrefix(s.reply, "_R_.") || s.subject == stored && strings.HasPrefix(s.reply, "$JS.ACK.JOBSTREAMER_RESULTS.")
		if !delivered && (!own(s.subject) || !answered) {
			w.Errorf("in the bus's account arrived %+v", s)
		}
	}
	after := w.countMessages()
	for stream, state := range before {
		if after[stream] != state && stream != subjects.ResultsStream && stream != subjects.LogsStream {
			w.Errorf("%s had %s, and has %s", stream, state, after[stream])
		}
	}
	if len(after) != len(before) {
		w.Errorf("streams before %v, after %v", before, after)
	}
	if e := w.runJob("hr", "echo again"); e.BatchStatus != subjects.Completed || e.Agent != "a2" {
		w.Errorf("afterwards a job of hr ended as %s on %q: %s", e.BatchStatus, e.Agent, e.Exception)
	}
}

// countMessages returns what each stream holds, but for the buckets of agents
// and leases, which change all the time.
func (w *world) countMessages() map[string]string {
	all := map[string]string{}
	for s := range w.bus.JS.ListStreams(w.Context()).Info() {
		if name := s.Config.Name; !strings.HasSuffix(name, "_agents") && !strings.HasSuffix(name, "_leases") {
			all[name] = fmt.Sprintf("%d messages up to %d", s.State.Msgs, s.State.LastSeq)
		}
	}
	return all
}

// TestConfinedReader holds that an agent reads nothing of others: it sees only
// what is sent to it.
func TestConfinedReader(t *testing.T) { onBothServers(t, testConfinedReader) }

func testConfinedReader(w *world) {
	evil := w.connectAs(w.createToken("a1", "billing"))
	seen := make(chan string, 100)
	for _, subject := range []string{">", "jobstreamer.>", "$JS.>", "$KV.>", "_INBOX.>", "_R_.>", "$SYS.>"} {
		_, err := evil.Subscribe(subject, func(m *nats.Msg) { seen <- subject + ": " + m.Subject })
		w.check(err)
	}
	w.check(evil.Flush())
	w.runAgent("a2", w.createToken("a2", bus.DefaultApp), bus.DefaultApp)
	if e := w.runJob(bus.DefaultApp, "echo secret"); e.BatchStatus != subjects.Completed {
		w.Fatalf("ended as %s: %s", e.BatchStatus, e.Exception)
	}
	_, err := w.bus.Users.Create(w.Context(), "ann", bus.User{ID: "ann"})
	w.check(err)
	w.check(evil.Flush())
	for len(seen) > 0 {
		w.Errorf("the agent saw %s", <-seen)
	}
}

// TestRevoke holds that an agent is off at once when its token is revoked, and
// that other agents stay.
func TestRevoke(t *testing.T) { onBothServers(t, testRevoke) }

func testRevoke(w *world) {
	file := w.createToken("a1", bus.DefaultApp)
	other := w.connectAs(w.createToken("a2", bus.DefaultApp))
	closed := make(chan struct{}, 1)
	nc := w.connectAs(file, nats.MaxReconnects(0), nats.ClosedHandler(func(*nats.Conn) { closed <- struct{}{} }))
	w.check(w.tokens.Revoke(w.Context(), "a1"))
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		w.Errorf("the connection is %s after its token was revoked", nc.Status())
	}
	if _, err := nats.Connect(w.url, nats.UserCredentials(file), nats.Timeout(time.Minute)); !errors.Is(err, nats.ErrAuthorization) {
		w.Errorf("a new connection with the revoked token: %v, want a refusal", err)
	}
	if err := other.Flush(); err != nil {
		w.Errorf("another agent: %v", err)
	}
	if err := w.tokens.Revoke(w.Context(), "a1"); !errors.Is(err, bus.ErrNotFound) {
		w.Errorf("revoked again: %v, want ErrNotFound", err)
	}
	for _, name := range []string{"", "*", "a b", ">", "\x14"} {
		if err := w.tokens.Revoke(w.Context(), name); !errors.Is(err, bus.ErrNotFound) {
			w.Errorf("revoking %q = %v, want ErrNotFound", name, err)
		}
	}
	if _, _, err := w.tokens.Create(w.Context(), accounts.Grant{Agent: "a1", Apps: []string{bus.DefaultApp}}, 0, ""); err != nil {
		w.Errorf("a new token for the name: %v", err)
	}
}

// TestRevokedClaimsAreNewer holds that a revocation is newer than what it
// revokes, by the clock of the servers, which counts in seconds. Else a server
// that was away could teach the others the claims from before.
func TestRevokedClaimsAreNewer(t *testing.T) { onBothServers(t, testRevokedClaimsAreNewer) }

func testRevokedClaimsAreNewer(w *world) {
	made, _, err := w.tokens.Create(w.Context(), accounts.Grant{Agent: "a1", Apps: []string{"billing"}}, 0, "")
	w.check(err)
	w.check(w.tokens.Revoke(w.Context(), "a1"))
	m, err := w.system.Request("$SYS.REQ.ACCOUNT."+made.Account+".CLAIMS.LOOKUP", nil, 10*time.Second)
	w.check(err)
	before, err := jwt.DecodeAccountClaims(made.Claims)
	w.check(err)
	after, err := jwt.DecodeAccountClaims(string(m.Data))
	w.check(err)
	if after.IssuedAt <= before.IssuedAt || len(after.Revocations) == 0 {
		w.Errorf("the claims are of %d, the revocation is of %d: %+v", before.IssuedAt, after.IssuedAt, after)
	}
}

// TestClockBehind holds that a bus whose clock is behind reports that, instead
// of a revocation that servers ignore.
func TestClockBehind(t *testing.T) {
	key, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jwt.NewAccountClaims(public).Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // its clock begins in the year 2000
		if err := accounts.WaitForNewer(t.Context(), claims); err == nil || !strings.Contains(err.Error(), "behind") {
			t.Errorf("%v, want an error", err)
		}
	})
}

// TestRevokeAfterACrash holds that a revocation which a bus had begun when it
// died is completed by the next start.
func TestRevokeAfterACrash(t *testing.T) { onBothServers(t, testRevokeAfterACrash) }

func testRevokeAfterACrash(w *world) {
	file := w.createToken("a1", bus.DefaultApp)
	_, err := w.bus.Tokens.Change(w.Context(), "a1", func(was *bus.AgentToken) (*bus.AgentToken, error) {
		return accounts.RevokedToken(w.tokens, was)
	})
	w.check(err)
	w.connectAs(file) // no server was told
	if all, err := w.tokens.List(w.Context()); err != nil || len(all) != 0 {
		w.Errorf("%d tokens are listed, %v, want none", len(all), err)
	}
	w.check(w.tokens.PublishAccounts(w.Context()))
	w.checkRefused(file)
	if _, err := w.bus.Tokens.Get(w.Context(), "a1"); !errors.Is(err, bus.ErrNotFound) {
		w.Errorf("the record of the revoked token: %v, want ErrNotFound", err)
	}
}

// TestRevokeDuringAStart holds that a bus which starts does not undo a
// revocation: it may have read the record before.
func TestRevokeDuringAStart(t *testing.T) { onBothServers(t, testRevokeDuringAStart) }

func testRevokeDuringAStart(w *world) {
	file := w.createToken("a1", bus.DefaultApp)
	read, err := w.bus.Tokens.Get(w.Context(), "a1")
	w.check(err)
	w.check(w.tokens.Revoke(w.Context(), "a1"))
	w.check(accounts.PublishEntry(w.tokens, w.Context(), read))
	w.checkRefused(file)
	again := w.createToken("a1", bus.DefaultApp)
	w.check(accounts.PublishEntry(w.tokens, w.Context(), read))
	w.checkRefused(file)
	w.connectAs(again)
}

// checkRefused checks that nobody can connect with a credentials file.
func (w *world) checkRefused(file string) {
	w.Helper()
	if nc, err := nats.Connect(w.url, nats.UserCredentials(file), nats.Timeout(time.Minute)); !errors.Is(err, nats.ErrAuthorization) {
		w.Errorf("a connection with the revoked token: %v, want a refusal", err)
		if err == nil {
			nc.Close()
		}
	}
}

// TestCreateTwice holds that names which are given twice count once.
func TestCreateTwice(t *testing.T) { onBothServers(t, testCreateTwice) }

func testCreateTwice(w *world) {
	made, credentials, err := w.tokens.Create(w.Context(), accounts.Grant{Agent: "a1", Apps: []string{"b", "a", "b"}, Pools: []string{"x", "x"}}, 0, "")
	if err != nil || len(credentials) == 0 || fmt.Sprint(made.Apps, made.Pools) != "[a b] [x]" {
		w.Errorf("%+v, %v", made, err)
	}
}

// TestLargestGrant holds that an account of the greatest size is accepted.
func TestLargestGrant(t *testing.T) { onBothServers(t, testLargestGrant) }

func testLargestGrant(w *world) {
	long := strings.Repeat("a", 120)
	g := accounts.Grant{Agent: long, Pools: []string{long}}
	for n := 0; g.Size() < accounts.MaxSize; n++ {
		g.Apps = append(g.Apps, fmt.Sprintf("%s-%d", long, n))
	}
	_, _, err := w.tokens.Create(w.Context(), g, 0, "")
	w.check(err)
}

// TestOlderAccount holds that an account of an older version, which lacks a
// subject that agents need now, gets it when a bus starts, and that the agent
// keeps its credentials.
func TestOlderAccount(t *testing.T) { onBothServers(t, testOlderAccount) }

func testOlderAccount(w *world) {
	asked := make(chan string, 10)
	_, err := w.conn.Subscribe(subjects.AllSecretRequests, func(m *nats.Msg) {
		asked <- m.Subject
		_ = m.Respond([]byte("{}"))
	})
	w.check(err)
	file := w.createToken("a1", bus.DefaultApp)
	e, err := w.bus.Tokens.Get(w.Context(), "a1")
	w.check(err)
	w.check(accounts.WaitForNewer(w.Context(), e.Value.Claims))
	e.Value.Claims, err = accounts.ClaimsWithout(w.keys, e.Value.Claims, subjects.SecretSubject(bus.DefaultApp, "a1"))
	w.check(err)
	e.Revision, err = w.bus.Tokens.Update(w.Context(), e.Key, e.Value, e.Revision)
	w.check(err)
	w.check(accounts.PublishEntry(w.tokens, w.Context(), e))
	nc := w.connectAs(file)
	ask := func() error {
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := nc.RequestWithContext(ctx, subjects.SecretSubject(bus.DefaultApp, "a1"), nil)
		return err
	}
	if err := ask(); err == nil {
		w.Fatal("an account without the subject reaches the bus")
	}
	w.check(w.tokens.PublishAccounts(w.Context()))
	w.waitUntil("the account has the subject", func() bool { return ask() == nil })
	if got := <-asked; got != "jobstreamer.secret.default.a1" {
		w.Errorf("the bus was asked on %s", got)
	}
	renewed, err := w.bus.Tokens.Get(w.Context(), "a1")
	w.check(err)
	w.check(w.tokens.PublishAccounts(w.Context()))
	if again, err := w.bus.Tokens.Get(w.Context(), "a1"); err != nil || again.Revision != renewed.Revision {
		w.Errorf("a second start wrote the token again: revision %d, %v, want %d", again.Revision, err, renewed.Revision)
	}
}
