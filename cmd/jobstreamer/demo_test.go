package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The output of jobs and the reports of agents cannot manipulate the terminal
// of a demo.
func TestDemoShowsText(t *testing.T) {
	const evil = "a\x1b]0;title\x07\u009b2J\u202e\rb"
	var out bytes.Buffer
	n := &narrator{w: &out}
	for subject, v := range map[string]any{
		"jobstreamer.log.default.x.1.\x1b]0;a": subjects.LogMessage{Lines: []subjects.LogLine{{Message: evil}}},
		"jobstreamer.result.default.\x1bx.1.a": subjects.Result{BatchStatus: subjects.Failed, Exception: evil, Agent: evil, Execution: &subjects.Execution{},
			Steps: []subjects.StepExecution{{Step: evil, Exception: evil}}},
	} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		n.addMessage(&nats.Msg{Subject: subject, Data: data})
	}
	n.printUntil(time.Now())
	got := out.String()
	if strings.ContainsAny(got, "\x1b\x07\u009b\u202e\r") || strings.Count(got, "a]0;title2Jb") != 5 {
		t.Errorf("%q", got)
	}
}

// The demo prints a step's start and end, not each commit of its chunk, and says
// which execution is a restart. It sorts lines by their time, even if the output
// arrives after the results.
func TestDemoTellsOfChunks(t *testing.T) {
	var out bytes.Buffer
	n := &narrator{w: &out}
	begin := time.Now().Add(-time.Minute)
	add := func(kind string, v any) {
		t.Helper()
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		n.addMessage(&nats.Msg{Subject: "jobstreamer." + kind + ".default.x.5.dev", Data: data})
	}
	at := func(ms int) subjects.Time { return subjects.TimeOf(begin.Add(time.Duration(ms) * time.Millisecond)) }
	step := func(status subjects.BatchStatus, m subjects.Metrics) []subjects.StepExecution {
		x := subjects.StepExecution{ID: 1, Step: "load", BatchStatus: status, StartTime: at(1), Metrics: m}
		if status.Ended() {
			x.EndTime = at(4)
		}
		return []subjects.StepExecution{x}
	}
	add("result", subjects.Result{Time: at(0), BatchStatus: subjects.Started, Agent: "dev", Execution: &subjects.Execution{RestartOf: 4}})
	add("result", subjects.Result{Time: at(3), BatchStatus: subjects.Started, Steps: step(subjects.Started, subjects.Metrics{})})
	add("result", subjects.Result{Time: at(3), BatchStatus: subjects.Started, Steps: step(subjects.Started, subjects.Metrics{Read: 10, Write: 9})})
	add("result", subjects.Result{Time: at(4), BatchStatus: subjects.Completed, Steps: step(subjects.Completed, subjects.Metrics{Read: 12, Write: 11})})
	add("log", subjects.LogMessage{Lines: []subjects.LogLine{{Time: at(2), Message: "goes on"}}})
	n.printUntil(begin.Add(2 * time.Millisecond)) // all were heard later
	if got, want := strings.Count(out.String(), "\n"), 3; got != want {
		t.Errorf("printed %d lines until the output, want %d:\n%s", got, want, out.String())
	}
	n.printUntil(time.Now())
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimSpace(line[len("15:04:05.000  x 5"):]))
	}
	want := []string{"started on dev as a restart of 4", "step load started", "| goes on", "step load completed (12 read, 11 written)", "completed"}
	if !slices.Equal(got, want) {
		t.Errorf("printed %q, want %q", got, want)
	}
	if len(n.begun) != 0 {
		t.Errorf("it keeps %v of an execution that has ended", n.begun)
	}
}

// The demo restarts the job whose chunk has failed, and shows that the chunk goes
// on at its checkpoint.
func TestDemoRestartsAChunk(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	out, in := io.Pipe()
	var errs lockedBuffer
	ended := make(chan int, 1)
	args := []string{"dev", "--demo", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--sync", "interval"}
	go func() {
		code := runCommand(ctx, args, streams{strings.NewReader(""), in, &errs}, testEnv)
		in.Close()
		ended <- code
	}()
	var all []string
	waiting := []string{
		"step deliver failed (20 read, 20 written): read: item 27: it has no address", "started on dev as a restart of",
		"step download is skipped", "item 20 was read before: going on with item 21", "delivered the orders 31 to 40",
		"step deliver completed (20 read, 20 written)",
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		all = append(all, lines.Text())
		if len(waiting) > 0 && strings.Contains(lines.Text(), waiting[0]) {
			if waiting = waiting[1:]; len(waiting) == 0 {
				stop() // like Ctrl-C
			}
		}
	}
	if code := <-ended; code != exitOK || len(waiting) > 0 {
		t.Errorf("exit status %d, never printed %q:\n%s%s", code, waiting, strings.Join(all, "\n"), errs.String())
	}
}

// The command that the demo prints calls the demo's bus, whichever bus this
// user's commands call otherwise.
func TestDemoHint(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct {
		name, url string
		env       map[string]string
		login     bool
		want      string
	}{
		{name: "the usual port", url: "http://127.0.0.1:45102", want: ""},
		{name: "another port", url: "http://127.0.0.1:1", want: " --server http://127.0.0.1:1"},
		{name: "a login", url: "http://127.0.0.1:45102", login: true, want: " --token TOKEN"},
		{name: "commands go elsewhere", url: "http://127.0.0.1:45102", env: map[string]string{"JOBSTREAMER_SERVER": "http://h:1", "JOBSTREAMER_APP": "shop"},
			want: " --server http://127.0.0.1:45102 --app default"},
	} {
		p := &program{env: map[string]string{"HOME": home}}
		for k, v := range c.env {
			p.env[k] = v
		}
		if got, want := p.demoHint(c.url, c.login), "jobstreamer run three-steps -p to=you --follow"+c.want; got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
	env := append(testEnv, "HOME="+home)
	if got := runCaptured(t.Context(), env, "context", "add", "prod", "--server", "http://prod:1"); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	p := &program{env: environmentMap(env)}
	if got, want := p.demoHint("http://127.0.0.1:45102", false), "jobstreamer run three-steps -p to=you --follow --server http://127.0.0.1:45102"; got != want {
		t.Errorf("with a selected context: %s, want %s", got, want)
	}
}
