package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	deadline      = 30 * time.Second       // of a wait; passes only if there is a fault
	pollInterval  = 10 * time.Millisecond  // between two checks of a condition
	shortInterval = 500 * time.Millisecond // heartbeat interval of most tests
	// longInterval is the heartbeat interval of tests that cut an agent off for a
	// moment: too short a time for the agent to count the contact as lost.
	longInterval = 4 * time.Second
)

// room belongs to one test. It has an application and an agent that no other
// test uses. Its methods play the bus.
type room struct {
	*testing.T
	*broker
	start      func(t *testing.T, o Options) *Process
	options    Options // of the agent
	proxy      *proxy  // between the agent and the broker
	app        string
	witnessDir string // jobs write their witness lines into a file here

	mu        sync.Mutex
	beats     []subjects.Heartbeat
	published []subjects.Result // by agents; the broker may have stored or refused them
}

func newRoom(t *testing.T, b *broker, start func(t *testing.T, o Options) *Process) *room {
	t.Helper()
	app, agent := roomNames(int(b.rooms.Add(1)))
	r := &room{T: t, broker: b, start: start, proxy: newProxy(t, b.addr), app: app, witnessDir: t.TempDir()}
	r.options = Options{
		Name: agent, Apps: []string{r.app}, Pools: []string{subjects.DefaultPool},
		Slots: 4, Data: filepath.Join(r.witnessDir, "agent"), Heartbeat: shortInterval,
	}
	r.createQueue(30 * time.Second)
	r.subscribeTo(subjects.AllHeartbeats, func(m *nats.Msg) {
		var h subjects.Heartbeat
		if json.Unmarshal(m.Data, &h) == nil && slices.Contains(h.Apps, r.app) {
			r.mu.Lock()
			r.beats = append(r.beats, h)
			r.mu.Unlock()
			if m.Reply != "" {
				_ = m.Respond([]byte("{}"))
			}
		}
	})
	r.subscribeTo("jobstreamer.result."+r.app+".>", func(m *nats.Msg) {
		var res subjects.Result
		if json.Unmarshal(m.Data, &res) == nil && !strings.HasSuffix(m.Subject, "."+subjects.Bus) {
			r.mu.Lock()
			r.published = append(r.published, res)
			r.mu.Unlock()
		}
	})
	t.Cleanup(r.killJobs)
	return r
}

// createQueue creates or updates the application's work queue. The contract
// sets an AckWait of 30 s. A test may shorten it, because an agent cannot see
// it.
func (r *room) createQueue(ackWait time.Duration) {
	r.Helper()
	config := jetstream.StreamConfig{
		Name: subjects.RequestStream(r.app), Subjects: []string{subjects.AllRequests(r.app)}, Retention: jetstream.WorkQueuePolicy,
	}
	stream, err := r.js.CreateOrUpdateStream(r.Context(), config)
	if err != nil {
		r.Fatalf("stream: %v", err)
	}
	for _, priority := range subjects.Priorities() {
		_, err := stream.CreateOrUpdateConsumer(r.Context(), jetstream.ConsumerConfig{
			Durable:       subjects.RequestConsumer(subjects.DefaultPool, priority),
			FilterSubject: subjects.RequestsOf(r.app, subjects.DefaultPool, priority),
			AckPolicy:     jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1,
		})
		if err != nil {
			r.Fatalf("consumer: %v", err)
		}
	}
}

func (r *room) subscribeTo(subject string, f func(m *nats.Msg)) {
	r.Helper()
	sub, err := r.nc.Subscribe(subject, f)
	if err != nil {
		r.Fatalf("subscribe: %v", err)
	}
	r.Cleanup(func() { _ = sub.Unsubscribe() })
}

// killJobs kills the processes that a killed agent has left running. Their ids
// are in the witness lines.
func (r *room) killJobs() {
	for _, line := range r.witnessLines() {
		if pid := pidOf(line); isAlive(pid) {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}

// startAgent starts the room's agent and waits for its first heartbeat.
func (r *room) startAgent() *Process {
	r.Helper()
	before := len(r.heartbeats())
	p := r.startProcess(r.options)
	r.waitUntil("the first heartbeat", func() bool { return len(r.heartbeats()) > before })
	return p
}

// startProcess starts an agent without waiting for a heartbeat.
func (r *room) startProcess(o Options) *Process {
	r.Helper()
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		r.Fatal(err)
	}
	o.URL = "nats://" + o.Name + ":" + secret + "@" + r.proxy.listener.Addr().String()
	return r.start(r.T, o)
}

// waitUntil blocks until is returns true. It fails the test after the deadline.
func (r *room) waitUntil(what string, is func() bool) {
	r.Helper()
	r.waitAtMost(deadline, what, is)
}

func (r *room) waitAtMost(long time.Duration, what string, is func() bool) {
	r.Helper()
	for end := time.Now().Add(long); !is(); time.Sleep(pollInterval) {
		if time.Now().After(end) {
			r.Fatalf("timeout after %v: waited for %s\n%s", long, what, r.describeState())
		}
	}
}

// describeState describes the witness lines, the results and the last heartbeat
// of the room, for the log of a failed test.
func (r *room) describeState() string {
	var b strings.Builder
	fmt.Fprintf(&b, "evidence: %q\n", r.witnessLines())
	for _, s := range r.readStored("jobstreamer.result." + r.app + ".>") {
		fmt.Fprintf(&b, "result %d: expects %s %s\n", s.seq, s.header.Get(subjects.ExpectedSequenceHeader), s.data)
	}
	if all := r.heartbeats(); len(all) > 0 {
		last, _ := json.Marshal(all[len(all)-1])
		fmt.Fprintf(&b, "heartbeat %d: %s\n", len(all), last)
	}
	return b.String()
}
