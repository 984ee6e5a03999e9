package agents_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

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
		if err := w.Block(t.Context(), "a1", true); !bus.HasCode(err, bus.CodeNoSuchAgent) {
			t.Errorf("Block of nobody = %v", err)
		}
		w.sendHeartbeat(subjects.AgentReady)
		for _, blocked := range []bool{true, false} {
			verb, before, after := subjects.DrainCommand, subjects.AgentReady, subjects.AgentBlocked
			if !blocked {
				verb, before, after = subjects.ResumeCommand, after, before
			}
			if err := w.Block(t.Context(), "a1", blocked); err != nil {
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
		if w.IsLost(1, 1) {
			t.Error("an attempt is lost although nothing was heard of it so far")
		}
		time.Sleep(5 * time.Second)
		if w.IsLost(1, 1) {
			t.Error("an attempt is lost before three intervals are over")
		}
		time.Sleep(2 * time.Second)
		if !w.IsLost(1, 1) {
			t.Error("an attempt that no heartbeat has named for three intervals is not lost")
		}
		if w.IsLost(1, 2) {
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
