package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }

// world is a broker with buses, a notificator, and an agent that the test
// plays, in fake time.
type world struct {
	*testing.T
	srv         *server.Server
	bus         *bus.Bus // runs no service; the test reads and writes through it
	notificator *fakeNotificator

	mu    sync.Mutex
	beats []subjects.Attempt // what the agent names
	logs  strings.Builder
}

// runInWorld runs f with a world in fake time.
func runInWorld(t *testing.T, name string, f func(w *world)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := &world{T: t, srv: bustest.Server(t)}
			w.bus = bustest.Open(t, w.srv, bus.Config{})
			w.notificator = newFakeNotificator(t)
			bustest.RunBackground(w, w.sendHeartbeats)
			f(w)
			// Leased tasks run at whole seconds, and a server that ends while
			// it is asked for a consumer waits for a lock, which fake time does
			// not pass.
			time.Sleep(333 * time.Millisecond)
		})
	})
}

// sendHeartbeats sends the agent's heartbeats until ctx ends.
func (w *world) sendHeartbeats(ctx context.Context) error {
	for ctx.Err() == nil {
		w.mu.Lock()
		data, err := json.Marshal(subjects.Heartbeat{
			Agent: "a1", Life: "1", Status: subjects.AgentReady, Apps: []string{"default"}, Pools: []string{"default"},
			IntervalMS: 5000, Executions: w.beats,
		})
		w.mu.Unlock()
		if err == nil {
			err = w.bus.NC.Publish(subjects.HeartbeatSubject("a1"), data)
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// node is a control bus with a notifier.
type node struct {
	*Notifier
	executions *execution.Service
	stop       func() // shuts it down
}

// startBus starts a control bus; url is that of its notificator.
func (w *world) startBus(url string) *node {
	w.Helper()
	log := slog.New(slog.NewTextHandler(&logWriter{w: w}, nil))
	return w.startBusOn(bustest.Open(w, w.srv, bus.Config{Log: log}), url)
}

func (w *world) startBusOn(b *bus.Bus, url string) *node {
	w.Helper()
	return w.runBus(b, nil, url)
}

// startBusWith starts a control bus with senders.
func (w *world) startBusWith(set senders.Set, url string) *node {
	w.Helper()
	return w.runBus(bustest.Open(w, w.srv, bus.Config{}), set, url)
}

func (w *world) runBus(b *bus.Bus, set senders.Set, url string) *node {
	w.Helper()
	x := index.New(b)
	executions := execution.New(b, x, execution.Config{})
	n, err := New(Config{Bus: b, Index: x, Executions: executions, MaxDelay: time.Minute, Senders: set, URL: url, Transport: w.notificator.transport})
	if err != nil {
		w.Fatal(err)
	}
	stopIndex := bustest.RunBackground(w, x.Run)
	stopLife := bustest.RunBackground(w, executions.Run)
	stop := bustest.RunBackground(w, n.Run)
	time.Sleep(time.Second) // the consumer is there
	return &node{n, executions, func() { stop(); stopLife(); stopIndex() }}
}

// logWriter collects the log of the buses.
type logWriter struct{ w *world }

func (l *logWriter) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.logs.Write(p)
}

func (w *world) logText() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs.String()
}

// storeJob stores a job with settings, and waits until every bus has seen it.
func (w *world) storeJob(name string, s bus.Settings) {
	w.Helper()
	j := bus.Job{App: "default", Name: name, Settings: s, Definition: json.RawMessage(`{"id":"` + name + `","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)}
	e, err := w.bus.Jobs.Get(w.Context(), j.Key())
	if err == nil {
		_, err = w.bus.Jobs.Update(w.Context(), j.Key(), j, e.Revision)
	} else {
		_, err = w.bus.Jobs.Create(w.Context(), j.Key(), j)
	}
	if err != nil {
		w.Fatal(err)
	}
	time.Sleep(time.Second)
}

func notifyOnStatus(status subjects.BatchStatus, kind string) bus.Settings {
	return bus.Settings{Notifications: []bus.StatusNotification{{ID: 1, BatchStatus: status, Type: kind}}}
}

// testExecution is an execution as its agent knows it.
type testExecution struct {
	*bus.Execution
	w    *world
	n    int
	last uint64
}

// submitJob submits an execution.
func (w *world) submitJob(n *node, job string) *testExecution {
	w.Helper()
	e, _, err := n.executions.Submit(w.Context(), execution.Submission{App: "default", Job: job, Parameters: map[string]string{"who": "x"}})
	if err != nil {
		w.Fatal(err)
	}
	return &testExecution{Execution: e, w: w}
}

// startJob submits an execution and claims it.
func (w *world) startJob(n *node, job string) *testExecution {
	w.Helper()
	return w.submitJob(n, job).publishResult(subjects.Started, "")
}

// publishResult publishes a result.
func (r *testExecution) publishResult(status subjects.BatchStatus, exit string, steps ...subjects.StepExecution) *testExecution {
	r.w.Helper()
	r.n++
	res := subjects.Result{
		ID: r.ID, App: r.App, Job: r.Job, Attempt: 1, BatchStatus: status, ExitStatus: exit, Agent: "a1",
		Handling: "h", Number: r.n, Time: subjects.Now(), Steps: steps,
	}
	if r.n == 1 {
		res.Execution = &r.Execution.Execution
	}
	data, err := json.Marshal(res)
	if err != nil {
		r.w.Fatal(err)
	}
	r.w.setNamed(r.ID, !status.Ended())
	r.last, err = r.w.bus.Pub.Do(r.w.Context(), &nats.Msg{Subject: subjects.ResultSubject(r.App, r.Job, r.ID, "a1"), Data: data},
		subjects.ResultFilter(r.App, r.Job, r.ID), int64(r.last))
	if err != nil {
		r.w.Fatal(err)
	}
	return r
}

// setNamed sets whether the agent's heartbeats name an execution.
func (w *world) setNamed(id int64, runs bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beats = slices.DeleteFunc(slices.Clone(w.beats), func(a subjects.Attempt) bool { return a.ID == id })
	if runs {
		w.beats = append(w.beats, subjects.Attempt{ID: id, Attempt: 1, App: "default"})
	}
}

// readRecord reads the record of an execution.
func (w *world) readRecord(e *testExecution) *bus.Execution {
	w.Helper()
	rec, err := w.bus.Executions.Get(w.Context(), e.Key())
	if err != nil {
		w.Fatal(err)
	}
	return &rec.Value
}

// receivedPost is a request that the notificator received.
type receivedPost struct {
	path, media, body string
	at                time.Time
}

// fakeNotificator is a notificator that listens on pipes, because sockets do
// not work in fake time.
type fakeNotificator struct {
	*httptest.Server
	transport *http.Transport

	mu     sync.Mutex
	got    []receivedPost
	answer func(path string, nth int) (status int, after time.Duration) // nil: status 200 without delay
}

func newFakeNotificator(t *testing.T) *fakeNotificator {
	s := &fakeNotificator{}
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s.Server = &httptest.Server{Listener: p, Config: &http.Server{Handler: s}}
	s.Start()
	s.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dialPipe(ctx) }}
	t.Cleanup(func() { s.transport.CloseIdleConnections(); s.Close() })
	return s
}

func (s *fakeNotificator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.got = append(s.got, receivedPost{r.Method + " " + r.URL.EscapedPath(), r.Header.Get("Content-Type"), string(body), time.Now()})
	answer, nth := s.answer, len(s.got)
	s.mu.Unlock()
	status := 200
	if answer != nil {
		var after time.Duration
		status, after = answer(r.URL.Path, nth)
		time.Sleep(after)
	}
	w.WriteHeader(status)
}

func (s *fakeNotificator) setAnswer(f func(path string, nth int) (int, time.Duration)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func (s *fakeNotificator) receivedPosts() []receivedPost {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// wantPosts compares the paths of all received posts, in any order.
func (w *world) wantPosts(paths ...string) {
	w.Helper()
	var got []string
	for _, p := range w.notificator.receivedPosts() {
		got = append(got, p.path)
	}
	slices.Sort(got)
	slices.Sort(paths)
	if !slices.Equal(got, paths) {
		w.Errorf("posted %v, want %v", got, paths)
	}
}

// pipes is a listener for connections within the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) dialPipe(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2121} }

// fakeSender is a sender that records what it sends.
type fakeSender struct {
	mu  sync.Mutex
	got []string
	err error
}

func (s *fakeSender) Target() (kind, host string) { return "fake", "host" }

func (s *fakeSender) Accepts(recipient string) error {
	if recipient != "" {
		return &senders.Refusal{Err: errors.New("no recipients")}
	}
	return nil
}

func (s *fakeSender) Send(_ context.Context, m *senders.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.got = append(s.got, m.Type+": "+m.Subject())
	}
	return s.err
}

func (s *fakeSender) sentTexts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}
