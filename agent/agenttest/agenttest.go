// Package agenttest runs agents in tests. A [Room] is a real broker in the
// process, with the streams of one application; the test plays the control bus.
// It also works in the fake time of testing/synctest.
package agenttest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// App and Job are the names in all requests of a room.
const (
	App = "app"
	Job = "job"
)

// Main runs the tests of a package, and fails if goroutines are left. Call it
// in TestMain: os.Exit(agenttest.Main(m)).
func Main(m *testing.M) int {
	code := bustest.Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error())
		return 1
	}
	return code
}

// Room is a broker with the streams that agents use.
type Room struct {
	t      testing.TB
	Server *server.Server
	Conn   *nats.Conn
	JS     jetstream.JetStream

	mu        sync.Mutex
	lastID    int64
	published chan struct{} // closed when a result was published, whether it was stored or not
}

// New creates a room. The room ends with the test.
func New(t testing.TB) *Room {
	t.Helper()
	return newRoom(t, bustest.Server)
}

// NewListening creates a room for agents in other processes. They reach it by
// room.Server.ClientURL().
func NewListening(t testing.TB) *Room {
	t.Helper()
	return newRoom(t, bustest.Listening)
}

func newRoom(t testing.TB, start func(testing.TB) *server.Server) *Room {
	t.Helper()
	// The NATS client keeps timers in a pool. A timer from the synctest bubble
	// of another test would crash the process, so empty the pool.
	runtime.GC()
	runtime.GC()
	r := &Room{t: t, Server: start(t), published: make(chan struct{})}
	r.Conn = bustest.Conn(t, r.Server)
	var err error
	if r.JS, err = jetstream.New(r.Conn); err != nil {
		t.Fatal(err)
	}
	for _, s := range append(bus.Streams(1, bus.Retention{}), bus.RequestStreamConfig(App, 1)) {
		if s.Name == subjects.ResultsStream || s.Name == subjects.LogsStream || s.Name == subjects.RequestStream(App) {
			if _, err := r.JS.CreateStream(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.CreatePool(subjects.DefaultPool)
	if _, err := r.Conn.Subscribe(subjects.AllResults, func(*nats.Msg) { r.wakeWaiters() }); err != nil {
		t.Fatal(err)
	}
	return r
}

// wakeWaiters wakes all goroutines that wait for a result.
func (r *Room) wakeWaiters() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.published)
	r.published = make(chan struct{})
}

// nextResult returns a channel that is closed when the next result is
// published.
func (r *Room) nextResult() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.published
}

// CreatePool creates the consumers of a pool.
func (r *Room) CreatePool(pool string) {
	r.t.Helper()
	for _, priority := range subjects.Priorities() {
		if _, err := r.JS.CreateConsumer(r.t.Context(), subjects.RequestStream(App), bus.RequestConsumerConfig(App, pool, priority)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Request returns the request for a new execution with the given definition.
// The test can change it before [Room.Submit].
func (r *Room) Request(definition string) *subjects.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastID++
	return &subjects.Request{
		Execution: subjects.Execution{
			ID: r.lastID, InstanceID: r.lastID, App: App, Job: Job, BatchStatus: subjects.Undispatched,
			Pool: subjects.DefaultPool, Priority: subjects.Normal, CreateTime: subjects.Now(),
		},
		Attempt: 1, Definition: json.RawMessage(definition), Time: subjects.Now(),
	}
}

// Submit queues a request and returns the execution's id.
func (r *Room) Submit(q *subjects.Request) int64 {
	r.t.Helper()
	data, err := json.Marshal(q)
	if err != nil {
		r.t.Fatal(err)
	}
	e := &q.Execution
	if _, err := r.JS.Publish(r.t.Context(), subjects.RequestSubject(App, e.Pool, e.Priority, e.ID), data); err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// Run submits a definition and returns the terminal result.
func (r *Room) Run(definition string) subjects.Result {
	r.t.Helper()
	return r.AwaitEnd(r.Submit(r.Request(definition)))
}

// Results returns all results of an execution so far.
func (r *Room) Results(id int64) []subjects.Result {
	r.t.Helper()
	var all []subjects.Result
	readMessages(r, subjects.ResultsStream, subjects.ResultFilter(App, Job, id), &all)
	return all
}

// Lines returns all lines of output of an execution so far, and the number of
// dropped lines.
func (r *Room) Lines(id int64) (lines []subjects.LogLine, dropped int) {
	r.t.Helper()
	var all []subjects.LogMessage
	readMessages(r, subjects.LogsStream, subjects.LogFilter(App, Job, id), &all)
	for _, m := range all {
		lines = append(lines, m.Lines...)
		dropped += m.Dropped
	}
	return lines, dropped
}

// readMessages appends all messages of a stream that match filter to a list.
func readMessages[T any](r *Room, stream, filter string, to *[]T) {
	r.t.Helper()
	ctx := context.Background()
	s, err := r.JS.Stream(ctx, stream)
	if err != nil {
		r.t.Fatal(err)
	}
	for seq := uint64(1); ; {
		m, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(filter))
		if err != nil {
			return
		}
		var v T
		if err := json.Unmarshal(m.Data, &v); err != nil {
			r.t.Fatalf("%s: %v: %s", m.Subject, err, m.Data)
		}
		*to = append(*to, v)
		seq = m.Sequence + 1
	}
}

// AwaitEnd waits for the terminal result of an execution and returns it.
func (r *Room) AwaitEnd(id int64) subjects.Result {
	r.t.Helper()
	return r.AwaitResult(id, func(last subjects.Result) bool { return last.BatchStatus.Ended() })
}

// AwaitResult waits until wanted accepts the last result of an execution, and
// returns that result.
func (r *Room) AwaitResult(id int64, wanted func(subjects.Result) bool) subjects.Result {
	r.t.Helper()
	for end := time.After(2 * time.Minute); ; {
		news := r.nextResult()
		all := r.Results(id)
		if n := len(all); n > 0 && wanted(all[n-1]) {
			return all[n-1]
		}
		select {
		case <-news:
		case <-time.After(100 * time.Millisecond):
			// The result was published but not stored yet when it was read.
		case <-end:
			r.t.Fatalf("timeout, execution %d has the results %+v", id, all)
		}
	}
}

// Eventually waits until ok returns true. It fails the test after 20 s.
func Eventually(t testing.TB, ok func() bool, format string, args ...any) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timeout: "+format, args...)
		}
	}
}

// PublishAsBus publishes a result of the control bus. It expects the last
// result of the execution, and returns the sequence of the new one.
func (r *Room) PublishAsBus(id int64, attempt int, status subjects.BatchStatus) uint64 {
	r.t.Helper()
	filter := subjects.ResultFilter(App, Job, id)
	var seq uint64
	s, err := r.JS.Stream(context.Background(), subjects.ResultsStream)
	if err != nil {
		r.t.Fatal(err)
	}
	if m, err := s.GetLastMsgForSubject(context.Background(), filter); err == nil {
		seq = m.Sequence
	}
	data, _ := json.Marshal(subjects.Result{ID: id, App: App, Job: Job, Attempt: attempt, BatchStatus: status, Agent: subjects.Bus, Handling: "bus", Number: 1, Time: subjects.Now()})
	ack, err := r.JS.PublishMsg(context.Background(), &nats.Msg{
		Subject: subjects.ResultSubject(App, Job, id, subjects.Bus), Data: data,
		Header: nats.Header{
			subjects.ExpectedSequenceHeader: {strconv.FormatUint(seq, 10)},
			subjects.ExpectedFilterHeader:   {filter},
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return ack.Sequence
}

// Command sends a command to an agent and returns the reply.
func (r *Room) Command(name, verb string, c subjects.Command) subjects.CommandReply {
	r.t.Helper()
	data, _ := json.Marshal(c)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m, err := r.Conn.RequestWithContext(ctx, subjects.CommandSubject(name, verb), data)
	if err != nil {
		r.t.Fatalf("command %s: %v", verb, err)
	}
	var reply subjects.CommandReply
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		r.t.Fatal(err)
	}
	return reply
}

// Heartbeats collects the heartbeats of an agent from now on. The function that
// it returns returns those received so far.
func (r *Room) Heartbeats(name string) func() []subjects.Heartbeat {
	r.t.Helper()
	var mu sync.Mutex
	var all []subjects.Heartbeat
	sub, err := r.Conn.Subscribe(subjects.HeartbeatSubject(name), func(m *nats.Msg) {
		var h subjects.Heartbeat
		if err := json.Unmarshal(m.Data, &h); err != nil {
			r.t.Errorf("heartbeat: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, h)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = sub.Unsubscribe() })
	if err := r.Conn.FlushWithContext(r.timeoutContext(5 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return func() []subjects.Heartbeat {
		mu.Lock()
		defer mu.Unlock()
		return append([]subjects.Heartbeat(nil), all...)
	}
}

func (r *Room) timeoutContext(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	r.t.Cleanup(cancel)
	return ctx
}

// Running is a running agent.
type Running struct {
	t    testing.TB
	stop context.CancelFunc
	done chan error
	Name string
}

// Start runs an agent in the room. It fills in the name, the application, the
// log and the connection where cfg has none. The agent is stopped at the end of
// the test, and fails the test if Run returns an error, unless the test has
// called Wait.
func (r *Room) Start(cfg agent.Config, opts ...agent.Option) *Running {
	r.t.Helper()
	if cfg.Name == "" {
		cfg.Name = "a1"
	}
	if cfg.Apps == nil {
		cfg.Apps = []string{App}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if cfg.Conn == nil && cfg.URL == "" {
		// Options of cfg come last, so that a Cable takes precedence.
		cfg.Options = append([]nats.Option{nats.InProcessServer(r.Server)}, cfg.Options...)
	}
	a, err := agent.New(cfg, opts...)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	run := &Running{t: r.t, stop: stop, done: make(chan error, 1), Name: cfg.Name}
	go func() { run.done <- a.Run(ctx) }()
	r.t.Cleanup(func() {
		if err := run.Stop(); err != nil {
			r.t.Errorf("agent %s: %v", cfg.Name, err)
		}
	})
	return run
}

// Stop stops the agent and returns the error of Run. A second call returns nil.
func (r *Running) Stop() error {
	r.stop()
	return r.Wait()
}

// Leave tells the agent to leave and returns at once.
func (r *Running) Leave() { r.stop() }

// Wait waits until the agent ends and returns the error of Run.
func (r *Running) Wait() error {
	err, ok := <-r.done
	if ok {
		close(r.done)
	}
	return err
}
