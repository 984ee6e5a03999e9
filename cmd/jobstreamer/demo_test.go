package main

import (
	"bytes"
	"encoding/json"
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
