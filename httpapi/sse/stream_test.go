package sse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fixture is a source on a real broker. The test plays the executions.
type fixture struct {
	t      *testing.T
	bus    *bus.Bus
	source *Source
	ended  chan struct{} // closed when the execution has ended
}

func (f *fixture) Get(context.Context, string, string, int64) (*bus.Execution, error) {
	e := executionOf(7, subjects.Completed)
	return &e, nil
}

func (f *fixture) Wait(ctx context.Context, _, _ string, _ int64) (*bus.Execution, error) {
	select {
	case <-f.ended:
		return f.Get(ctx, "", "", 7)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, bus: bustest.Open(t, bustest.Server(t), bus.Config{}), ended: make(chan struct{})}
	f.source = New(Config{
		Broker: f.bus.JS, Executions: f, Bound: context.WithCancel, Log: slog.New(slog.DiscardHandler),
		EventOf: func(e *bus.Execution) rest.Event {
			return rest.Event{ExecutionID: e.ID, App: e.App, Job: e.Job, BatchStatus: e.BatchStatus}
		},
	})
	return f
}

func executionOf(id int64, status subjects.BatchStatus) bus.Execution {
	var e bus.Execution
	e.ID, e.App, e.Job, e.BatchStatus = id, "shop", "nightly", status
	e.Attempt, e.Agent = 1, "a1"
	return e
}

// store writes a record and returns its revision.
func (f *fixture) store(e bus.Execution) uint64 {
	f.t.Helper()
	revision, err := f.bus.Executions.Create(f.t.Context(), bus.ExecutionKey(e.App, e.Job, e.ID), e)
	if errors.Is(err, bus.ErrExists) {
		var old bus.Entry[bus.Execution]
		if old, err = f.bus.Executions.Get(f.t.Context(), bus.ExecutionKey(e.App, e.Job, e.ID)); err == nil {
			revision, err = f.bus.Executions.Update(f.t.Context(), old.Key, e, old.Revision)
		}
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return revision
}

// log publishes a message with lines, as the agent that runs the execution.
func (f *fixture) log(lines ...string) {
	f.t.Helper()
	f.logAs("a1", 1, lines...)
}

// logAs publishes a message with lines of an attempt, as an agent.
func (f *fixture) logAs(agent string, attempt int, lines ...string) {
	f.t.Helper()
	m := subjects.LogMessage{Attempt: attempt}
	for _, line := range lines {
		m.Lines = append(m.Lines, subjects.LogLine{Level: "info", Stream: "stdout", Message: line})
	}
	data, err := json.Marshal(&m)
	if err == nil {
		_, err = f.bus.JS.Publish(f.t.Context(), subjects.LogSubject("shop", "nightly", 7, agent), data)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// received is an event as the client sees it.
type received struct{ id, name, data string }

// serve sends a stream to a client of its own, and returns what the client
// receives until the stream ends. The client is connected when it returns.
func serve(t *testing.T, open func(ctx context.Context) (*Stream, error)) <-chan received {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, err := open(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		stream.Send(w)
	}))
	res, err := http.Get(s.URL) //nolint:bodyclose // the goroutine below closes it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close(); s.Close() })
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), ": ") {
		t.Fatalf("the stream begins with %q, want a comment", lines.Text())
	}
	ch := make(chan received, 100)
	go func() {
		defer close(ch)
		var one received
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "id":
				one.id = value
			case "event":
				one.name = value
			case "data":
				one.data = value
			case "":
				if one != (received{}) {
					ch <- one
				}
				one = received{}
			}
		}
	}()
	return ch
}

// receive returns the next event.
func receive(t *testing.T, ch <-chan received) (r received, e rest.Event) {
	t.Helper()
	select {
	case r, ok := <-ch:
		if !ok {
			t.Fatal("the stream has ended")
		}
		if err := json.Unmarshal([]byte(r.data), &e); err != nil {
			t.Fatalf("%s: %v", r.data, err)
		}
		return r, e
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
	}
	return r, e
}

func TestEventsOfRecords(t *testing.T) {
	f := newFixture(t)
	first := f.store(executionOf(1, subjects.Started)) // before anybody listens
	all := func(*rest.Event) bool { return true }
	open := func(filter EventFilter) <-chan received {
		return serve(t, func(ctx context.Context) (*Stream, error) { return f.source.OpenEvents(ctx, filter) })
	}
	fresh := open(EventFilter{App: "shop", Wants: all})
	resumed := open(EventFilter{After: first, Wants: all})
	foreign := open(EventFilter{After: 99999, Wants: all})
	picky := open(EventFilter{JobKey: "nightly", Wants: func(e *rest.Event) bool { return e.ExecutionID == 3 }})

	// The bucket keeps only the last state of a record: what comes too fast is
	// not an event of its own. So each event is read before the next write.
	streams := map[string]<-chan received{"new records": fresh, "after an event": resumed}
	wants := func(id int64, status subjects.BatchStatus, revision uint64) {
		t.Helper()
		for name, ch := range streams {
			r, e := receive(t, ch)
			if e.ExecutionID != id || e.BatchStatus != status || r.id != fmt.Sprint(revision) {
				t.Errorf("%s: %+v, want execution %d %s with id %d", name, r, id, status, revision)
			}
		}
	}
	wants(2, subjects.Started, f.store(executionOf(2, subjects.Started)))
	f.store(executionOf(2, subjects.Started)) // no change of state: no event
	wants(2, subjects.Completed, f.store(executionOf(2, subjects.Completed)))
	wants(3, subjects.Queued, f.store(executionOf(3, subjects.Queued)))
	if _, e := receive(t, foreign); e.ExecutionID != 1 {
		t.Errorf("an id of other data: %+v, want the state of execution 1", e)
	}
	if _, e := receive(t, picky); e.ExecutionID != 3 {
		t.Errorf("a filter: %+v, want execution 3", e)
	}
}

func TestLogEvents(t *testing.T) {
	f := newFixture(t)
	f.log("one", "two")
	f.log("three")
	e := executionOf(7, subjects.Started)
	open := func(after uint64) <-chan received {
		return serve(t, func(ctx context.Context) (*Stream, error) { return f.source.Log(&e).OpenEvents(ctx, after) })
	}
	whole := open(0)
	var last received
	for range 3 {
		last, _ = receive(t, whole)
	}
	id, err := ParseEventID(last.id)
	if err != nil {
		t.Fatal(err)
	}
	resumed := open(id)
	f.log("four")
	close(f.ended)
	f.log("said late")
	for name, ch := range map[string]<-chan received{"the whole log": whole, "after an event": resumed} {
		var got []string
		for r := range ch {
			var line rest.LogLine
			if err := json.Unmarshal([]byte(r.data), &line); err != nil {
				t.Error(err)
			}
			got = append(got, r.name+line.Message)
		}
		if want := []string{"four", "said late", "end"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestStateIsSentOnce(t *testing.T) {
	sent := sentStates{}
	for i, c := range []struct {
		id    int64
		state rest.Event
		want  bool
	}{
		{1, rest.Event{BatchStatus: subjects.Started}, true},
		{1, rest.Event{BatchStatus: subjects.Started}, false},
		{2, rest.Event{BatchStatus: subjects.Started}, true},
		{1, rest.Event{BatchStatus: subjects.Started, Attempt: 2}, true},
		{1, rest.Event{BatchStatus: subjects.Started, Attempt: 2, Agent: &rest.AgentRef{Name: "a1"}}, true},
		{1, rest.Event{BatchStatus: subjects.Completed, Attempt: 2, Agent: &rest.AgentRef{Name: "a1"}}, true},
	} {
		c.state.ExecutionID = c.id
		if got := sent.markChanged(&c.state); got != c.want {
			t.Errorf("%d: %+v changed %v, want %v", i, c.state, got, c.want)
		}
	}
	if len(sent) != 1 {
		t.Errorf("%d states are kept, want that of execution 2", len(sent))
	}
}
