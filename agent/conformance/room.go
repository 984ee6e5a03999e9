package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	deadline = 30 * time.Second       // of a wait; a fault alone reaches it
	pause    = 10 * time.Millisecond  // between two looks
	often    = 500 * time.Millisecond // heartbeat interval of most tests
	seldom   = 4 * time.Second        // where an agent is cut off for a while and may not take it for a loss
)

// broker is the one that all rooms share.
type broker struct {
	addr  string
	nc    *nats.Conn
	js    jetstream.JetStream
	rooms atomic.Int64
	ids   atomic.Int64 // execution ids are unique in the whole system
}

// newBroker starts a broker with a user for each agent that may connect, who may do what the contract says an agent does.
func newBroker(t *testing.T, rooms int) *broker {
	t.Helper()
	users := []*server.User{{Username: "bus", Password: secret}}
	for n := range rooms {
		app, agent := roomNames(n + 1)
		users = append(users, confined(app, agent), confined(app, agent+"-b"))
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, Users: users,
	})
	if err != nil {
		t.Fatalf("broker: %v", err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(deadline) {
		t.Fatal("broker: not ready")
	}
	b := &broker{addr: s.Addr().String()}
	if b.nc, err = nats.Connect("", nats.InProcessServer(s), nats.UserInfo("bus", secret)); err != nil {
		t.Fatalf("broker: %v", err)
	}
	t.Cleanup(b.nc.Close)
	if b.js, err = jetstream.New(b.nc); err != nil {
		t.Fatalf("broker: %v", err)
	}
	for name, all := range map[string]string{subjects.ResultsStream: subjects.AllResults, subjects.LogsStream: subjects.AllLogs} {
		config := jetstream.StreamConfig{Name: name, Subjects: []string{all}, AllowDirect: true}
		if _, err := b.js.CreateStream(t.Context(), config); err != nil {
			t.Fatalf("stream %s: %v", name, err)
		}
	}
	return b
}

// secret is the password of all users.
const secret = "secret"

// confined is the user of an agent of one application, with the permissions of the contract.
func confined(app, agent string) *server.User {
	stream := subjects.RequestStream(app)
	return &server.User{Username: agent, Password: secret, Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"jobstreamer.result." + app + ".*.*." + agent, "jobstreamer.log." + app + ".*.*." + agent,
			"jobstreamer.heartbeat." + agent, "jobstreamer.command." + agent + ".ping",
			"$JS.API.CONSUMER.MSG.NEXT." + stream + ".*", "$JS.ACK." + stream + ".>",
			"$JS.API.DIRECT.GET." + subjects.ResultsStream + ".jobstreamer.result." + app + ".>",
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{
			"jobstreamer.command." + agent + ".*", "jobstreamer.heartbeat." + agent, "_INBOX.>",
		}},
		Response: &server.ResponsePermission{MaxMsgs: 1, Expires: time.Minute},
	}}
}

// roomNames are the application and the agent of the nth room.
func roomNames(n int) (app, agent string) {
	return fmt.Sprintf("app-%d", n), fmt.Sprintf("agent-%d", n)
}

// room is the place of one test: an application and an agent that no other test knows. The methods play the bus.
type room struct {
	*testing.T
	*broker
	start   func(t *testing.T, o Options) *Process
	options Options // of the agent
	proxy   *proxy  // what the agent connects to
	app     string
	dir     string // of the evidence

	mu        sync.Mutex
	beats     []subjects.Heartbeat
	published []subjects.Result // by agents, whether stored or refused
}

func newRoom(t *testing.T, b *broker, start func(t *testing.T, o Options) *Process) *room {
	t.Helper()
	app, agent := roomNames(int(b.rooms.Add(1)))
	r := &room{T: t, broker: b, start: start, proxy: newProxy(t, b.addr), app: app, dir: t.TempDir()}
	r.options = Options{
		Name: agent, Apps: []string{r.app}, Pools: []string{subjects.DefaultPool},
		Slots: 4, Data: filepath.Join(r.dir, "agent"), Heartbeat: often,
	}
	r.queue(30 * time.Second)
	r.listen(subjects.AllHeartbeats, func(m *nats.Msg) {
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
	r.listen("jobstreamer.result."+r.app+".>", func(m *nats.Msg) {
		var res subjects.Result
		if json.Unmarshal(m.Data, &res) == nil && !strings.HasSuffix(m.Subject, "."+subjects.Bus) {
			r.mu.Lock()
			r.published = append(r.published, res)
			r.mu.Unlock()
		}
	})
	t.Cleanup(r.clear)
	return r
}

// queue makes the application's work queue. The contract wants an AckWait of 30 s, which a test may shorten: an agent does not see it.
func (r *room) queue(ackWait time.Duration) {
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

func (r *room) listen(subject string, f func(m *nats.Msg)) {
	r.Helper()
	sub, err := r.nc.Subscribe(subject, f)
	if err != nil {
		r.Fatalf("subscribe: %v", err)
	}
	r.Cleanup(func() { _ = sub.Unsubscribe() })
}

// clear ends what jobs a killed agent left: they wrote their process ids down.
func (r *room) clear() {
	for _, line := range r.evidence() {
		if pid := pidOf(line); alive(pid) {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}

// agent starts the agent of the room and waits for its first heartbeat.
func (r *room) agent() *Process {
	r.Helper()
	before := len(r.heard())
	p := r.run(r.options)
	r.await("the first heartbeat", func() bool { return len(r.heard()) > before })
	return p
}

// run starts an agent, and does not wait.
func (r *room) run(o Options) *Process {
	r.Helper()
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		r.Fatal(err)
	}
	o.URL = "nats://" + o.Name + ":" + secret + "@" + r.proxy.listener.Addr().String()
	return r.start(r.T, o)
}

// await waits until what is true.
func (r *room) await(what string, is func() bool) {
	r.Helper()
	r.awaitFor(deadline, what, is)
}

func (r *room) awaitFor(long time.Duration, what string, is func() bool) {
	r.Helper()
	for end := time.Now().Add(long); !is(); time.Sleep(pause) {
		if time.Now().After(end) {
			r.Fatalf("waited %v in vain for %s\n%s", long, what, r.state())
		}
	}
}

// state is what one wants to see of a test that failed.
func (r *room) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "evidence: %q\n", r.evidence())
	for _, s := range r.stored("jobstreamer.result." + r.app + ".>") {
		fmt.Fprintf(&b, "result %d: expects %s %s\n", s.seq, s.header.Get(subjects.ExpectedSequenceHeader), s.data)
	}
	if all := r.heard(); len(all) > 0 {
		last, _ := json.Marshal(all[len(all)-1])
		fmt.Fprintf(&b, "heartbeat %d: %s\n", len(all), last)
	}
	return b.String()
}

// Jobs

// say is a command that leaves a line of evidence: the word and the id of the process.
func (r *room) say(word string) string {
	return fmt.Sprintf(`echo "%s $$" >> '%s'`, word, filepath.Join(r.dir, "evidence"))
}

// sayAndWait is a command that says the word and then lasts until the file of that name is there.
func (r *room) sayAndWait(word, file string) string {
	return fmt.Sprintf(`%s; while [ ! -e '%s' ]; do sleep 0.02; done`, r.say(word), filepath.Join(r.dir, file))
}

// letGo makes the file that a command waits for.
func (r *room) letGo(file string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, file), nil, 0o600); err != nil {
		r.Fatal(err)
	}
}

// evidence is what the jobs said so far.
func (r *room) evidence() []string {
	b, _ := os.ReadFile(filepath.Join(r.dir, "evidence"))
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// said is how often a word was said.
func (r *room) said(word string) int {
	n := 0
	for _, line := range r.evidence() {
		if w, _, _ := strings.Cut(line, " "); w == word {
			n++
		}
	}
	return n
}

// body waits until a word was said, and returns the process that said it.
func (r *room) body(word string) (pid int) {
	r.Helper()
	r.await("the body that says "+word, func() bool { return r.said(word) > 0 })
	for _, line := range r.evidence() {
		if w, _, _ := strings.Cut(line, " "); w == word {
			pid = pidOf(line)
		}
	}
	return pid
}

func pidOf(line string) int {
	_, text, _ := strings.Cut(line, " ")
	pid, _ := strconv.Atoi(text)
	return pid
}

// alive says whether a process runs. One that has ended and was not waited for by its parent does not.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release() //nolint:errcheck // there is nothing to do about it
	if p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // not Linux, or it has ended just now
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// job is the definition of a job with one step a command: step-1, step-2 ...
func job(commands ...string) json.RawMessage {
	var steps []map[string]any
	for i, command := range commands {
		step := map[string]any{"id": fmt.Sprintf("step-%d", i+1), "batchlet": map[string]any{
			"ref": "org.jobstreamer.batch.ShellBatchlet", "properties": map[string]string{"command": command},
		}}
		if i+1 < len(commands) {
			step["next"] = fmt.Sprintf("step-%d", i+2)
		}
		steps = append(steps, step)
	}
	b, err := json.Marshal(map[string]any{"id": "job", "steps": steps})
	if err != nil {
		panic(err) // strings alone
	}
	return b
}

// request makes the first request of a new execution.
func (r *room) request(definition json.RawMessage) *subjects.Request {
	id := r.ids.Add(1)
	return &subjects.Request{
		Execution: subjects.Execution{
			ID: id, InstanceID: id, App: r.app, Job: "job", BatchStatus: subjects.Undispatched, Pool: subjects.DefaultPool,
			Priority: subjects.Normal, CreateTime: subjects.Now(), UpdateTime: subjects.Now(),
		},
		Attempt: 1, Definition: definition, Time: subjects.Now(),
	}
}

// submit requests a new execution of the commands, and returns its id.
func (r *room) submit(commands ...string) int64 {
	r.Helper()
	req := r.request(job(commands...))
	r.send(req)
	return req.Execution.ID
}

// send puts a request into the queue.
func (r *room) send(req *subjects.Request) {
	r.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		r.Fatal(err)
	}
	r.sendRaw(req, b)
}

func (r *room) sendRaw(req *subjects.Request, b []byte) {
	r.Helper()
	subject := subjects.RequestSubject(r.app, req.Execution.Pool, req.Execution.Priority, req.Execution.ID)
	if _, err := r.js.Publish(r.Context(), subject, b); err != nil {
		r.Fatalf("publish the request: %v", err)
	}
}

// awaitEmptyQueue waits until each request was acknowledged.
func (r *room) awaitEmptyQueue() {
	r.Helper()
	stream, err := r.js.Stream(r.Context(), subjects.RequestStream(r.app))
	if err != nil {
		r.Fatal(err)
	}
	r.await("the acknowledgement of every request", func() bool {
		info, err := stream.Info(r.Context())
		return err == nil && info.State.Msgs == 0
	})
}

// Results

// stored is one message of a stream.
type stored struct {
	seq     uint64
	subject string
	header  nats.Header
	data    []byte
	subjects.Result
}

// stored reads what is stored under a filter now.
func (r *room) stored(filter string) []stored {
	ctx, cancel := context.WithTimeout(context.Background(), deadline) // is called at the end of a test as well
	defer cancel()
	name := subjects.ResultsStream
	if strings.HasPrefix(filter, "jobstreamer.log.") {
		name = subjects.LogsStream
	}
	stream, err := r.js.Stream(ctx, name)
	if err != nil {
		return nil
	}
	var all []stored
	for seq := uint64(1); ; seq++ {
		m, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(filter))
		if err != nil {
			return all
		}
		s := stored{seq: m.Sequence, subject: m.Subject, header: m.Header, data: m.Data}
		_ = json.Unmarshal(m.Data, &s.Result)
		all, seq = append(all, s), m.Sequence
	}
}

// results are the results of an execution.
func (r *room) results(id int64) []stored { return r.stored(subjects.ResultFilter(r.app, "job", id)) }

// awaitResult waits for a result with the status and returns the first.
func (r *room) awaitResult(id int64, status subjects.BatchStatus) stored {
	r.Helper()
	var found stored
	r.await(fmt.Sprintf("the result %s of execution %d", status, id), func() bool {
		all := r.results(id)
		i := slices.IndexFunc(all, func(s stored) bool { return s.BatchStatus == status })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// end waits for the end of an execution that runs to its end in one attempt of one agent, and judges all its results.
func (r *room) end(id int64, status subjects.BatchStatus) stored {
	r.Helper()
	end := r.awaitResult(id, status)
	r.settled(id)
	all := r.results(id)
	for i, s := range all {
		if s.BatchStatus.Ended() != (i == len(all)-1) {
			r.Errorf("result %d of %d is %s: want one end, as the last\n%s", i+1, len(all), s.BatchStatus, r.state())
		}
	}
	r.checkChain(all)
	return end
}

// checkChain judges the results of one attempt: each expects the one before it, in the words of the contract.
func (r *room) checkChain(all []stored) {
	r.Helper()
	for i, s := range all {
		if i > 0 {
			if got, want := s.header.Get(subjects.ExpectedSequenceHeader), strconv.FormatUint(all[i-1].seq, 10); got != want {
				r.Errorf("result %d expects sequence %s, want %s", i+1, got, want)
			}
			if s.Handling != all[0].Handling {
				r.Errorf("result %d is of handling %s, the claim of %s", i+1, s.Handling, all[0].Handling)
			}
			if s.Number <= all[i-1].Number {
				r.Errorf("result %d has number %d after %d", i+1, s.Number, all[i-1].Number)
			}
			if s.Execution != nil {
				r.Errorf("result %d carries the execution: a claim alone does", i+1)
			}
		}
		if got, want := s.header.Get(subjects.ExpectedFilterHeader), subjects.ResultFilter(r.app, "job", s.ID); got != want {
			r.Errorf("result %d expects by filter %q, want %q", i+1, got, want)
		}
		if id := s.header.Get(nats.MsgIdHdr); id != "" {
			r.Errorf("result %d has a %s: a repeat would be answered as a duplicate behind a fence", i+1, nats.MsgIdHdr)
		}
		if want := subjects.ResultSubject(r.app, "job", s.ID, s.Agent); s.subject != want || s.App != r.app || s.Job != "job" {
			r.Errorf("result %d is at %s, of %s.%s by %s", i+1, s.subject, s.App, s.Job, s.Agent)
		}
		if s.Handling == "" || s.Number < 1 || s.Attempt < 1 || s.Time.IsZero() {
			r.Errorf("result %d lacks its handling, number, attempt or time: %s", i+1, s.data)
		}
	}
}

// fence publishes a result as the bus, after whatever is the last one.
func (r *room) fence(id int64, attempt int, status subjects.BatchStatus) (seq uint64) {
	r.Helper()
	r.await("a fence", func() bool {
		last := uint64(0)
		if all := r.results(id); len(all) > 0 {
			last = all[len(all)-1].seq
		}
		res := subjects.Result{
			ID: id, App: r.app, Job: "job", Attempt: attempt, BatchStatus: status, Agent: subjects.Bus,
			Handling: "bus-" + strconv.FormatUint(last, 10), Number: 1, Time: subjects.Now(),
		}
		ack, err := r.publishResult(res, last)
		if err == nil {
			seq = ack.Sequence
		}
		return err == nil
	})
	return seq
}

// publishResult publishes a result of res.Agent that expects a sequence.
func (r *room) publishResult(res subjects.Result, expected uint64) (*jetstream.PubAck, error) {
	b, err := json.Marshal(res)
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(subjects.ResultSubject(r.app, res.Job, res.ID, res.Agent))
	m.Data = b
	m.Header.Set(subjects.ExpectedSequenceHeader, strconv.FormatUint(expected, 10))
	m.Header.Set(subjects.ExpectedFilterHeader, subjects.ResultFilter(r.app, res.Job, res.ID))
	return r.js.PublishMsg(r.Context(), m)
}

// attempts of publishing: what agents sent, whether it was stored or refused.
func (r *room) sent() []subjects.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.published)
}

// Heartbeats and commands

func (r *room) heard() []subjects.Heartbeat {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.beats)
}

// awaitBeat waits for a heartbeat that comes from now on and is as wanted.
func (r *room) awaitBeat(what string, is func(h subjects.Heartbeat) bool) (found subjects.Heartbeat) {
	r.Helper()
	from := len(r.heard())
	r.await("a heartbeat "+what, func() bool {
		all := r.heard()[from:]
		i := slices.IndexFunc(all, is)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

func names(h subjects.Heartbeat, id int64) bool {
	return slices.ContainsFunc(h.Executions, func(a subjects.Attempt) bool { return a.ID == id })
}

// settled waits until heartbeats do not name the execution any more.
func (r *room) settled(id int64) {
	r.Helper()
	r.awaitBeat(fmt.Sprintf("without execution %d", id), func(h subjects.Heartbeat) bool { return !names(h, id) })
}

// command sends a command to the agent of the room.
func (r *room) command(verb string, id int64, attempt int) subjects.CommandReply {
	r.Helper()
	body, _ := json.Marshal(subjects.Command{ID: id, Attempt: attempt})
	m, err := r.nc.Request(subjects.CommandSubject(r.options.Name, verb), body, deadline)
	if err != nil {
		r.Fatalf("command %s: %v", verb, err)
	}
	var reply subjects.CommandReply
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		r.Fatalf("command %s is answered %q: %v", verb, m.Data, err)
	}
	return reply
}
