package agent_test

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

func TestRedacted(t *testing.T) {
	for urls, want := range map[string]string{
		"nats://127.0.0.1:4222":            "nats://127.0.0.1:4222",
		"nats://me:pw@h:4222,nats://n2:42": "nats://me:xxxxx@h:4222,nats://n2:42",
		"nats://token@h:4222":              "nats://xxxxx@h:4222",
		"nats://a b:pw@h":                  "(not a URL)",
	} {
		if got := agent.Redacted(urls); got != want {
			t.Errorf("Redacted(%s) = %s, want %s", urls, got, want)
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	a, err := agent.New(agent.Config{URL: "nats://me:se cret@h:4222", Apps: []string{"shop"}, Runtime: &testRuntime{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || strings.Contains(err.Error(), "cret") {
		t.Errorf("Run: %v, want an error without the password", err)
	}
}
