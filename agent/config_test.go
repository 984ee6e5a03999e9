package agent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestConfig(t *testing.T) {
	nothing := func(context.Context, *agent.StepContext) (string, error) { return "", nil }
	for _, test := range []struct {
		name   string
		change func(*agent.Config)
		opts   []agent.Option
		want   string // part of the error; empty: no error
	}{
		{"the least there can be", func(*agent.Config) {}, nil, ""},
		{"a batchlet", func(*agent.Config) {}, []agent.Option{agent.Batchlet("b", nothing)}, ""},
		{"no application", func(c *agent.Config) { c.Apps = nil }, nil, "Apps"},
		{"an application that is no token", func(c *agent.Config) { c.Apps = []string{"a.b"} }, nil, `"a.b"`},
		{"a pool that is no token", func(c *agent.Config) { c.Pools = []string{"a b"} }, nil, "Pools"},
		{"a name that is no token", func(c *agent.Config) { c.Name = "a*" }, nil, "Name"},
		{"the bus's name", func(c *agent.Config) { c.Name = "bus" }, nil, "Name"},
		{"no slots", func(c *agent.Config) { c.Slots = -1 }, nil, "Slots"},
		{"heartbeats that are too rare", func(c *agent.Config) { c.Interval = time.Minute }, nil, "Interval"},
		{"no runtime", func(c *agent.Config) { c.Runtime = nil }, nil, "Runtime"},
		{"a batchlet without a function", func(*agent.Config) {}, []agent.Option{agent.Batchlet("b", nil)}, "function"},
		{"a batchlet twice", func(*agent.Config) {}, []agent.Option{agent.Batchlet("b", nothing), agent.Batchlet("b", nothing)}, "twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := agent.Config{Apps: []string{"shop"}, Runtime: &testRuntime{}}
			test.change(&cfg)
			a, err := agent.New(cfg, test.opts...)
			if test.want == "" {
				if err != nil || !subjects.ValidName(a.Name()) {
					t.Errorf("New returned %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("New returned %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestValidName(t *testing.T) {
	for text, want := range map[string]string{
		"host":                   "host",
		"web-1.example.org":      "web-1-example-org",
		"Müllers Rechner":        "M-llers-Rechner",
		"...":                    "agent",
		"":                       "agent",
		strings.Repeat("x", 300): strings.Repeat("x", 128),
	} {
		if got := agent.ValidName(text); got != want || !subjects.ValidName(got) {
			t.Errorf("ValidName(%q) = %q, want %q", text, got, want)
		}
	}
}
