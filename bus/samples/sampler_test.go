package samples

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// fakeAgents are agents with the loads that a test sets.
type fakeAgents struct {
	mu    sync.Mutex
	loads map[string]float64 // of the agents that are alive
	asked int
}

func (c *fakeAgents) setLoad(agent string, load float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loads[agent] = load
}

func (c *fakeAgents) removeAgent(agent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.loads, agent)
}

func (c *fakeAgents) List() (all []agents.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	for name, load := range c.loads {
		a := agents.Info{Alive: true}
		a.Heartbeat.Agent = name
		a.Stats.CPU.Process.Load = load
		all = append(all, a)
	}
	return append(all, agents.Info{}) // an agent that is gone, without a name
}

// node is a bus with a sampler.
type node struct {
	*testing.T
	b    *bus.Bus
	m    *Sampler
	stop func()
}

func openNode(t *testing.T, s *server.Server, agents Agents) *node {
	t.Helper()
	b := bustest.Open(t, s, bus.Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	return &node{T: t, b: b, m: New(b, agents)}
}

func runNode(t *testing.T, s *server.Server, agents Agents) *node {
	t.Helper()
	n := openNode(t, s, agents)
	n.stop = bustest.RunBackground(t, n.m.Run)
	return n
}

// readArchive returns an archive of agent a1.
func (n *node) readArchive(archive string) *bus.Samples {
	n.Helper()
	a, ok := ArchiveNamed(archive)
	if !ok {
		n.Fatalf("no archive %s", archive)
	}
	s, err := n.m.Samples(n.Context(), "a1", a)
	if err != nil {
		n.Fatal(err)
	}
	return &s
}

// checkArchive compares the end of an archive, from a step on, with want: the
// loads, with - for a gap.
func (n *node) checkArchive(archive, from string, want string) {
	n.Helper()
	s, got := n.readArchive(archive), ""
	for i := range s.Points {
		if v := s.Points[i][bus.ProcessLoad]; s.EndOf(i).Before(clockTime(from)) {
			continue
		} else if math.IsNaN(v) {
			got += " -"
		} else {
			got += fmt.Sprintf(" %.4g", v)
		}
	}
	if got != want {
		n.Errorf("%s from %s:%s, want%s", archive, from, got, want)
	}
}

// day is today by the real clock, outside the bubble: the server uses that
// clock to remove old values.
var day = time.Now().UTC().Truncate(24 * time.Hour)

// clockTime returns a time of that day, or of the next: 24:30.
func clockTime(s string) time.Time {
	var h, m int
	if _, err := fmt.Sscanf(s, "%d:%d", &h, &m); err != nil {
		panic(err)
	}
	return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
}

func sleepUntil(s string) { time.Sleep(time.Until(clockTime(s))) }

// sampleUntil samples as Run does, but without the lease: a day of renewals
// would be slow.
func (n *node) sampleUntil(until string) {
	n.Helper()
	for time.Now().Before(clockTime(until)) {
		if err := n.m.sampleAll(n.Context()); err != nil {
			n.Fatal(err)
		}
		time.Sleep(time.Minute)
	}
}

// A day of an agent: what is stored, and how another bus continues.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		agents := &fakeAgents{loads: map[string]float64{"a1": 0.25, "not a key": 1}}
		n := openNode(t, bustest.Server(t), agents)
		if got := n.readArchive("daily"); len(got.Points) != 0 {
			t.Errorf("before the first sample: %v", got)
		}
		time.Sleep(30 * time.Second) // no sample is at the edge of a step
		n.sampleUntil("06:02")
		n.checkArchive("daily", "05:50", " 0.25 0.25 0.25")
		n.checkArchive("weekly", "05:00", " 0.25 0.25 0.25 0.25 0.25")
		n.checkArchive("monthly", "05:00", " 0.25 0.25")
		n.checkArchive("yearly", "00:00", " 0.25")

		agents.setLoad("a1", 0.75)
		n.sampleUntil("06:07")
		n.checkArchive("daily", "06:05", " 0.55") // two of five at 0.25

		n.sampleUntil("07:00")
		agents.removeAgent("a1")
		n.sampleUntil("09:30")
		n.checkArchive("daily", "06:55", " 0.75 0.75")
		if len(n.m.pending) != 0 {
			t.Errorf("steps of agents that are gone: %v, want none", n.m.pending)
		}
		agents.setLoad("a1", 0.5)
		n.sampleUntil("10:31")
		n.m = New(n.b, agents) // another bus
		n.sampleUntil("12:03")
		n.checkArchive("daily", "11:45", " 0.5 0.5 0.5 0.5")
		n.checkArchive("monthly", "07:00", " 0.7333 - - 0.5 0.5 0.5")
		n.checkArchive("yearly", "06:00", " 0.25 0.5583") // the mean of the known hours

		n.sampleUntil("24:31")
		for _, c := range []struct {
			archive      string
			points, gaps int
			first        string
		}{
			{"daily", 24 * 12, 30, "00:35"}, // the first half hour is older than a day
			{"weekly", 24*4 + 2, 10, "00:15"},
			{"monthly", 24, 2, "01:00"},
			{"yearly", 4, 0, "06:00"},
		} {
			got, gaps := n.readArchive(c.archive), 0
			for _, p := range got.Points {
				if !p.Known() {
					gaps++
				}
			}
			if first := got.EndOf(0); len(got.Points) != c.points || gaps != c.gaps || first != clockTime(c.first) {
				t.Errorf("%s: %d points from %v with %d gaps, want %d from %s with %d", c.archive, len(got.Points), first, gaps, c.points, c.first, c.gaps)
			}
		}
	})
}

// Each archive is written once a step, by one of the buses. When that bus ends,
// the other one continues.
func TestOneBusWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		s := bustest.Server(t)
		one := runNode(t, s, &fakeAgents{loads: map[string]float64{"a1": 0.25}})
		time.Sleep(time.Second)
		other := &fakeAgents{loads: map[string]float64{"a1": 0.25}}
		two := runNode(t, s, other)
		sleepUntil("00:33")
		from := lastRevision(t, one.b)
		sleepUntil("01:33")
		// An hour: 12 steps of 5 min, 4 of 15 min, 1 of 1 h.
		if n := lastRevision(t, one.b) - from; n != 17 {
			t.Errorf("%d writes in an hour, want 17", n)
		}
		other.mu.Lock()
		if other.asked > 0 {
			t.Errorf("the bus without the lease took %d samples", other.asked)
		}
		other.mu.Unlock()
		one.stop()
		sleepUntil("01:46")
		two.checkArchive("daily", "01:20", " 0.25 0.25 0.25 0.25 0.25 0.25")
		two.checkArchive("weekly", "01:00", " 0.25 0.25 0.25 0.25")
		two.checkArchive("monthly", "00:00", " 0.25")
	})
}

// A bus that wrongly believes it holds the lease writes no step again.
func TestAStepIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		agents := &fakeAgents{loads: map[string]float64{"a1": 0.25}}
		n := openNode(t, bustest.Server(t), agents)
		n.sampleUntil("00:03")
		late := New(n.b, agents)
		agents.setLoad("a1", 0.75)
		for range 4 {
			for _, m := range []*Sampler{n.m, late} {
				if err := m.sampleAll(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
		n.checkArchive("daily", "00:00", " 0.45") // three of five at 0.25
		if r := lastRevision(t, n.b); r != 1 {
			t.Errorf("%d writes of a step, want 1", r)
		}
	})
}

// A bus dies after it has written the finer archive and before the coarser one.
func TestDeathBetweenArchives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		agents := &fakeAgents{loads: map[string]float64{"a1": 0.25}}
		n := openNode(t, bustest.Server(t), agents)
		n.sampleUntil("00:17")
		e, err := n.b.Samples.Get(t.Context(), "a1.weekly")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.b.Samples.Delete(t.Context(), e.Key, e.Revision); err != nil {
			t.Fatal(err)
		}
		n.m = New(n.b, agents) // another bus
		n.sampleUntil("00:22")
		n.checkArchive("weekly", "00:00", " 0.25")
	})
}

// lastRevision returns the revision of the newest write to the bucket.
func lastRevision(t *testing.T, b *bus.Bus) uint64 {
	t.Helper()
	s, err := b.Samples.KV().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := b.JS.Stream(t.Context(), jetio.BucketStream(s.Bucket()))
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.LastSeq
}

// A step in the future, from a wrong clock, does not block new steps.
func TestAClockThatWasWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		s := bustest.Server(t)
		agents := &fakeAgents{loads: map[string]float64{"a1": 0.25}}
		one := runNode(t, s, agents)
		wrong := parseSamples(t, 5*time.Minute, "10:15: 1 2 3")
		wrong.End = subjects.TimeOf(day.AddDate(1, 0, 0))
		if _, err := one.b.Samples.Create(t.Context(), "a1.daily", *wrong); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		if got := one.readArchive("daily"); len(got.Points) != 1 || got.Points[0][bus.ProcessLoad] != 0.25 {
			t.Errorf("%v, want the current step", got)
		}
	})
}

// Steps that could not be written are written later.
func TestBrokerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		s := bustest.Server(t)
		agents := &fakeAgents{loads: map[string]float64{"a1": 0.25}}
		n := openNode(t, s, agents)
		n.b.NC.Close()
		for range 11 {
			_ = n.m.sampleAll(t.Context()) // it fails
			time.Sleep(time.Minute)
		}
		if over := len(n.m.pending["a1"].finished); over != 2 {
			t.Fatalf("%d steps wait, want 2", over)
		}
		n.b = bustest.Open(t, s, bus.Config{})
		n.m.bus = n.b // NATS is back
		if err := n.m.sampleAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.checkArchive("daily", "00:00", " 0.25 0.25")
	})
}

// The values of an agent's heartbeats end up in the archive.
func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil("00:00")
		s := bustest.Server(t)
		b := bustest.Open(t, s, bus.Config{})
		x := index.New(b)
		registry := agents.New(b, x, agents.Config{})
		bustest.RunBackground(t, x.Run)
		bustest.RunBackground(t, registry.Run)
		n := runNode(t, s, registry)
		h := subjects.Heartbeat{Agent: "a1", Life: "1", Status: subjects.AgentReady, IntervalMS: 2000, Apps: []string{}, Pools: []string{}}
		h.Stats.Memory.Physical = subjects.Memory{Free: 3 << 30, Total: 4 << 30}
		h.Stats.CPU.System.Load = 0.5
		data, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		for range 6 * 30 { // six minutes
			if err := b.NC.Publish(subjects.HeartbeatSubject("a1"), data); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		got := n.readArchive("daily")
		if want := (bus.Sample{0, 0.5, 3 << 10, 0}); len(got.Points) != 1 || got.Points[0] != want {
			t.Errorf("%v, want %v", got.Points, want)
		}
		time.Sleep(time.Hour)
		if got := n.readArchive("daily"); len(got.Points) != 2 {
			t.Errorf("%d steps of an agent that was silent after six minutes", len(got.Points))
		}
	})
}

// The broker removes an archive that was not written for a year, by its clock.
func TestGoneForAYear(t *testing.T) {
	for _, c := range []struct {
		name string
		days int
		kept bool
	}{
		{"gone for ten months", 300, true},
		{"gone for more than a year", 367, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(day.AddDate(0, 0, -c.days)))
				s := bustest.Server(t)
				b := bustest.Open(t, s, bus.Config{})
				if _, err := b.Samples.Create(t.Context(), "a1.yearly", bus.Samples{Step: 1, Points: make(bus.Points, 1)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if got := openNode(t, s, nil).readArchive("yearly"); len(got.Points) == 1 != c.kept {
					t.Errorf("kept: %v, want %v", !c.kept, c.kept)
				}
			})
		})
	}
}
