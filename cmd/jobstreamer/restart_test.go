package main

import (
	"path/filepath"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// TestAgentsOutliveTheirBus holds that agents with accounts of their own go on
// when the bus and its NATS are killed and start again: one whose token an admin
// has created, and one that has joined.
func TestAgentsOutliveTheirBus(t *testing.T) {
	t.Parallel()
	data, token := t.TempDir(), writeJoinToken(t, "correct-horse-battery", 0o600)
	rest, nats := freeAddress(t), freeAddress(t)
	start := func() *child {
		t.Helper()
		return startChild(t, "dev", "--data", data, "--http", rest, "--nats", nats, "--join-token-file", token, "--join-apps", "default")
	}
	bus := start()
	c, err := client.New(client.Config{URL: bus.rest})
	failOnError(t, err)
	defer c.Close()
	d := &devBus{Client: c, rest: "http://" + rest, nats: "nats://" + nats}
	_, _, err = d.PutJob(t.Context(), "default", "tokened", []byte(tokenJob), client.Condition{})
	failOnError(t, err)

	creds := filepath.Join(t.TempDir(), "a1.creds")
	if o := runCaptured(t.Context(), testEnv, "agent-token", "create", "a1", "--server", d.rest, "-o", creds); o.code != exitOK {
		t.Fatalf("exit code %d: %s", o.code, o.err)
	}
	for _, args := range [][]string{{"--nats-creds", creds, "--name", "a1"}, {"--join-token-file", token, "--name", "a2"}} {
		a := startAgent(t, append(args, "--server", d.rest, "--nats-url", d.nats, "--pools", "remote", "--data", t.TempDir())...)
		d.runRemoteJob(t, args[3])
		for range 2 {
			failOnError(t, bus.Process.Kill())
			_ = bus.Wait() // it was killed
			bus = start()
			d.runRemoteJob(t, args[3])
		}
		a.end(t)
	}
}
