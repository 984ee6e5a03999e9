package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
)

// The chain goes on over restarts. It tells who was made admin at the first
// start, and whether a start asks for logins.
func TestAuditOverRestarts(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var head string
	command := func(d *devBus, token string, want int, args ...string) string {
		t.Helper()
		got := runCaptured(t.Context(), append(testEnv, "JOBSTREAMER_TOKEN="+token, "JOBSTREAMER_SERVER="+d.rest), args...)
		if got.code != want {
			t.Fatalf("%s: %+v, want exit code %d", strings.Join(args, " "), got, want)
		}
		return got.out
	}
	for i := range 3 {
		args := []string{"--login", "--admin-password-file", file}
		if i == 1 {
			args = nil
		}
		d, token := startDev(t, data, args...), ""
		if i != 1 {
			token = logInto(t, d.rest)
		}
		verify := []string{"audit", "verify"}
		if head != "" {
			verify = append(verify, "--expect", head)
		}
		out := command(d, token, exitOK, verify...)
		_, head, _ = strings.Cut(strings.TrimSpace(out), "Head: ")
		if i == 2 {
			const want = "start-with-login create-first-admin post-auth start-without-login start-with-login post-auth"
			got := "" // the row of a login follows its answer
			for end := time.Now().Add(20 * time.Second); got != want && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				got = actionsIn(t, command(d, token, exitOK, "audit", "list", "-o", "json"))
			}
			if got != want {
				t.Errorf("actions %s, want %s", got, want)
			}
			command(d, token, cli.ExitTampered, "audit", "verify", "--expect", strings.Repeat("a", 64))
			command(d, "", exitError, "audit", "list")
		}
		d.endProcess(t)
	}
}

// actionsIn returns the actions of a list, oldest first.
func actionsIn(t *testing.T, list string) string {
	t.Helper()
	var p struct{ Results []struct{ Action string } }
	if err := json.Unmarshal([]byte(list), &p); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, r := range p.Results {
		actions = append([]string{r.Action}, actions...)
	}
	return strings.Join(actions, " ")
}
