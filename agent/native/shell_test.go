//go:build unix

package native_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// shellJob returns a definition with one shell step.
func shellJob(properties map[string]string) string {
	p, _ := json.Marshal(properties)
	return `{"id":"job","steps":[{"id":"a","batchlet":{"ref":"` + native.Shell + `","properties":` + string(p) + `}}]}`
}

func outputText(lines []subjects.LogLine, stream string) string {
	var all []string
	for _, l := range lines {
		if l.Stream == stream {
			all = append(all, l.Message)
		}
	}
	return strings.Join(all, "\n")
}

func TestShell(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("plain", "echo plain $1 $#", 0o600)
	write("dos", "#!/bin/sh\r\necho a\r\n", 0o700)
	write("empty", "", 0o700)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("able", "#!/bin/sh\necho able \"$2\"", 0o700)
	t.Setenv("JOBSTREAMER_NATS_PASSWORD", "secret")
	t.Setenv("SOMETHING", "else")
	room := agenttest.New(t)
	room.Start(agent.Config{Slots: 8, Runtime: native.New(native.Config{})})
	for _, test := range []struct {
		name       string
		properties map[string]string
		status     subjects.BatchStatus
		exit       string // exit status of the step
		out, err   string // lines of stdout and stderr
		exception  string // part of the exception
	}{
		{"a command", map[string]string{"command": "echo a; echo b >&2"}, "completed", "0", "a", "b", ""},
		{"an exit code", map[string]string{"command": "exit 3"}, "failed", "3", "", "", "step a: exit code 3"},
		{"a signal", map[string]string{"command": "kill -9 $$"}, "failed", "137", "", "", "killed by signal"},
		{"a command that is not there", map[string]string{"command": "no-such-thing 2>/dev/null"}, "failed", "127", "", "", "exit code 127"},
		{"a script as text", map[string]string{"script": "echo $1\necho $2", "args": "'one two' three"}, "completed", "0", "one two\nthree", "", ""},
		{"a script for another program", map[string]string{"script": "#!/bin/cat\nitself"}, "completed", "0", "#!/bin/cat\nitself", "", ""},
		{"a file", map[string]string{"script": "plain", "dir": dir, "args": "x y"}, "completed", "0", "plain x 2", "", ""},
		{"a file that can run by itself", map[string]string{"script": filepath.Join(dir, "able"), "args": `x "" y`}, "completed", "0", "able ", "", ""},
		{"a file that is not there", map[string]string{"script": "nothing", "dir": dir}, "failed", "FAILED", "", "", "no such file"},
		{"a pipe as a script", map[string]string{"script": "pipe", "dir": dir}, "failed", "FAILED", "", "", "script: " + filepath.Join(dir, "pipe") + " is not a regular file"},
		{"a device as a script", map[string]string{"script": "/dev/zero"}, "failed", "FAILED", "", "", "script: /dev/zero is not a regular file"},
		{"an empty file", map[string]string{"script": "empty", "dir": dir}, "completed", "0", "", "", ""},
		{"a script with CR LF line ends", map[string]string{"script": "#!/bin/sh\r\necho a\r\n"}, "failed", "FAILED", "", "", "script: its lines end with CR LF"},
		{"a command with CR LF line ends", map[string]string{"command": "echo a\r\necho b\r\n"}, "failed", "FAILED", "", "", "command: its lines end with CR LF"},
		{"one CR LF among others is text", map[string]string{"script": "cat <<E\na\r\nE\n"}, "completed", "0", "a", "", ""},
		{"a file with CR LF line ends", map[string]string{"script": "dos", "dir": dir}, "failed", "FAILED", "", "", "/dos: its lines end with CR LF"},
		{"a byte order mark", map[string]string{"script": "\ufeff#!/bin/sh\necho a"}, "failed", "FAILED", "", "", "script: it begins with a byte order mark"},
		{"an interpreter that is not there", map[string]string{"script": "#!/no/such/python -u\nprint(1)"}, "failed", "FAILED", "", "", `its first line names the interpreter "/no/such/python", which does not exist on the agent's host`},
		{"an unknown value of background", map[string]string{"command": "true", "background": "yes"}, "failed", "FAILED", "", "", "background: want end or keep"},
		{"a scheduled time", map[string]string{"command": `echo $JOBSTREAMER_SCHEDULED_FOR $JOBSTREAMER_SCHEDULED_DATE`}, "completed", "0", "2026-11-24T23:30:00.000Z 2026-11-25", "", ""},
		{"a directory", map[string]string{"command": "pwd", "dir": dir}, "completed", "0", dir, "", ""},
		{"a directory that is not there", map[string]string{"command": "pwd", "dir": "/nowhere"}, "failed", "FAILED", "", "", "/nowhere"},
		{"variables", map[string]string{"command": `echo "$A/$JOBSTREAMER_APP/$JOBSTREAMER_JOB/$JOBSTREAMER_ATTEMPT/$JOBSTREAMER_STEP/$JOBSTREAMER_PARAM_RUN_DATE"`, "env.A": "x y"},
			"completed", "0", "x y/app/job/1/a/2026-11-24", "", ""},
		{"the execution's variables are not to be changed", map[string]string{"command": `echo $JOBSTREAMER_APP`, "env.JOBSTREAMER_APP": "other"}, "completed", "0", "app", "", ""},
		{"secrets of the agent stay there", map[string]string{"command": `echo "$JOBSTREAMER_NATS_PASSWORD$SOMETHING${PATH:+path}"`}, "completed", "0", "path", "", ""},
		{"timeout", map[string]string{"command": "sleep 60", "timeout": "300ms"}, "failed", "FAILED", "", "", "timeout after 300ms"},
		{"there is enough time", map[string]string{"command": "true", "timeout": "60"}, "completed", "0", "", "", ""},
		{"a time that is none", map[string]string{"command": "true", "timeout": "soon"}, "failed", "FAILED", "", "", `timeout: want a duration`},
		{"nothing to run", map[string]string{}, "failed", "FAILED", "", "", "want the property command"},
		{"too much to run", map[string]string{"command": "true", "script": "x"}, "failed", "FAILED", "", "", "not both"},
		{"a quote that does not end", map[string]string{"script": "plain", "args": "'x"}, "failed", "FAILED", "", "", "args: the quote"},
		{"a child that stays does not hold it up", map[string]string{"command": "sleep 60 & echo done"}, "completed", "0", "done", "", ""},
		{"a last line without an end", map[string]string{"command": "printf x"}, "completed", "0", "x", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			q := room.Request(shellJob(test.properties))
			q.Execution.Parameters = map[string]string{"run-date": "2026-11-24"}
			q.Execution.ScheduledFor = subjects.TimeOf(time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC))
			q.Execution.ScheduledDate = "2026-11-25" // in Tokyo
			end := room.AwaitEnd(room.Submit(q))
			// The end of the step may come in a result before the last one.
			steps, want := stepStates(room.Results(end.ID)), fmt.Sprintf("a=%s(%s)", test.status, test.exit)
			if end.BatchStatus != test.status || steps != want {
				t.Errorf("it is %s with the steps %q, want %s, %q", end.BatchStatus, steps, test.status, want)
			}
			if !strings.Contains(end.Exception, test.exception) || (test.exception == "") != (end.Exception == "") {
				t.Errorf("the exception is %q, want %q in it", end.Exception, test.exception)
			}
			lines, _ := room.Lines(end.ID)
			if got := outputText(lines, agent.Stdout); got != test.out {
				t.Errorf("stdout is %q, want %q", got, test.out)
			}
			if got := outputText(lines, agent.Stderr); test.err != "" && got != test.err {
				t.Errorf("stderr is %q, want %q", got, test.err)
			}
			for _, l := range lines {
				if want := map[string]string{agent.Stdout: "info", agent.Stderr: "warn"}[l.Stream]; l.Level != want || l.Step != "a" {
					t.Errorf("line %+v", l)
				}
			}
		})
	}
}

// isAlive reports whether a process exists and was not only left unreaped.
func isAlive(pid int) bool {
	out, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	state := strings.TrimSpace(string(out))
	return state != "" && !strings.HasPrefix(state, "Z")
}

// readPIDs waits until a job has written n process ids to a file, and returns
// them.
func readPIDs(t *testing.T, file string, n int) []int {
	t.Helper()
	var all []int
	agenttest.Eventually(t, func() bool {
		b, _ := os.ReadFile(file)
		all = nil
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			all = append(all, pid)
		}
		return len(all) == n
	}, "%s has not %d numbers", file, n)
	return all
}

func awaitGone(t *testing.T, all []int) {
	t.Helper()
	for _, pid := range all {
		agenttest.Eventually(t, func() bool { return !isAlive(pid) }, "process %d is still there", pid)
	}
}

func TestStopOfAProcess(t *testing.T) {
	for _, test := range []struct {
		name, command, verb string
		grace               time.Duration
		want                string // statuses of the results
		out                 string
	}{
		{"kindly", `trap 'echo bye; exit 0' TERM; echo $$ > %s; sleep 60 & echo $! >> %[1]s; wait`, subjects.StopCommand, time.Minute, "stopped", "bye"},
		{"by force", `trap '' TERM; echo $$ > %s; sleep 61 & echo $! >> %[1]s; while :; do sleep 1; done`, subjects.StopCommand, 200 * time.Millisecond, "stopped", ""},
		{"at once, if somebody else may run it", `trap '' TERM; echo $$ > %s; sleep 62 & echo $! >> %[1]s; wait; sleep 62`, subjects.DropCommand, time.Minute, "started", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			room := agenttest.New(t)
			file := filepath.Join(t.TempDir(), "pids")
			run := room.Start(agent.Config{Grace: test.grace, Runtime: native.New(native.Config{})})
			id := room.Submit(room.Request(shellJob(map[string]string{"command": fmt.Sprintf(test.command, file)})))
			all := readPIDs(t, file, 2)
			room.Command(run.Name, test.verb, subjects.Command{ID: id, Attempt: 1})
			awaitGone(t, all)
			if err := run.Stop(); err != nil {
				t.Error(err)
			}
			results := room.Results(id)
			last := results[len(results)-1]
			if string(last.BatchStatus) != test.want {
				t.Errorf("the last result is %+v, want %s", last, test.want)
			}
			if got := stepStates(results); test.want == "stopped" && !strings.HasPrefix(got, "a=stopped(") {
				t.Errorf("the steps are %q", got)
			}
			lines, _ := room.Lines(id)
			if got := outputText(lines, agent.Stdout); got != test.out {
				t.Errorf("stdout is %q, want %q", got, test.out)
			}
		})
	}
}

// Processes that a job leaves behind end with it, even if they ignore signals.
func TestChildrenEndWithTheirParent(t *testing.T) {
	room := agenttest.New(t)
	file := filepath.Join(t.TempDir(), "pids")
	room.Start(agent.Config{Runtime: native.New(native.Config{})})
	end := room.Run(shellJob(map[string]string{"command": fmt.Sprintf(`(trap '' TERM HUP; sleep 63) & echo $! > %s`, file)}))
	if end.BatchStatus != subjects.Completed {
		t.Errorf("it is %+v", end)
	}
	awaitGone(t, readPIDs(t, file, 1))
}

// A starting agent kills a process that a killed agent has left. It spares a
// process that only has the same id.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	processes := filepath.Join(dir, "processes")
	if err := os.MkdirAll(processes, 0o700); err != nil {
		t.Fatal(err)
	}
	left := func(env ...string) int {
		cmd := exec.Command("/bin/sh", "-c", "sleep 64 & wait")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Env = append(os.Environ(), env...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); <-done })
		return cmd.Process.Pid
	}
	note := func(pid int, started string) {
		if err := os.WriteFile(filepath.Join(processes, strconv.Itoa(pid)), []byte(started+"\nexecution 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours, foreign := left(), left()
	note(ours, native.StartTime(ours))
	note(foreign, "another time")
	room := agenttest.New(t)
	room.Start(agent.Config{DataDir: dir, Runtime: native.New(native.Config{})})
	awaitGone(t, []int{ours})
	if !isAlive(foreign) {
		t.Error("a process that is not ours was ended")
	}
	if notes, _ := os.ReadDir(processes); len(notes) != 0 {
		t.Errorf("%v are still noted", notes)
	}
	// The file of a process exists exactly as long as the process runs.
	file := filepath.Join(t.TempDir(), "pids")
	id := room.Submit(room.Request(shellJob(map[string]string{"command": fmt.Sprintf("echo $$ > %s; sleep 1", file)})))
	pid := readPIDs(t, file, 1)[0]
	agenttest.Eventually(t, func() bool {
		b, _ := os.ReadFile(filepath.Join(processes, strconv.Itoa(pid)))
		return strings.HasPrefix(string(b), native.StartTime(pid)+"\n")
	}, "process %d is not noted", pid)
	room.AwaitEnd(id)
	if notes, _ := os.ReadDir(processes); len(notes) != 0 {
		t.Errorf("%v are still noted", notes)
	}
}

// If two parameters have the same environment variable, no step runs.
func TestCollidingParameters(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: native.New(native.Config{})})
	q := room.Request(shellJob(map[string]string{"command": "true"}))
	q.Execution.Parameters = map[string]string{"who": "a", "WHO": "b"}
	end := room.AwaitEnd(room.Submit(q))
	if want := `the parameters "WHO" and "who" map to one environment variable, JOBSTREAMER_PARAM_WHO`; end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, want) {
		t.Errorf("it is %s with %q, want failed with %q", end.BatchStatus, end.Exception, want)
	}
}

// The variable that package jsl recommends is the one that a process gets.
func TestRecommendedVariable(t *testing.T) {
	for _, name := range []string{"who", "a-b.c", "Größe", "x1"} {
		job, _ := json.Marshal("#{jobParameters['" + name + "']}")
		_, err := jsl.ParseJSON([]byte(`{"id":"job","steps":[{"id":"a","command":` + string(job) + `}]}`))
		if want := `"$` + subjects.ParameterVariable(name) + `"`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parameter %s: %v, want %s", name, err, want)
		}
	}
}

// A job that writes faster than its lines can be stored blocks, and all lines
// arrive.
func TestAllLinesOfAFlood(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Log: slog.New(slog.DiscardHandler), Runtime: native.New(native.Config{})})
	end := room.Run(shellJob(map[string]string{"command": "seq 1 300000; echo FATAL >&2; exit 1"}))
	if end.BatchStatus != subjects.Failed || stepStates(room.Results(end.ID)) != "a=failed(1)" || end.LogDropped != 0 {
		t.Errorf("it is %+v", end)
	}
	lines, dropped := room.Lines(end.ID)
	next, fatal := 1, 0
	for _, l := range lines {
		switch l.Message {
		case strconv.Itoa(next):
			next++
		case "FATAL":
			fatal++
		default:
			t.Fatalf("line %q comes where %d should be", l.Message, next)
		}
	}
	if next != 300_001 || fatal != 1 || dropped != 0 {
		t.Errorf("%d numbers, %d FATAL, %d dropped", next-1, fatal, dropped)
	}
}
