package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/sse"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sentEvent is an event as it came.
type sentEvent struct{ ID, Name, Data string }

// listen reads events until the stream ends; the channel is closed then. The
// first comment has come when it returns.
func (e *env) listen(ctx context.Context, path string, headers ...string) <-chan sentEvent {
	e.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", e.http.URL+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != sse.EventStream {
		e.t.Fatalf("GET %s = %d %s", path, res.StatusCode, got)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-cache, no-transform" {
		e.t.Errorf("GET %s: Cache-Control %q", path, got)
	}
	(&reply{e, e.t, "GET " + path, res.StatusCode, res.Header, nil}).checkProtection()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), ": ") {
		e.t.Fatalf("GET %s begins with %q, want a comment", path, lines.Text())
	}
	ch := make(chan sentEvent, 1000)
	go func() {
		defer res.Body.Close()
		defer close(ch)
		var one sentEvent
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				one.ID = value
			case "event":
				one.Name = value
			case "data":
				one.Data = value
			case "":
				if one != (sentEvent{}) {
					ch <- one
				}
				one = sentEvent{}
			}
		}
	}()
	return ch
}

// next returns the next event.
func next(t *testing.T, ch <-chan sentEvent) (e sentEvent, v rest.Event) {
	t.Helper()
	select {
	case e, ok := <-ch:
		if !ok {
			t.Fatal("the stream has ended")
		}
		if err := json.Unmarshal([]byte(e.Data), &v); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		return e, v
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
	}
	return
}

func TestEvents(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.call("POST", "/default/jobs", jobNamed("b")).want(201)
	e.start("a", "") // before anybody listens
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all, ofB := e.listen(ctx, "/events"), e.listen(ctx, "/events?app=default&job=b")
	id, now := e.start("b", ""), time.Now()
	first, v := next(t, all)
	if v.ExecutionID != id || v.BatchStatus != subjects.Undispatched || v.Job != "b" || first.ID == "" {
		t.Errorf("first event %+v, want undispatched of %d", first, id)
	}
	a := e.agent("b", id).says(subjects.Started, now)
	eventually(t, "the start is recorded", func() bool {
		return strings.Contains(string(e.call("GET", fmt.Sprint("/default/execution/", id), "").body), `"started"`)
	})
	a.says(subjects.Completed, now)
	for _, want := range []subjects.BatchStatus{subjects.Started, subjects.Completed} {
		if _, v := next(t, all); v.BatchStatus != want || v.Agent == nil || v.Agent.Name != "a1" {
			t.Errorf("event %+v, want %s by a1", v, want)
		}
	}
	e.start("a", "")
	if _, v := next(t, all); v.Job != "a" {
		t.Errorf("event of %s, want a", v.Job)
	}
	t.Run("a filter leaves out others", func(t *testing.T) {
		id := e.start("b", "")
		for range 3 {
			if _, v := next(t, ofB); v.Job != "b" {
				t.Errorf("event of %s, want b", v.Job)
			}
		}
		if _, v := next(t, ofB); v.ExecutionID != id {
			t.Errorf("event of %d, want %d", v.ExecutionID, id)
		}
	})
	t.Run("Last-Event-ID resumes after it", func(t *testing.T) {
		resumed := e.listen(ctx, "/events", "Last-Event-ID", first.ID)
		if _, v := next(t, resumed); v.ExecutionID != id || v.BatchStatus != subjects.Completed {
			t.Errorf("resumed with %+v, want what %d has become since", v, id)
		}
	})
	t.Run("an id of other data brings the state of every execution", func(t *testing.T) {
		resumed := e.listen(ctx, "/events", "Last-Event-ID", "99999999")
		if _, v := next(t, resumed); v.ExecutionID == 0 {
			t.Errorf("resumed with %+v", v)
		}
	})
	e.call("GET", "/events", "", "Last-Event-ID", "x").code(400, "invalid_parameter")
	e.call("GET", "/events?app=a.b", "").code(400, "invalid_parameter")
	e.call("GET", "/events?job=>", "").code(400, "invalid_parameter")
}

func TestLog(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	id, at := e.start("a", ""), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	log := fmt.Sprintf("/default/job/a/execution/%d/log", id)
	if r := e.call("GET", log, "").want(200); len(r.body) > 0 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		t.Errorf("an empty log = %q, %s", r.body, r.header)
	}
	a := e.agent("a", id).says(subjects.Started, at)
	a.logs(0, at, "one", "two\nand more").logs(3, at.Add(time.Second), "three")
	golden(t, "log", e.call("GET", log, "").want(200).body)
	golden(t, "log", e.call("GET", fmt.Sprintf("/default/execution/%d/log", id), "").want(200).body)

	followed := e.listen(t.Context(), log+"?follow=1")
	accepted := e.listen(t.Context(), log, "Accept", sse.EventStream)
	var id2 string
	for i := range 4 {
		got := <-followed
		if i == 1 {
			id2 = got.ID
		}
	}
	a.logs(0, at.Add(2*time.Second), "four").says(subjects.Completed, at.Add(3*time.Second))
	a.logs(0, at.Add(4*time.Second), "said late")
	var got []string
	for one := range followed {
		got = append(got, one.Name+one.Data)
	}
	want := []string{
		`{"time":"2026-01-02T03:04:07.000Z","attempt":1,"level":"info","stream":"stdout","step":"STEP-1","message":"four"}`,
		`{"time":"2026-01-02T03:04:09.000Z","attempt":1,"level":"info","stream":"stdout","step":"STEP-1","message":"said late"}`,
		`end{"execution_id":1,`,
	}
	if len(got) == 3 {
		got[2] = got[2][:len(want[2])]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("followed: want -, got +\n%s", diff)
	}
	n := 0
	for range accepted {
		n++
	}
	if n != 7 {
		t.Errorf("%d events by Accept, want 7", n)
	}
	n = 0
	for range e.listen(t.Context(), log+"?follow=true", "Last-Event-ID", id2) {
		n++
	}
	if n != 5 {
		t.Errorf("%d events after %s, want 5", n, id2)
	}
	e.call("GET", log+"?follow=maybe", "").code(400, "invalid_parameter")
	e.call("GET", log, "", "Accept", "application/xml").want(200) // it is text, whatever is accepted
}

func TestLongLog(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	id, at := e.start("a", ""), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := e.agent("a", id)
	for i := range 300 {
		a.logs(0, at, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)))
	}
	body := string(e.call("GET", fmt.Sprintf("/default/execution/%d/log", id), "").want(200).body)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if len(lines) != 300 {
		t.Fatalf("%d lines, want 300", len(lines))
	}
	for i, l := range lines {
		if !strings.Contains(l, fmt.Sprintf("| %d xxx", i)) {
			t.Fatalf("line %d = %s", i, l)
		}
	}
}

// A server that is told to end does not wait for those who listen.
func TestServeEnds(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	id := e.start("a", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(ctx, l) }()
	base := "http://" + l.Addr().String()
	done := make(chan error, 3)
	for _, path := range []string{"/events", "/default/job/a/execution/1/log?follow=1", fmt.Sprint("/default/execution/", id, "?wait=1h")} {
		go func() {
			res, err := http.Get(base + path)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			done <- err
		}()
	}
	time.Sleep(300 * time.Millisecond) // they are there
	cancel()
	if err := <-served; err != nil { // that it ends at all is the proof: the readers would wait for an hour
		t.Error(err)
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
