package agents_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// world is a registry on a bus, and an agent that the test plays.
type world struct {
	*testing.T
	*agents.Registry
	b        *bus.Bus
	commands []string // that the agent has received and not answered
}

func newWorld(t *testing.T) *world {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	x := index.New(b)
	w := &world{T: t, b: b, Registry: agents.New(b, x, agents.Config{})}
	bustest.RunBackground(w, x.Run)
	bustest.RunBackground(w, w.Registry.Run)
	if _, err := b.NC.Subscribe(subjects.CommandSubject("a1", "*"), func(m *nats.Msg) {
		w.commands = append(w.commands, m.Subject[strings.LastIndex(m.Subject, ".")+1:])
		_ = m.Respond([]byte("{}"))
	}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return w
}

// sendHeartbeat sends a heartbeat of a1 and waits until it is handled.
func (w *world) sendHeartbeat(status string) {
	w.Helper()
	data, err := json.Marshal(subjects.Heartbeat{Agent: "a1", Life: "1", Status: status, IntervalMS: 2000, Apps: []string{"default"}, Pools: []string{"fast"}})
	if err == nil {
		err = w.b.NC.Publish(subjects.HeartbeatSubject("a1"), data)
	}
	if err != nil {
		w.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

func (w *world) wantState(want string) {
	w.Helper()
	info, ok := w.Find("a1")
	if !ok || info.State() != want {
		w.Errorf("agent found: %v, its state %q, want %q", ok, info.State(), want)
	}
}

// takeCommands returns the commands since the last call.
func (w *world) takeCommands() string {
	all := strings.Join(w.commands, " ")
	w.commands = nil
	return all
}

func TestLifeOfAnAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, ok := w.Find("a1"); ok || len(w.List()) != 0 {
			t.Error("there is an agent before the first heartbeat")
		}
		w.sendHeartbeat(subjects.AgentReady)
		w.wantState(subjects.AgentReady)
		if info, ok := w.Find(agents.InstanceID("a1")); !ok || info.Heartbeat.Agent != "a1" || !info.Alive {
			t.Errorf("found by its id: %+v, %v", info, ok)
		}
		if _, err := w.b.JS.Consumer(t.Context(), subjects.RequestStream("default"), subjects.RequestConsumer("fast", "normal")); err != nil {
			t.Errorf("the queue of its pool: %v", err)
		}
		if e, err := w.b.Agents.Get(t.Context(), "a1"); err != nil || e.Value.InstanceID != agents.InstanceID("a1") {
			t.Errorf("it is registered as %+v, %v", e.Value, err)
		}
		time.Sleep(4 * time.Second)
		w.wantState(subjects.AgentReady)
		time.Sleep(4 * time.Second)
		w.wantState(agents.Lost)
		w.sendHeartbeat(subjects.AgentReady)
		w.wantState(subjects.AgentReady)
		w.sendHeartbeat(subjects.AgentGone)
		w.wantState(subjects.AgentGone)
	})
}

// A command goes out again while heartbeats show that it was not carried out.
func TestBlockIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := w.Block(t.Context(), "a1", true, "ann"); !bus.HasCode(err, bus.CodeNoSuchAgent) {
			t.Errorf("Block of nobody = %v", err)
		}
		w.sendHeartbeat(subjects.AgentReady)
		for _, blocked := range []bool{true, false} {
			verb, before, after := subjects.DrainCommand, subjects.AgentReady, subjects.AgentBlocked
			if !blocked {
				verb, before, after = subjects.ResumeCommand, after, before
			}
			if err := w.Block(t.Context(), "a1", blocked, "ann"); err != nil {
				t.Fatal(err)
			}
			w.wantState(after)
			if got := w.takeCommands(); got != verb {
				t.Errorf("commands %q, want %q", got, verb)
			}
			w.sendHeartbeat(before) // the command got lost
			if got := w.takeCommands(); got != verb {
				t.Errorf("commands after a heartbeat that is %s: %q, want %q", before, got, verb)
			}
			w.sendHeartbeat(after)
			if got := w.takeCommands(); got != "" {
				t.Errorf("commands after a heartbeat that is %s: %q, want none", after, got)
			}
			w.wantState(after)
		}
	})
}

func TestIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(time.Minute)
		if w.IsLost("a1", 1, 1) {
			t.Error("an attempt is lost although nothing was heard of it so far")
		}
		time.Sleep(5 * time.Second)
		if w.IsLost("a1", 1, 1) {
			t.Error("an attempt is lost before three intervals are over")
		}
		time.Sleep(2 * time.Second)
		if !w.IsLost("a1", 1, 1) {
			t.Error("an attempt that no heartbeat has named for three intervals is not lost")
		}
		if w.IsLost("a1", 1, 2) {
			t.Error("the next attempt is lost as well")
		}
	})
}

func TestInstanceID(t *testing.T) {
	// The id is stored, and part of clients' bookmarks.
	if got, want := agents.InstanceID("a1"), "b90bec3d-8b23-51f1-9f7c-30fb30adfbbf"; got != want {
		t.Errorf("InstanceID = %s, want %s", got, want)
	}
}

// sendBeat sends a heartbeat and waits until it is handled.
func (w *world) sendBeat(h subjects.Heartbeat, reply string) {
	w.Helper()
	data, err := json.Marshal(h)
	if err == nil {
		err = w.b.NC.PublishMsg(&nats.Msg{Subject: subjects.HeartbeatSubject(h.Agent), Reply: reply, Data: data})
	}
	if err != nil {
		w.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// The bus answers with its own rights, so only to an inbox of the agent.
func TestRepliesOfHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.b.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: "VICTIM", Subjects: []string{"victim"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.b.JS.Publish(t.Context(), "victim", nil); err != nil {
			t.Fatal(err)
		}
		for reply, want := range map[string]int{
			"$JS.API.STREAM.PURGE.VICTIM": 0, "_INBOX.other.1": 0, "_INBOX.a1": 0, "_INBOX.a1.1": 1,
		} {
			answers := 0
			sub, err := w.b.NC.Subscribe(reply, func(*nats.Msg) { answers++ })
			if err != nil {
				t.Fatal(err)
			}
			w.sendBeat(subjects.Heartbeat{Agent: "a1", Life: "1", Status: subjects.AgentReady, IntervalMS: 2000}, reply)
			if answers != want {
				t.Errorf("%d answers to %s, want %d", answers, reply, want)
			}
			_ = sub.Unsubscribe()
		}
		s, err := w.b.JS.Stream(t.Context(), "VICTIM")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().State.Msgs; got != 1 {
			t.Errorf("the stream has %d messages, want 1", got)
		}
	})
}

// An agent keeps alive what it has claimed itself, by its own interval.
func TestAnAgentSpeaksForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := bus.Execution{Execution: subjects.Execution{ID: 1, App: "default", Job: "J", BatchStatus: subjects.Started, Agent: "a1", Attempt: 1}}
		if _, err := w.b.Executions.Create(t.Context(), e.Key(), e); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		named := []subjects.Attempt{{ID: 1, Attempt: 1}}
		w.sendBeat(subjects.Heartbeat{Agent: "a1", Life: "1", Status: subjects.AgentReady, IntervalMS: 2000, Executions: named}, "")
		lost := false
		for range 8 {
			w.sendBeat(subjects.Heartbeat{Agent: "a2", Life: "1", Status: subjects.AgentReady, IntervalMS: 60_000, Executions: named}, "")
			lost = w.IsLost("a1", 1, 1)
			time.Sleep(time.Second)
		}
		if !lost {
			t.Error("the heartbeats of another agent keep an execution alive")
		}
		w.sendBeat(subjects.Heartbeat{Agent: "a1", Life: "1", Status: subjects.AgentReady, IntervalMS: 10_000, Executions: named}, "")
		time.Sleep(25 * time.Second)
		if w.IsLost("a1", 1, 1) {
			t.Error("an agent with an interval of 10 s is lost after 25 s")
		}
	})
}

func TestPoolsOfStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var pools []string
		for n := range 200 {
			pools = append(pools, "p"+strconv.Itoa(n))
		}
		pools = append(pools, "not a name", "a.b", "")
		w.sendBeat(subjects.Heartbeat{Agent: "a1", Life: "1", Status: subjects.AgentReady, Apps: []string{"nobody", "default"}, Pools: pools}, "")
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := w.b.JS.Stream(t.Context(), subjects.RequestStream("nobody")); err == nil {
			t.Error("a heartbeat creates the queue of an application that does not exist")
		}
		s, err := w.b.JS.Stream(t.Context(), subjects.RequestStream("default"))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().State.Consumers; got != 64*3 {
			t.Errorf("a heartbeat with 203 pools creates %d consumers, want %d", got, 64*3)
		}
	})
}

// An agent that answers no command does not delay what the bus knows of others.
// It receives the commands, so that the bus waits for each answer.
func TestAnAgentThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var named []subjects.Attempt
		for id := range int64(50) {
			e := bus.Execution{Execution: subjects.Execution{ID: id + 1, App: "default", Job: "J", BatchStatus: subjects.Started, Agent: "a2", Attempt: 2}}
			if _, err := w.b.Executions.Create(t.Context(), e.Key(), e); err != nil {
				t.Fatal(err)
			}
			named = append(named, subjects.Attempt{ID: id + 1, Attempt: 1}) // to be dropped
		}
		dropped := 0
		if _, err := w.b.NC.Subscribe(subjects.CommandSubject("a2", "*"), func(*nats.Msg) { dropped++ }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.sendBeat(subjects.Heartbeat{Agent: "a2", Life: "1", Status: subjects.AgentReady, IntervalMS: 2000, Executions: named}, "")
		w.sendBeat(subjects.Heartbeat{Agent: "a1", Life: "1", Status: subjects.AgentReady, IntervalMS: 2000}, "")
		if info, ok := w.Find("a1"); !ok || info.State() != subjects.AgentReady {
			t.Errorf("another agent is known: %v, as %q", ok, info.State())
		}
		if dropped == 0 {
			t.Error("no command arrived")
		}
	})
}

// No agent can have the name of the bus.
func TestAnAgentNamedLikeTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.sendBeat(subjects.Heartbeat{Agent: subjects.Bus, Life: "1", Status: subjects.AgentReady, IntervalMS: 2000}, "")
		if _, ok := w.Find(subjects.Bus); ok {
			t.Error("there is an agent with the name of the bus")
		}
	})
}

func TestBlockSaysSinceWhenAndByWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.sendHeartbeat(subjects.AgentReady)
		describe := func(want string) {
			t.Helper()
			if a, _ := w.Find("a1"); a.Describe() != want {
				t.Errorf("the agent is %s, want %s", a.Describe(), want)
			}
		}
		block := func(blocked bool, by string) {
			t.Helper()
			if err := w.Block(t.Context(), "a1", blocked, by); err != nil {
				t.Fatal(err)
			}
		}
		since := "blocked since " + time.Now().UTC().Format("2006-01-02 15:04:05 MST")
		block(true, "ann")
		describe(since + " by ann")
		time.Sleep(time.Minute)
		block(true, "bob") // it is blocked already
		w.sendHeartbeat(subjects.AgentBlocked)
		describe(since + " by ann")
		e, err := w.b.Agents.Get(t.Context(), "a1")
		if err != nil || e.Value.Block == nil || e.Value.Block.By != "ann" {
			t.Errorf("stored %+v, %v", e.Value.Block, err)
		}
		block(false, "bob")
		w.sendHeartbeat(subjects.AgentReady)
		describe("ready")
		e, err = w.b.Agents.Get(t.Context(), "a1")
		if err != nil || e.Value.Block != nil {
			t.Errorf("stored %+v, %v", e.Value.Block, err)
		}
	})
}
