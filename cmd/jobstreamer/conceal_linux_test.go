package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// nobody is an unprivileged user.
const nobody = 65534

// readAncestors is a shell command that prints the environments of the shell,
// its supervisor and the agent.
const readAncestors = `p=$$; for _ in 1 2 3; do
	echo "process $p: $(cat /proc/$p/environ 2>&1 | tr '\000' ' ')"
	p=$(sed 's/.*) //' /proc/$p/stat | cut -d' ' -f2)
done`

// A job cannot read the secrets of the agent and the bus in the environments of
// its ancestor processes.
func TestJobsDoNotSeeSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		uid  int
	}{{"as this user", os.Geteuid()}, {"as another one", nobody}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.uid != os.Geteuid() {
				dir = lendFolder(t, c.uid)
			}
			p := childCommand(t, "dev", "--sync", "interval", "--data", filepath.Join(dir, "data"), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0")
			p.Env = append(p.Env, "JOBSTREAMER_TOKEN=geheim", "PGPASSWORD=geheim", "LC_TEST=visible", "HOME="+dir)
			if c.uid != os.Geteuid() {
				p.runAs(t, c.uid)
			}
			p.startUp(t)
			got := p.outputOf(t, readAncestors)
			if strings.Contains(got, "geheim") {
				t.Errorf("a job reads the secret: %s", got)
			}
			// Root can read the environment of each process.
			if c.uid == 0 && strings.Count(got, "LC_TEST=visible") < 3 {
				t.Errorf("want the environments of shell, supervisor and agent: %s", got)
			}
			if c.uid != 0 && !strings.Contains(got, "Permission denied") {
				t.Errorf("want that the agent cannot be read: %s", got)
			}
		})
	}
}

// lendFolder creates a folder that belongs to another user.
func lendFolder(t *testing.T, uid int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root starts processes of other users")
	}
	dir, err := os.MkdirTemp("", "jobstreamer-test-*") // the parent of t.TempDir is private
	failOnError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the folder contains nothing else
	failOnError(t, os.Chown(dir, uid, uid))
	return dir
}

// runAs makes the process run as another user, who may have no access to the
// program's file.
func (c *child) runAs(t *testing.T, uid int) {
	t.Helper()
	program, err := os.Open(c.Path)
	failOnError(t, err)
	t.Cleanup(func() { _ = program.Close() }) // only read from
	c.Path, c.ExtraFiles, c.Dir = "/proc/self/fd/3", []*os.File{program}, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}

// outputOf runs a command as a job to its end and returns its output.
func (c *child) outputOf(t *testing.T, command string) string {
	t.Helper()
	api, err := client.New(client.Config{URL: c.rest})
	failOnError(t, err)
	defer api.Close()
	text, err := json.Marshal(command)
	failOnError(t, err)
	d := &devBus{Client: api}
	d.putJob(t, "look", fmt.Sprintf(`{"id": "look", "steps": [{"id": "print", "batchlet": {"ref": "org.jobstreamer.batch.ShellBatchlet", "properties": {"command": %s}}}]}`, text))
	e, err := api.Submit(t.Context(), "default", "look", client.Submission{Wait: 20 * time.Second})
	if err != nil || e.BatchStatus != subjects.Completed {
		t.Fatalf("%+v, %v", e, err)
	}
	var out bytes.Buffer
	failOnError(t, api.Log(t.Context(), "default", "look", e.ExecutionID, &out))
	return out.String()
}

func TestRunAsMistakes(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{"root": "--run-as root: the user root has root privileges", "no-such": "--run-as no-such: user: unknown user no-such"} {
		got := runCaptured(t.Context(), testEnv, "agent", "--run-as", user, "--data", t.TempDir())
		if got.code != exitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}
