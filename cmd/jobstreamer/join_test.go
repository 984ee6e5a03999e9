package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// writeJoinToken writes a join token into a new file.
func writeJoinToken(t *testing.T, token string, mode os.FileMode) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "join-token")
	failOnError(t, os.WriteFile(file, []byte(token+"\n"), mode))
	failOnError(t, os.Chmod(file, mode)) // whatever the umask is
	return file
}

// agentProcess is a `jobstreamer agent` in this process.
type agentProcess struct {
	stop  context.CancelFunc
	ended chan outcome
	err   *lockedBuffer
}

// startJoining starts the agent a1 of the pool remote, which joins.
func startJoining(t *testing.T, d *devBus, token, data string) *agentProcess {
	t.Helper()
	return startAgent(t, "--name", "a1", "--pools", "remote", "--server", d.rest, "--nats-url", d.nats, "--join-token-file", token, "--data", data)
}

// startAgent starts an agent. It ends at the latest with the test.
func startAgent(t *testing.T, args ...string) *agentProcess {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	a := &agentProcess{stop, make(chan outcome, 1), &lockedBuffer{}}
	args = append([]string{"agent", "--heartbeat", "500ms"}, args...)
	go func() {
		code := runCommand(ctx, args, streams{strings.NewReader(""), a.err, a.err}, testEnv)
		a.ended <- outcome{code: code, err: a.err.String()}
	}()
	t.Cleanup(func() {
		if o := a.wait(); t.Failed() {
			t.Logf("the agent ended with %d: %s", o.code, o.err)
		}
	})
	return a
}

// wait ends the agent like Ctrl-C and returns its output.
func (a *agentProcess) wait() outcome {
	a.stop()
	o := <-a.ended
	a.ended <- o
	return o
}

// end is wait for an agent that must end well.
func (a *agentProcess) end(t *testing.T) outcome {
	t.Helper()
	o := a.wait()
	if o.code != exitOK {
		t.Errorf("the agent ended with %d: %s", o.code, o.err)
	}
	return o
}

// runRemoteJob runs a job in the pool remote, which an agent must take.
func (d *devBus) runRemoteJob(t *testing.T, agent string) {
	t.Helper()
	e, err := d.Submit(t.Context(), "default", "tokened", client.Submission{Wait: time.Minute})
	if err != nil || e.BatchStatus != subjects.Completed || e.Agent == nil || e.Agent.Name != agent {
		t.Fatalf("a job in the pool of the agent: %+v, %v", e, err)
	}
}

// TestJoin holds that an agent joins on its own, before or after the control bus
// has started, and later starts without the control bus.
func TestJoin(t *testing.T) {
	t.Parallel()
	data, mine, token := t.TempDir(), t.TempDir(), writeJoinToken(t, "correct-horse-battery", 0o600)
	rest, nats := freeAddress(t), freeAddress(t)
	start := func(args ...string) *devBus {
		t.Helper()
		return startDev(t, data, append([]string{"--http", rest, "--nats", nats}, args...)...)
	}
	early := startJoining(t, &devBus{rest: "http://" + rest, nats: "nats://" + nats}, token, mine)
	time.Sleep(100 * time.Millisecond) // the agent is likely to find nobody
	d := start("--join-token-file", token, "--join-apps", "default")
	_, _, err := d.PutJob(t.Context(), "default", "tokened", []byte(tokenJob), client.Condition{})
	failOnError(t, err)
	d.runRemoteJob(t, "a1")
	if o := early.end(t); !strings.Contains(o.err, "joined the control bus") || strings.Contains(o.err, "horse") {
		t.Errorf("the agent says %s", o.err)
	}
	if info, err := os.Stat(filepath.Join(mine, joinFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the identity: %v, %v", info, err)
	}
	list, err := d.AgentTokens(t.Context(), client.Page{})
	if err != nil || len(list.Results) != 1 || list.Results[0].PublicKey == "" || strings.Join(list.Results[0].Pools, ",") != "remote" {
		t.Errorf("tokens: %+v, %v", list, err)
	}

	refused := func(want string, args ...string) {
		t.Helper()
		o := runCaptured(t.Context(), testEnv, append([]string{"agent", "--server", d.rest, "--nats-url", d.nats}, args...)...)
		if o.code == exitOK || !strings.Contains(o.err, want) || strings.Contains(o.err, "horse") {
			t.Errorf("%q: exit code %d: %s; want %q", args, o.code, o.err, want)
		}
	}
	refused("another agent has this name", "--name", "a1", "--data", t.TempDir(), "--join-token-file", token)
	refused("may not join for the application shop", "--name", "a2", "--apps", "shop", "--data", t.TempDir(), "--join-token-file", token)
	refused("has another join token", "--name", "a2", "--data", t.TempDir(), "--join-token-file", writeJoinToken(t, "another-horse-battery", 0o600))
	refused("all users of the machine can use it", "--name", "a2", "--data", t.TempDir(), "--join-token-file", writeJoinToken(t, "correct-horse-battery", 0o644))
	refused("cannot be combined with --nats-creds", "--name", "a2", "--data", t.TempDir(), "--join-token-file", token, "--nats-creds", token)

	d.endProcess(t)
	d = start() // nobody may join any more
	refused("agents cannot join", "--name", "a2", "--data", t.TempDir(), "--join-token-file", token)
	later := startJoining(t, d, token, mine)
	d.runRemoteJob(t, "a1")
	if o := later.end(t); strings.Contains(o.err, "joined the control bus") {
		t.Errorf("it has joined again: %s", o.err)
	}
	failOnError(t, d.RevokeAgentToken(t.Context(), "a1"))
	refused("NATS refused", "--name", "a1", "--pools", "remote", "--data", mine, "--join-token-file", token)
}

// TestJoinedAgentRenews holds that an agent renews credentials that expire while
// it runs, and expired ones when it starts.
func TestJoinedAgentRenews(t *testing.T) {
	t.Parallel()
	mine, token := t.TempDir(), writeJoinToken(t, "correct-horse-battery", 0o600)
	d := startDev(t, t.TempDir(), "--join-token-file", token, "--join-apps", "*", "--join-ttl", "15s")
	_, _, err := d.PutJob(t.Context(), "default", "tokened", []byte(tokenJob), client.Condition{})
	failOnError(t, err)
	a := startJoining(t, d, token, mine)
	for end := time.Now().Add(3 * time.Minute); strings.Count(a.err.String(), "joined the control bus") < 2; {
		d.runRemoteJob(t, "a1")
		if time.Now().After(end) {
			t.Fatal("it has not renewed its credentials")
		}
	}
	d.runRemoteJob(t, "a1")
	a.end(t)
	time.Sleep(15 * time.Second) // its credentials expire
	a = startJoining(t, d, token, mine)
	d.runRemoteJob(t, "a1")
	if o := a.end(t); !strings.Contains(o.err, "joined the control bus") {
		t.Errorf("the agent says %s", o.err)
	}
}

// TestJoinOverTLS holds that an agent joins over HTTPS, if it trusts the
// certificate of the control bus.
func TestJoinOverTLS(t *testing.T) {
	t.Parallel()
	authority, token := bustest.NewAuthority(t), writeJoinToken(t, "correct-horse-battery", 0o600)
	cert, key := authority.Issue(t, t.TempDir(), "bus")
	s := startServe(t, "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--http-cert", cert, "--http-key", key,
		"--join-token-file", token, "--join-apps", "default")
	a := startAgent(t, "--name", "a1", "--server", s.rest, "--server-ca", authority.File, "--nats-url", s.nats, "--join-token-file", token, "--data", t.TempDir())
	waitUntil(t, "the agent has joined", func() bool { return strings.Contains(a.err.String(), "agent ready") })
	if o := a.end(t); strings.Contains(o.err, "without TLS") {
		t.Errorf("the agent says %s", o.err)
	}
}

// TestJoinFlags holds which flags of a control bus contradict each other.
func TestJoinFlags(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel() // so that a bus that starts ends
	good := writeJoinToken(t, "correct-horse-battery", 0o640)
	for _, c := range []struct {
		args, want string
	}{
		{"--join-apps a", "--join-apps requires --join-token-file"},
		{"--join-ttl 1h", "--join-ttl requires --join-token-file"},
		{"--join-token-file " + good, "requires --join-apps"},
		{"--join-token-file " + good + " --join-apps a.b", "--join-apps a.b: want names"},
		{"--join-token-file " + good + " --join-apps a --join-ttl 1ms", "--join-ttl 1ms: want at least 1s"},
		{"--join-token-file /none --join-apps a", "--join-token-file: open /none"},
		{"--join-token-file " + writeJoinToken(t, "correct-horse-battery", 0o604) + " --join-apps a", "all users of the machine can use it"},
		{"--join-token-file " + writeJoinToken(t, "correct-horse", 0o600) + " --join-apps a", "at least 16 characters"},
		{"--join-token-file " + writeJoinToken(t, "correct horse battery staple", 0o600) + " --join-apps a", "want one line"},
		{"--join-token-file " + good + " --join-apps a --agent-accounts=false", "leave out --agent-accounts=false"},
		{"--join-token-file " + good + " --join-apps a --nats-url nats://127.0.0.1:1", "set --nats-keys"},
	} {
		for _, command := range []string{"serve", "dev"} {
			if command == "dev" && strings.Contains(c.args, "--nats-url") {
				continue
			}
			args := []string{command, "--data", t.TempDir(), "--http", "127.0.0.1:0"}
			if !strings.Contains(c.args, "--nats-url") {
				args = append(args, "--nats", "127.0.0.1:0")
			}
			got := runCaptured(ended, testEnv, append(args, strings.Fields(c.args)...)...)
			if got.code != exitUsage || !strings.Contains(got.err, c.want) || strings.Contains(got.err, "correct") {
				t.Errorf("%s %s exits with %d and says %q, want %d and %q", command, c.args, got.code, got.err, exitUsage, c.want)
			}
		}
	}
}
