package execution

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// world is a broker with some buses, and agents that do what the test says.
type world struct {
	*testing.T
	srv *server.Server
	nc  *nats.Conn
	js  jetstream.JetStream
	bus *node // the first

	replicas int
}

// node is one control bus.
type node struct {
	*Service
	b    *bus.Bus
	x    *index.Index
	stop func() // ends it, as a shutdown does
}

// newWorld starts a broker and a bus with the application default and the job
// J.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, bustest.Server(t), 1)
}

// newWorldOn is newWorld on a server that is there.
func newWorldOn(t *testing.T, srv *server.Server, replicas int) *world {
	t.Helper()
	w := &world{T: t, srv: srv, replicas: replicas}
	w.nc = bustest.Conn(t, w.srv)
	w.js, _ = jetstream.New(w.nc) // fails for bad options only
	w.bus = w.node(Config{})
	w.job("J", `{"id":"J","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
	return w
}

// node starts another bus.
func (w *world) node(cfg Config) *node {
	w.Helper()
	n := w.idle(cfg)
	n.run(w)
	return n
}

// idle is a bus that serves requests but does none of its chores.
func (w *world) idle(cfg Config) *node {
	w.Helper()
	log := slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b := bustest.Open(w, w.srv, bus.Config{Log: log, Replicas: w.replicas})
	x := index.New(b)
	n := &node{Service: New(b, x, cfg), b: b, x: x}
	bustest.RunBackground(w, x.Run)
	if err := x.WaitReady(w.Context()); err != nil {
		w.Fatal(err)
	}
	return n
}

func (n *node) run(w *world) { n.stop = bustest.RunBackground(w, n.Run) }

// job writes a definition and waits until every bus that is asked next sees it.
func (w *world) job(name, definition string) {
	w.Helper()
	j := bus.Job{App: "default", Name: name, Definition: json.RawMessage(definition)}
	if _, err := w.bus.b.Jobs.Create(w.Context(), j.Key(), j); err != nil {
		w.Fatal(err)
	}
}

func (w *world) submit(job string) *bus.Execution {
	w.Helper()
	e, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: job})
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// delivery is a request as an agent gets it.
type delivery struct {
	subjects.Request
	msg jetstream.Msg
}

// fetch takes the next request, or returns nil if none comes within a second.
func (w *world) fetch() *delivery {
	w.Helper()
	return w.fetchFrom(subjects.DefaultPool)
}

// fetchFrom is fetch by an agent of another pool.
func (w *world) fetchFrom(pool string) *delivery {
	w.Helper()
	c, err := w.js.Consumer(w.Context(), subjects.RequestStream("default"), subjects.RequestConsumer(pool, subjects.Normal))
	if w.replicas > 1 && err != nil { // it may have no leader for a moment
		return nil
	}
	if err != nil {
		w.Fatal(err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(time.Second))
	if errors.Is(err, nats.ErrTimeout) || w.replicas > 1 && err != nil {
		return nil
	}
	if err != nil {
		w.Fatal(err)
	}
	d := &delivery{msg: m}
	if err := json.Unmarshal(m.Data(), &d.Request); err != nil {
		w.Fatal(err)
	}
	return d
}

// handling is an agent's handling of a delivery: each result expects the one
// before.
type handling struct {
	w     *world
	agent string
	id    string
	d     *delivery
	last  uint64
	n     int
}

func (w *world) handle(d *delivery, agent string) *handling {
	return &handling{w: w, agent: agent, id: agent + strconv.FormatInt(time.Now().UnixNano(), 36), d: d, last: d.ExpectedSequence}
}

// say publishes a result as the contract says; an error is the broker's
// refusal.
func (h *handling) say(status subjects.BatchStatus, change func(*subjects.Result)) error {
	e := h.d.Execution
	h.n++
	r := subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: h.d.Attempt, BatchStatus: status,
		Agent: h.agent, Handling: h.id, Number: h.n, Time: subjects.Now(),
	}
	if h.n == 1 {
		r.Execution = &e
	}
	if change != nil {
		change(&r)
	}
	data, err := json.Marshal(r)
	if err != nil {
		h.w.Fatal(err)
	}
	seq, err := h.w.bus.b.Pub.Do(h.w.Context(), &nats.Msg{Subject: subjects.ResultSubject(e.App, e.Job, e.ID, h.agent), Data: data},
		subjects.ResultFilter(e.App, e.Job, e.ID), int64(h.last))
	if err == nil {
		h.last = seq
	}
	return err
}

// claim claims and acknowledges.
func (h *handling) claim() {
	h.w.Helper()
	if err := h.say(subjects.Started, nil); err != nil {
		h.w.Fatalf("claim of %d: %v", h.d.Execution.ID, err)
	}
	if err := h.d.msg.DoubleAck(h.w.Context()); err != nil {
		h.w.Fatal(err)
	}
}

// end says how it ended.
func (h *handling) end(status subjects.BatchStatus) {
	h.w.Helper()
	if err := h.say(status, nil); err != nil {
		h.w.Fatalf("end of %d: %v", h.d.Execution.ID, err)
	}
}

// beat sends a heartbeat of an agent that names attempts.
func (w *world) beat(agent string, attempts ...subjects.Attempt) {
	w.Helper()
	data, err := json.Marshal(subjects.Heartbeat{
		Agent: agent, Life: "1", Status: subjects.AgentReady, Apps: []string{"default"}, Pools: []string{"default"},
		IntervalMS: 2000, Executions: attempts,
	})
	if err != nil {
		w.Fatal(err)
	}
	if err := w.nc.Publish(subjects.HeartbeatSubject(agent), data); err != nil {
		w.Fatal(err)
	}
}

// want waits until the record of e has a status.
func (w *world) want(e *bus.Execution, status subjects.BatchStatus) *bus.Execution {
	w.Helper()
	var last *bus.Execution
	for range 600 {
		now, err := w.bus.Get(w.Context(), e.App, e.Job, e.ID)
		if err == nil && now.BatchStatus == status {
			return now
		}
		last = now
		time.Sleep(100 * time.Millisecond)
	}
	w.Fatalf("execution %d is %s, want %s", e.ID, last.BatchStatus, status)
	return nil
}

// results are the statuses that RESULTS has of an execution, in order.
func (w *world) results(e *bus.Execution) []subjects.BatchStatus {
	w.Helper()
	var all []subjects.BatchStatus
	for seq := uint64(1); ; {
		r, err := w.bus.b.ResultAt(w.Context(), e.App, e.Job, e.ID, seq)
		if errors.Is(err, bus.ErrNotFound) {
			return all
		}
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, r.BatchStatus)
		seq = r.Sequence + 1
	}
}
