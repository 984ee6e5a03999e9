package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const tokenJob = `{"id":"tokened","pool":"remote","steps":[{"id":"s","batchlet":{"ref":"org.jobstreamer.batch.ShellBatchlet","properties":{"command":"echo hi"}}}]}`

// TestAgentToken runs the commands that give an agent an account of its own.
func TestAgentToken(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	d := startDev(t, data, "--agent-accounts=false") // what it stores must stay
	if _, _, err := d.PutJob(t.Context(), "default", "tokened", []byte(tokenJob), client.Condition{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a1.creds")
	command := func(want int, args ...string) outcome {
		t.Helper()
		o := runCaptured(t.Context(), testEnv, args...)
		if o.code != want {
			t.Errorf("%s: exit code %d, want %d: %s%s", strings.Join(args, " "), o.code, want, o.out, o.err)
		}
		return o
	}
	if o := command(exitError, "agent-token", "create", "a1", "--server", d.rest, "-o", file); !strings.Contains(o.err, "--agent-accounts=false") {
		t.Errorf("without accounts: %s", o.err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file without credentials was left: %v", err)
	}
	d.endProcess(t)

	d = startDev(t, data)
	if _, err := nats.Connect(d.nats, nats.Timeout(time.Minute)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client without credentials: %v, want a refusal", err)
	}
	command(exitOK, "agent-token", "create", "a1", "--server", d.rest, "--pools", "remote", "-o", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("credentials: %v, %v", info, err)
	}
	command(exitError, "agent-token", "create", "a1", "--server", d.rest, "-o", file+"2")
	if o := command(exitOK, "agent-token", "list", "--server", d.rest); !strings.Contains(o.out, "a1") || !strings.Contains(o.out, "remote") || !strings.Contains(o.out, "never") {
		t.Errorf("list: %s", o.out)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan outcome, 1)
	go func() {
		ended <- runCaptured(ctx, testEnv, "agent", "--name", "a1", "--pools", "remote", "--nats-url", d.nats, "--nats-creds", file, "--data", t.TempDir(), "--heartbeat", "500ms")
	}()
	defer stop()
	e, err := d.Submit(t.Context(), "default", "tokened", client.Submission{Wait: 20 * time.Second})
	if err != nil || e.BatchStatus != subjects.Completed {
		t.Fatalf("a job in the pool of the agent: %+v, %v", e, err)
	}
	command(exitOK, "agent", "block", "a1", "--server", d.rest) // commands reach it, and its answers the bus
	waitUntil(t, "the agent is blocked", func() bool {
		o := runCaptured(t.Context(), testEnv, "agent", "list", "--server", d.rest)
		return strings.Contains(o.out, "blocked")
	})
	command(exitOK, "agent", "unblock", "a1", "--server", d.rest)

	command(exitOK, "agent-token", "revoke", "a1", "--yes", "--server", d.rest)
	if _, err := nats.Connect(d.nats, nats.UserCredentials(file), nats.Timeout(time.Minute)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with a revoked token: %v, want a refusal", err)
	}
	command(exitError, "agent-token", "revoke", "a1", "--yes", "--server", d.rest)
	stop()
	if o := <-ended; strings.Contains(o.err, "panic") {
		t.Errorf("the agent: %s", o.err)
	}
	d.endProcess(t)
	d = startDev(t, data, "--agent-accounts=false")
	if _, _, err := d.Job(t.Context(), "default", "tokened"); err != nil {
		t.Errorf("without accounts the job is gone: %v", err)
	}
}

// TestMissingCredentials holds that a command which NATS refuses says how to get
// credentials.
func TestMissingCredentials(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir())
	foreign := filepath.Join(t.TempDir(), "old.creds")
	keys, err := accounts.OpenKeys(t.TempDir())
	failOnError(t, err)
	credentials, err := keys.LookCredentials(true)
	failOnError(t, err)
	failOnError(t, os.WriteFile(foreign, credentials, 0o600))
	for _, c := range []struct{ args, want string }{
		{"agent --name a1 --apps billing,shop", "`jobstreamer agent-token create a1 --apps billing,shop -o a1.creds`, and use them with --nats-creds a1.creds"},
		{"agent --name a1 --nats-creds " + foreign, "the credentials in " + foreign + " have expired, were revoked, or belong to another control bus"},
		{"doctor", "`jobstreamer nats-context --full`"},
		{"serve --http 127.0.0.1:0", "check --nats-keys, --nats-creds or --nats-user"},
	} {
		args := append(strings.Fields(c.args), "--nats-url", d.nats, "--data", t.TempDir())
		if o := runCaptured(t.Context(), testEnv, args...); o.code == exitOK || !strings.Contains(o.err, "NATS refused the login") || !strings.Contains(o.err, c.want) {
			t.Errorf("%s: exit code %d: %s; want %q", c.args, o.code, o.err, c.want)
		}
	}
}

// TestOpenNATS holds that a control bus warns of a NATS that everybody may use,
// and of no other.
func TestOpenNATS(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]bool{
		"--agent-accounts=false":                true,
		"":                                      false,
		"--nats-user me --nats-password geheim": false,
	} {
		ctx, stop := context.WithCancel(t.Context())
		var log lockedBuffer
		ended := make(chan int, 1)
		go func() {
			all := append([]string{"serve", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--sync", "interval"}, strings.Fields(args)...)
			ended <- runCommand(ctx, all, streams{strings.NewReader(""), &log, &log}, testEnv)
		}()
		waitUntil(t, "the bus is ready", func() bool { return strings.Contains(log.String(), "control bus is ready") })
		var ready struct{ NATS string }
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "control bus is ready") {
				failOnError(t, json.Unmarshal([]byte(line), &ready))
			}
		}
		nc, err := nats.Connect(ready.NATS, nats.Timeout(time.Minute))
		if err == nil {
			nc.Close()
		}
		if (err == nil) != want || strings.Contains(log.String(), "NATS is open") != want {
			t.Errorf("serve %s: a client without credentials: %v; want it open: %v; log: %s", args, err, want, &log)
		}
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("serve %s ended with %d: %s", args, code, &log)
		}
	}
}

// A token that was made without a login stays valid, so the bus names it once it
// requires a login.
func TestOpenAgentTokens(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--data", data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--agent-accounts"}
	const warning = "were made without a login"
	s := startServe(t, flags...)
	if o := runCaptured(t.Context(), testEnv, "agent-token", "create", "early", "--server", s.rest, "-o", filepath.Join(dir, "early.creds")); o.code != exitOK {
		t.Fatal(o)
	}
	s.stop()
	if strings.Contains(s.log.String(), warning) {
		t.Errorf("a warning without --login: %s", s.log)
	}
	flags = append(flags, "--login", "--admin-password-file", password)
	s = startServe(t, flags...)
	if !strings.Contains(s.log.String(), warning) || !strings.Contains(s.log.String(), "early") {
		t.Errorf("no warning: %s", s.log)
	}
	env := append(testEnv, "JOBSTREAMER_TOKEN="+logInto(t, s.rest), "JOBSTREAMER_SERVER="+s.rest)
	if o := runCaptured(t.Context(), env, "agent-token", "create", "late", "-o", filepath.Join(dir, "late.creds")); o.code != exitOK {
		t.Fatal(o)
	}
	o := runCaptured(t.Context(), env, "agent-token", "list")
	for agent, by := range map[string]string{"early": "no login", "late": "admin"} {
		if !slices.ContainsFunc(strings.Split(o.out, "\n"), func(line string) bool {
			return strings.HasPrefix(line, agent) && strings.Contains(line, by)
		}) {
			t.Errorf("%s is not shown as made by %s: %s", agent, by, o.out)
		}
	}
	s.stop()
	s = startServe(t, flags...)
	if strings.Contains(s.log.String(), "late") {
		t.Errorf("a warning of a token that was made with a login: %s", s.log)
	}
}

// TestNATSContext holds what people may do with the context of the nats
// command.
func TestNATSContext(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := startDev(t, data)
	home := t.TempDir()
	connect := func(args ...string) (*nats.Conn, jetstream.JetStream) {
		t.Helper()
		o := runCaptured(t.Context(), append([]string{"XDG_CONFIG_HOME=" + home}, testEnv...), append([]string{"nats-context", "--data", data, "--nats-url", d.nats, "--select"}, args...)...)
		if o.code != exitOK {
			t.Fatalf("exit code %d: %s", o.code, o.err)
		}
		text, err := os.ReadFile(filepath.Join(home, "nats", "context", "jobstreamer.json"))
		var c natsContext
		if err == nil {
			err = json.Unmarshal(text, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect(c.URL, nats.UserCredentials(c.Creds), nats.Timeout(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		return nc, js
	}
	nc, js := connect()
	heartbeats, err := nc.SubscribeSync("jobstreamer.heartbeat.dev")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := heartbeats.NextMsg(10 * time.Second); err != nil {
		t.Errorf("heartbeats: %v", err)
	}
	if _, err := js.Stream(t.Context(), subjects.ResultsStream); err != nil {
		t.Errorf("the state of a stream: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := js.DeleteStream(ctx, subjects.ResultsStream); err == nil {
		t.Error("who may look has deleted a stream")
	}
	if _, err := js.Publish(ctx, "$KV."+subjects.UsersBucket+".evil", []byte("{}")); err == nil {
		t.Error("who may look has written a user")
	}
	_, js = connect("--full")
	if _, err := js.KeyValue(t.Context(), subjects.UsersBucket); err != nil {
		t.Errorf("with --full: %v", err)
	}
}
