package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// logBuffer collects the log of a bus.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// world is a broker with buses that answer agents. The test plays the agents.
type world struct {
	*testing.T
	srv  *server.Server
	log  *logBuffer
	b    *bus.Bus // the first
	life *execution.Service
	line string // the key of the buses
}

// node is a control bus.
type node struct {
	*secrets.Secrets
	b    *bus.Bus
	life *execution.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, srv: bustest.Server(t), log: &logBuffer{}, line: newKeyLine()}
	n := w.startBus(w.line)
	w.b, w.life = n.b, n.life
	j := bus.Job{App: bus.DefaultApp, Name: "J", Definition: []byte(`{"id":"J","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)}
	_, err := w.b.Jobs.Create(t.Context(), j.Key(), j)
	w.check(err)
	return w
}

// startBus starts a bus with the keys of a file, empty for none.
func (w *world) startBus(keys string) *node {
	w.Helper()
	n := &node{b: bustest.Open(w, w.srv, bus.Config{Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})}
	x := index.New(n.b)
	n.life = execution.New(n.b, x, execution.Config{})
	cfg := secrets.Config{Bus: n.b, Executions: n.life}
	if keys != "" {
		cfg.Keys = keysOf(w.T, keys)
	}
	n.Secrets = secrets.New(cfg)
	bustest.RunBackground(w, x.Run)
	w.check(x.WaitReady(w.Context()))
	bustest.RunBackground(w, n.life.Run)
	bustest.RunBackground(w, n.Run)
	return n
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// submit starts an execution of the job.
func (w *world) submit() *bus.Execution {
	w.Helper()
	e, _, err := w.life.Submit(w.Context(), execution.Submission{App: bus.DefaultApp, Job: "J"})
	w.check(err)
	return e
}

// says publishes a result of an agent that expects the sequence last.
func (w *world) says(e *bus.Execution, agent string, attempt int, status subjects.BatchStatus, last uint64) uint64 {
	w.Helper()
	r := subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: attempt, BatchStatus: status, Agent: agent, Handling: "h-" + agent, Number: 1,
		Time: subjects.Now(), Execution: &e.Execution,
	}
	if last > 0 {
		r.Number, r.Execution = 2, nil
	}
	data, err := json.Marshal(&r)
	w.check(err)
	m := &nats.Msg{Subject: subjects.ResultSubject(e.App, e.Job, e.ID, agent), Data: data}
	seq, err := w.b.Pub.Do(w.Context(), m, subjects.ResultFilter(e.App, e.Job, e.ID), int64(last))
	w.check(err)
	return seq
}

// requestOf returns a request for an execution that agent a1 has claimed.
func (w *world) requestOf(e *bus.Execution, names ...string) (*subjects.SecretKey, *subjects.SecretRequest) {
	w.Helper()
	key, err := subjects.NewSecretKey()
	w.check(err)
	return key, &subjects.SecretRequest{ID: e.ID, Job: e.Job, Attempt: 1, Handling: "h-a1", Names: names, PublicKey: key.Public()}
}

// ask sends a request as an agent does.
func (w *world) ask(app, agent string, r any) *subjects.SecretReply {
	w.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(w.srv), nats.CustomInboxPrefix(subjects.InboxPrefix(agent)))
	w.check(err)
	defer nc.Close()
	data, ok := r.([]byte)
	if !ok {
		data, err = json.Marshal(r)
		w.check(err)
	}
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subjects.SecretSubject(app, agent), data)
	w.check(err)
	if bytes.Contains(m.Data, []byte(hidden)) {
		w.Errorf("the answer shows the value: %s", m.Data)
	}
	var reply subjects.SecretReply
	w.check(json.Unmarshal(m.Data, &reply))
	if (reply.Error == nil) == (reply.Sealed == nil) {
		w.Fatalf("the answer is %s", m.Data)
	}
	return &reply
}

// askUntilClaimed is ask for an agent that asks again.
func (w *world) askUntilClaimed(app, agent string, r any) *subjects.SecretReply {
	w.Helper()
	for {
		reply := w.ask(app, agent, r)
		if reply.Error == nil || reply.Error.Code != subjects.SecretsNotYet {
			return reply
		}
	}
}

func TestAnswer(t *testing.T) {
	w := newWorld(t)
	seen := make(chan string, 1000) // what an operator sees who watches everything
	_, err := w.b.NC.Subscribe(">", func(m *nats.Msg) {
		select {
		case seen <- m.Subject + " " + string(m.Data):
		default:
		}
	})
	w.check(err)
	s := newSecrets(w.b, keysOf(t, w.line))
	set(t, s, "DB_PASSWORD", hidden)
	set(t, s, "TOKEN", "other")
	e := w.submit()
	w.says(e, "a1", 1, subjects.Started, 0)
	key, r := w.requestOf(e, "TOKEN", "DB_PASSWORD")
	reply := w.ask(bus.DefaultApp, "a1", r) // at once: the record may be behind the claim
	if reply.Error != nil {
		t.Fatalf("refused: %+v", reply.Error)
	}
	values, err := key.Open(r, reply.Sealed)
	if err != nil || values["DB_PASSWORD"] != hidden || values["TOKEN"] != "other" {
		t.Errorf("opened %q, %v", values, err)
	}
	if text := w.log.String(); !strings.Contains(text, `names="[TOKEN DB_PASSWORD]"`) || !strings.Contains(text, "agent=a1") || strings.Contains(text, hidden) {
		t.Errorf("the log is %s", text)
	}
	w.check(w.b.NC.Flush())
	if len(seen) == 0 {
		t.Error("nothing was seen on the bus")
	}
	for len(seen) > 0 {
		if text := <-seen; strings.Contains(text, hidden) {
			t.Errorf("an operator sees the value: %s", text)
		}
	}
}

// Each refusal, with the code that says whether the agent may ask again.
func TestRefusedAnswers(t *testing.T) {
	w := newWorld(t)
	s := newSecrets(w.b, keysOf(t, w.line))
	set(t, s, "A", hidden)
	_, err := w.b.Apps.Create(t.Context(), "other", bus.App{Name: "other"})
	w.check(err)
	_, _, err = s.Set(t.Context(), "other", "A", hidden, "")
	w.check(err)

	running, waiting, ended, disturbed := w.submit(), w.submit(), w.submit(), w.submit()
	w.says(running, "a1", 1, subjects.Started, 0)
	w.says(ended, "a1", 1, subjects.Completed, w.says(ended, "a1", 1, subjects.Started, 0))
	// Another agent of the application pretends to have it.
	w.says(disturbed, "a2", 1, subjects.Started, w.says(disturbed, "a1", 1, subjects.Started, 0))

	valid := func(e *bus.Execution, change func(*subjects.SecretRequest)) *subjects.SecretRequest {
		_, r := w.requestOf(e, "A")
		if change != nil {
			change(r)
		}
		return r
	}
	for name, c := range map[string]struct {
		app, agent string
		r          any
		code       string
		names      []string
	}{
		"another agent":                    {"", "a2", valid(running, nil), subjects.SecretsRefused, nil},
		"an agent that only pretends":      {"", "a2", valid(disturbed, func(r *subjects.SecretRequest) { r.Handling = "h-a2" }), subjects.SecretsRefused, nil},
		"another application":              {"other", "a1", valid(running, nil), subjects.SecretsRefused, nil},
		"another job":                      {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.Job = "K" }), subjects.SecretsRefused, nil},
		"no such execution":                {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.ID = 1 << 40 }), subjects.SecretsRefused, nil},
		"another handling":                 {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.Handling = "x" }), subjects.SecretsRefused, nil},
		"the next attempt":                 {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.Attempt = 2 }), subjects.SecretsNotYet, nil},
		"an execution that is not claimed": {"", "a1", valid(waiting, nil), subjects.SecretsNotYet, nil},
		"an execution that has ended":      {"", "a1", valid(ended, nil), subjects.SecretsRefused, nil},
		"no JSON":                          {"", "a1", []byte("x"), subjects.SecretsInvalid, nil},
		"no names":                         {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.Names = nil }), subjects.SecretsInvalid, nil},
		"no public key":                    {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.PublicKey = nil }), subjects.SecretsInvalid, nil},
		"a public key of small order":      {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.PublicKey = make([]byte, 32) }), subjects.SecretsInvalid, nil},
		"too large":                        {"", "a1", bytes.Repeat([]byte(" "), 20<<10), subjects.SecretsInvalid, nil},
		"unknown names":                    {"", "a1", valid(running, func(r *subjects.SecretRequest) { r.Names = []string{"B", "A", "C"} }), subjects.SecretsUnknown, []string{"B", "C"}},
	} {
		t.Run(name, func(t *testing.T) {
			app := c.app
			if app == "" {
				app = bus.DefaultApp
			}
			ask := w.askUntilClaimed
			if c.code == subjects.SecretsNotYet {
				ask = w.ask
			}
			got := ask(app, c.agent, c.r)
			if got.Error == nil || got.Error.Code != c.code || !slices.Equal(got.Error.Names, c.names) || got.Error.Message == "" {
				t.Errorf("answered %+v, want %s %v", got.Error, c.code, c.names)
			}
		})
	}
	// The agent that really has it still gets it.
	if got := w.askUntilClaimed(bus.DefaultApp, "a1", valid(disturbed, nil)); got.Error != nil {
		t.Errorf("the agent whose execution another one disturbed got %+v", got.Error)
	}
	if strings.Contains(w.log.String(), hidden) {
		t.Error("the log shows a value")
	}
}

// A fenced attempt gets nothing, also while the record is behind the fence.
func TestAnswerAfterAFence(t *testing.T) {
	w := newWorld(t)
	set(t, newSecrets(w.b, keysOf(t, w.line)), "A", hidden)
	e := w.submit()
	last := w.says(e, "a1", 1, subjects.Started, 0)
	_, r := w.requestOf(e, "A")
	if got := w.askUntilClaimed(bus.DefaultApp, "a1", r); got.Error != nil {
		t.Fatalf("refused: %+v", got.Error)
	}
	_, err := w.b.PublishResult(t.Context(), &subjects.Result{ID: e.ID, App: e.App, Job: e.Job, Attempt: 1, BatchStatus: subjects.Unknown, Time: subjects.Now()}, last)
	w.check(err)
	if got := w.ask(bus.DefaultApp, "a1", r); got.Error == nil || got.Error.Code != subjects.SecretsRefused {
		t.Errorf("after the fence: %+v", got)
	}
}

// The bus answers to inboxes of the agent only: its answer to any other subject
// would be a message with all its rights.
func TestAnswerToOtherSubjects(t *testing.T) {
	w := newWorld(t)
	set(t, newSecrets(w.b, keysOf(t, w.line)), "A", hidden)
	e := w.submit()
	w.says(e, "a1", 1, subjects.Started, 0)
	_, r := w.requestOf(e, "A")
	data, err := json.Marshal(r)
	w.check(err)
	nc := bustest.Conn(t, w.srv)
	for _, reply := range []string{"$KV.jobstreamer_users.evil", "_INBOX.a2.x", "_INBOX.a10.x", "_INBOX.a1"} {
		sub, err := nc.SubscribeSync(reply)
		w.check(err)
		w.check(nc.PublishRequest(subjects.SecretSubject(bus.DefaultApp, "a1"), reply, data))
		w.check(nc.Flush())
		until := time.Now().Add(30 * time.Second)
		for !strings.Contains(w.log.String(), "reply="+reply+"\n") && time.Now().Before(until) {
			time.Sleep(time.Millisecond)
		}
		w.check(nc.Flush())
		if n, _, err := sub.Pending(); n != 0 || err != nil {
			t.Errorf("answered to %s: %d messages, %v", reply, n, err)
		}
	}
	w.check(nc.Publish(subjects.SecretSubject(bus.DefaultApp, "a1"), data)) // without a reply subject
	if got := w.askUntilClaimed(bus.DefaultApp, "a1", r); got.Error != nil {
		t.Errorf("afterwards: %+v", got.Error)
	}
}

// A value that was moved to another secret, or to another application, does not
// decrypt there. Nor does a changed one.
func TestMovedValue(t *testing.T) {
	w := newWorld(t)
	s := newSecrets(w.b, keysOf(t, w.line))
	set(t, s, "A", hidden)
	set(t, s, "B", "other")
	from, err := w.b.Secrets.Get(t.Context(), bus.SecretKey(bus.DefaultApp, "A"))
	w.check(err)
	changed := from.Value
	changed.Sealed = slices.Clone(changed.Sealed)
	changed.Sealed[len(changed.Sealed)-1] ^= 1
	to, err := w.b.Secrets.Get(t.Context(), bus.SecretKey(bus.DefaultApp, "B"))
	w.check(err)
	_, err = w.b.Secrets.Update(t.Context(), to.Key, from.Value, to.Revision)
	w.check(err)
	_, err = w.b.Secrets.Create(t.Context(), bus.SecretKey(bus.DefaultApp, "C"), changed)
	w.check(err)
	e := w.submit()
	w.says(e, "a1", 1, subjects.Started, 0)
	for _, name := range []string{"B", "C"} {
		_, r := w.requestOf(e, name)
		got := w.askUntilClaimed(bus.DefaultApp, "a1", r)
		if got.Error == nil || got.Error.Code != subjects.SecretsUnavailable || !strings.Contains(got.Error.Message, "set it again") {
			t.Errorf("%s: answered %+v", name, got.Error)
		}
	}
	key, r := w.requestOf(e, "A")
	if got := w.ask(bus.DefaultApp, "a1", r); got.Error != nil {
		t.Errorf("the secret itself: %+v", got.Error)
	} else if values, err := key.Open(r, got.Sealed); err != nil || values["A"] != hidden {
		t.Errorf("the secret itself: %q, %v", values, err)
	}
}

// A bus without the key says which secrets there are not, and lets the agent ask
// again for those that another bus may decrypt.
func TestAnswerWithoutTheKey(t *testing.T) {
	for name, keys := range map[string]string{"no key": "", "another key": newKeyLine()} {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, srv: bustest.Server(t), log: &logBuffer{}, line: newKeyLine()}
			w.b = bustest.Open(t, w.srv, bus.Config{})
			set(t, newSecrets(w.b, keysOf(t, w.line)), "A", hidden)
			n := w.startBus(keys)
			w.b, w.life = n.b, n.life
			j := bus.Job{App: bus.DefaultApp, Name: "J", Definition: []byte(`{"id":"J","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)}
			_, err := w.b.Jobs.Create(t.Context(), j.Key(), j)
			w.check(err)
			e := w.submit()
			w.says(e, "a1", 1, subjects.Started, 0)
			for secret, code := range map[string]string{"A": subjects.SecretsUnavailable, "B": subjects.SecretsUnknown} {
				_, r := w.requestOf(e, secret)
				if got := w.askUntilClaimed(bus.DefaultApp, "a1", r); got.Error == nil || got.Error.Code != code {
					t.Errorf("%s: answered %+v, want %s", secret, got.Error, code)
				}
			}
			if !strings.Contains(w.log.String(), "secrets of applications cannot be used") {
				t.Errorf("the log does not say so at the start: %s", w.log)
			}
		})
	}
}

// Of several buses, one answers a request.
func TestOneBusAnswers(t *testing.T) {
	w := newWorld(t)
	w.startBus(w.line)
	w.startBus(w.line)
	set(t, newSecrets(w.b, keysOf(t, w.line)), "A", hidden)
	e := w.submit()
	w.says(e, "a1", 1, subjects.Started, 0)
	const requests = 30
	for range requests {
		key, r := w.requestOf(e, "A")
		got := w.askUntilClaimed(bus.DefaultApp, "a1", r)
		if got.Error != nil {
			t.Fatalf("refused: %+v", got.Error)
		}
		if values, err := key.Open(r, got.Sealed); err != nil || values["A"] != hidden {
			t.Fatalf("opened %q, %v", values, err)
		}
	}
	if n := strings.Count(w.log.String(), "secrets given to an agent"); n != requests {
		t.Errorf("%d answers to %d requests", n, requests)
	}
}

// With a new first key, a bus encrypts again at its start what the old one has
// encrypted. Then the old key is not needed any more.
func TestNewKey(t *testing.T) {
	w := newWorld(t)
	s := newSecrets(w.b, keysOf(t, w.line))
	set(t, s, "A", hidden)
	set(t, s, "B", "other")
	was, err := s.List(t.Context(), bus.DefaultApp)
	w.check(err)
	line := newKeyLine()
	w.startBus(line + w.line)
	id := keysOf(t, line).ID()
	until := time.Now().Add(30 * time.Second)
	for {
		is, err := s.List(t.Context(), bus.DefaultApp)
		w.check(err)
		// A list may lack a secret that is being written.
		if len(is) == 2 && is[0].KeyID == id && is[1].KeyID == id {
			if is[0].UpdateTime != was[0].UpdateTime || is[0].SetBy != was[0].SetBy {
				t.Errorf("%+v became %+v", was[0], is[0])
			}
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the secrets are still %+v", is)
		}
	}
	_, _, err = newSecrets(w.b, keysOf(t, w.line)).Set(t.Context(), bus.DefaultApp, "C", hidden, "")
	wantCode(t, err, bus.CodeOtherSecretKey)
}

// The key is replaced also while there is no secret. Otherwise no secret could
// be set once the old key is removed.
func TestNewKeyWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	s := newSecrets(w.b, keysOf(t, w.line))
	set(t, s, "A", hidden)
	w.check(s.Delete(t.Context(), bus.DefaultApp, "A"))
	line := newKeyLine()
	w.startBus(line + w.line)
	for until := time.Now().Add(30 * time.Second); ; {
		mark, err := w.b.Secrets.Get(t.Context(), bus.SecretKeyMark)
		w.check(err)
		if mark.Value.KeyID == keysOf(t, line).ID() {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the old key is still the one that encrypts")
		}
	}
	set(t, newSecrets(w.b, keysOf(t, line)), "A", hidden)
}
