package agent_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// queuedRequests returns the number of requests in the queue.
func queuedRequests(t *testing.T, room *agenttest.Room) uint64 {
	t.Helper()
	s, err := room.JS.Stream(context.Background(), subjects.RequestStream(agenttest.App))
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestClaim(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*agenttest.Room, *subjects.Request) // before the agent starts
		results string
		left    uint64 // requests in the queue
	}{
		{"a new execution", func(r *agenttest.Room, q *subjects.Request) { r.Submit(q) },
			"started completed", 0},
		{"a request that came twice", func(r *agenttest.Room, q *subjects.Request) { r.Submit(q); r.Submit(q) },
			"started completed", 0},
		{"stopped before anybody claimed it", func(r *agenttest.Room, q *subjects.Request) { r.Submit(q); r.PublishAsBus(1, 0, subjects.Stopped) },
			"stopped", 0},
		{"a second attempt", func(r *agenttest.Room, q *subjects.Request) {
			q.Attempt, q.ExpectedSequence = 2, r.PublishAsBus(1, 1, subjects.Unknown)
			r.Submit(q)
		}, "unknown started completed", 0},
		{"a second attempt that came too late", func(r *agenttest.Room, q *subjects.Request) {
			q.Attempt, q.ExpectedSequence = 2, r.PublishAsBus(1, 1, subjects.Unknown)
			r.PublishAsBus(1, 1, subjects.Failed)
			r.Submit(q)
		}, "unknown failed", 0},
		{"a request that cannot be read is left to others", func(r *agenttest.Room, q *subjects.Request) {
			if _, err := r.JS.Publish(context.Background(), subjects.RequestSubject(agenttest.App, "default", "normal", 1), []byte("{")); err != nil {
				panic(err)
			}
		}, "", 1},
		{"a request about another application is left to others", func(r *agenttest.Room, q *subjects.Request) {
			q.Execution.App = "other"
			r.Submit(q)
		}, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				q := room.Request(`{}`)
				test.prepare(room, q)
				b := &testRuntime{run: completeAtOnce}
				room.Start(agent.Config{Slots: 4, Runtime: b})
				time.Sleep(5 * time.Second)
				if got := statusesOf(room.Results(1)); got != test.results {
					t.Errorf("results are %q, want %q", got, test.results)
				}
				if got := queuedRequests(t, room); got != test.left {
					t.Errorf("%d requests are left, want %d", got, test.left)
				}
				if n := len(b.Begun()); n > 1 {
					t.Errorf("the body ran %d times", n)
				}
			})
		})
	}
}

func TestTheClaimCarriesTheExecutionUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		const execution = `{"execution_id":1,"app":"app","job":"job","pool":"default","priority":"normal","from_a_newer_bus":{"x":1}}`
		if _, err := room.JS.Publish(t.Context(), subjects.RequestSubject(agenttest.App, "default", "normal", 1),
			[]byte(`{"execution":`+execution+`,"attempt":1,"definition":{}}`)); err != nil {
			t.Fatal(err)
		}
		room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		room.AwaitEnd(1)
		s, err := room.JS.Stream(t.Context(), subjects.ResultsStream)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.GetMsg(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var claim struct{ Execution json.RawMessage }
		if err := json.Unmarshal(m.Data, &claim); err != nil || string(claim.Execution) != execution {
			t.Errorf("the claim has %s, want %s", claim.Execution, execution)
		}
	})
}

// Claims fail while the stream RESULTS does not exist. The agent retries a
// claim for at most MaxHold; then the broker delivers the request again.
func TestClaimsWithoutResults(t *testing.T) {
	for _, test := range []struct {
		name     string
		away     time.Duration
		attempts time.Duration // maximum time until the execution has run
	}{
		{"a moment", 3 * time.Second, 8 * time.Second},
		{"longer than a request may be held", 45 * time.Second, 100 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				if err := room.JS.DeleteStream(t.Context(), subjects.ResultsStream); err != nil {
					t.Fatal(err)
				}
				b := &testRuntime{run: completeAtOnce}
				room.Start(agent.Config{Runtime: b})
				begin := time.Now()
				id := room.Submit(room.Request(`{}`))
				time.Sleep(test.away)
				if len(b.Begun()) > 0 {
					t.Error("a body ran without a claim")
				}
				for _, s := range bus.Streams(1, bus.Retention{}) {
					if s.Name == subjects.ResultsStream {
						if _, err := room.JS.CreateStream(t.Context(), s); err != nil {
							t.Fatal(err)
						}
					}
				}
				time.Sleep(time.Until(begin.Add(test.attempts)))
				if got := statusesOf(room.Results(id)); got != "started completed" {
					t.Errorf("results are %q, want %q", got, "started completed")
				}
			})
		})
	}
}

func TestAnAgentThatSleptDoesNotClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		cable := room.Cable()
		// The agent fetches the request but cannot claim it: there is no stream
		// RESULTS until the cable is cut, and the cable stays cut for longer
		// than MaxHold.
		if err := room.JS.DeleteStream(t.Context(), subjects.ResultsStream); err != nil {
			t.Fatal(err)
		}
		b := &testRuntime{run: completeAtOnce}
		room.Start(agent.Config{Runtime: b, Options: throughCable(cable)})
		time.Sleep(2 * time.Second)
		room.Submit(room.Request(`{}`))
		time.Sleep(time.Second)
		cable.Cut()
		time.Sleep(40 * time.Second)
		for _, s := range bus.Streams(1, bus.Retention{}) {
			if s.Name == subjects.ResultsStream {
				if _, err := room.JS.CreateStream(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		// Meanwhile the request is purged, as the bus does.
		s, err := room.JS.Stream(t.Context(), subjects.RequestStream(agenttest.App))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(subjects.AllRequests(agenttest.App))); err != nil {
			t.Fatal(err)
		}
		cable.Mend()
		time.Sleep(60 * time.Second)
		if got := b.Begun(); len(got) > 0 {
			t.Errorf("%v ran, fetched long ago", got)
		}
	})
}
