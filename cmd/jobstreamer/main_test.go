package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files")

// TestMain makes the test's binary act as the program: a test that needs a
// second process starts the binary with asProgram set.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // the tests wait more than they compute
	os.Exit(m.Run())
}

const asProgram = "JOBSTREAMER_TEST_AS_PROGRAM"

// testEnv is an environment that is the same on every machine.
var testEnv = []string{"HOME=/home/me", "NO_COLOR=1"}

// outcome is the result of a command.
type outcome struct {
	code     int
	out, err string
}

// runCaptured runs one command and captures its output.
func runCaptured(ctx context.Context, env []string, args ...string) outcome {
	var out, err lockedBuffer
	code := runCommand(ctx, args, streams{strings.NewReader(""), &out, &err}, env)
	return outcome{code, out.String(), err.String()}
}

// lockedBuffer is a buffer that several goroutines can write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", file, got, want)
	}
}

func TestHelp(t *testing.T) {
	for _, command := range []string{"", "serve", "agent", "dev", "doctor", "bench", "version"} {
		t.Run("of "+command, func(t *testing.T) {
			got := runCaptured(t.Context(), testEnv, strings.Fields(command+" --help")...)
			if got.code != exitOK || got.err != "" {
				t.Fatalf("exit code %d, %s", got.code, got.err)
			}
			for _, line := range strings.Split(got.out, "\n") {
				if len(line) > 120 {
					t.Errorf("a line of %d letters: %s", len(line), line)
				}
			}
			checkGolden(t, strings.TrimSpace("help "+command), got.out)
		})
	}
}

// help COMMAND is COMMAND --help, and version is --version.
func TestHelpAndVersionAreOneWordAway(t *testing.T) {
	for line, same := range map[string]string{
		"help": "--help", "help job": "job --help", "help job list": "job list --help", "help exec wait": "execution wait --help", "help help": "help --help",
		"--version": "version",
	} {
		got, want := runCaptured(t.Context(), testEnv, strings.Fields(line)...), runCaptured(t.Context(), testEnv, strings.Fields(same)...)
		if got != want || got.code != exitOK || got.out == "" {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
	for line, want := range map[string]string{
		"help jb":      "jobstreamer: unknown command \"jb\"; did you mean job?\n",
		"help job lst": "jobstreamer: unknown command \"lst\"; did you mean list?\n",
	} {
		if got := runCaptured(t.Context(), testEnv, strings.Fields(line)...); got.code != exitUsage || !strings.HasPrefix(got.err, want) {
			t.Errorf("%s: %+v, want %q", line, got, want)
		}
	}
	if got := runCaptured(t.Context(), testEnv, "__complete", "help", "job", ""); !strings.Contains(got.out, "list\tList jobs") {
		t.Errorf("%+v", got)
	}
	// An image may set this variable.
	if got := runCaptured(t.Context(), append(testEnv, "JOBSTREAMER_VERSION=2.0.0"), "help"); got.code != exitOK {
		t.Errorf("%+v", got)
	}
}

// TestHelpOfClientCommands records the help of all commands that call a control
// bus in one file.
func TestHelpOfClientCommands(t *testing.T) {
	var all strings.Builder
	root := newRoot(streams{}, environmentMap(testEnv))
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		got := runCaptured(t.Context(), testEnv, append(path, "--help")...)
		if got.code != exitOK || got.err != "" {
			t.Errorf("%s: %+v", path, got)
		}
		for _, line := range strings.Split(got.out, "\n") {
			if len(line) > 130 {
				t.Errorf("%s: a line of %d letters: %s", path, len(line), line)
			}
		}
		all.WriteString("$ " + cmd.CommandPath() + " --help\n" + got.out + "\n")
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.GroupID == groupWork || cmd.Name() == "context" {
			visit(cmd)
		}
	}
	checkGolden(t, "help client", all.String())
}

// TestMistakes records command lines with mistakes and their messages in one
// file.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.yaml")
	var all strings.Builder
	for _, c := range []struct {
		args, env, file string
	}{
		{args: "srve"},
		{args: "serve now"},
		{args: "serve --htp 1"},
		{args: "serve --replicas two"},
		{args: "serve --replicas 2"},
		{args: "serve --replicas 3"},
		{args: "serve --sync sometimes"},
		{args: "serve --nats-url nats://h --sync 1s"},
		{args: "serve --nats-creds f"},
		{args: "serve --timezone Mars --http 127.0.0.1:0 --nats 127.0.0.1:0 --data DIR"},
		{args: "serve --http 8080 --data DIR"},
		{args: "serve --http 127.0.0.1:0 --nats 127.0.0.1 --data DIR"},
		{args: "serve --retain-results 1m --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --session-timeout 1m"},
		{args: "serve --admin-password-file f"},
		{args: "serve --oidc-issuer https://login.example.com --public-url https://jobs.example.com"},
		{args: "serve --login --oidc-issuer https://login.example.com"},
		{args: "serve --oidc-roles *=admin"},
		{args: "serve --login --oidc-issuer http://login.example.com --oidc-client-id j --public-url https://jobs.example.com --oidc-roles *=admin --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --login --oidc-issuer https://login.example.com --oidc-client-id j --public-url https://jobs.example.com --oidc-roles a=boss --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --login --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --login --admin-password-file nowhere --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --notificator-url ftp://me:secret@h --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --allow-origin * --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "dev --allow-origin null --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --allow-origin http://localhost:3000/console --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --allow-origin localhost:3000 --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --host-name http://jobs.example.com --http 127.0.0.1:0 --nats 127.0.0.1:0 --sync interval --data DIR"},
		{args: "serve --http 0.0.0.0:0 --data DIR"},
		{args: "dev --http [::]:0 --data DIR"},
		{args: "dev --data DIR", env: "JOBSTREAMER_HTTP=:0"},
		{args: "serve --log-level loud"},
		{args: "dev --log-format xml"},
		{args: "agent --nats-cert c --data DIR"},
		{args: "agent --slots -1 --nats-creds nowhere.creds --data DIR"},
		{args: "doctor --nats-url nats://me:secret@127.0.0.1:1"},
		{args: "doctor -o yaml"},
		{args: "bench --executions 0 --rate 0"},
		{args: "bench --url ftp://here"},
		{args: "bench --url http://127.0.0.1:1"},
		{args: "serve", env: "JOBSTREAMER_REPLICAS=many"},
		{args: "serve", env: "JOBSTREAMER_RETAIN_LOGS=30d"},
		{args: "serve --config nowhere.yaml"},
		{args: "serve", file: "htp: 127.0.0.1:8080"},
		{args: "serve", file: "http: 127.0.0.1:8080\nslots: 8"},
		{args: "serve", file: "replicas: many"},
		{args: "serve", file: "http: 127.0.0.1:8080\nhttp: 127.0.0.1:8081"},
		{args: "serve", file: "replicas: [1, 3]"},
		{args: "agent", file: "pools:\n  default: true"},
		{args: "agent", file: "- a list"},
		{args: "agent", file: "a: [b"},
	} {
		args := strings.Fields(c.args)
		shown := "$ " + strings.TrimSpace(c.env+" jobstreamer "+c.args)
		if c.file != "" {
			if err := os.WriteFile(config, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--config", config)
			shown += " --config bus.yaml # " + strings.ReplaceAll(c.file, "\n", "; ")
		}
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DIR", filepath.Join(dir, "data"))
		}
		got := runCaptured(t.Context(), append(testEnv, c.env), args...)
		if got.code == exitOK || got.out != "" {
			t.Errorf("%s: exit code %d, output %s", shown, got.code, got.out)
		}
		if strings.Contains(strings.NewReplacer("client-secret-file", "", "secrets-key-file", "").Replace(got.err), "secret") {
			t.Errorf("%s: a password was shown: %s", shown, got.err)
		}
		// A busy machine may log more.
		text := regexp.MustCompile(`(?m)^\{"time".*\n`).ReplaceAllString(got.err, "")
		all.WriteString(shown + "\n" + strings.ReplaceAll(text, dir+string(filepath.Separator), "") + "\n")
	}
	checkGolden(t, "mistakes", all.String())
}
