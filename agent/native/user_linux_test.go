package native_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root starts processes of other users")
	}
}

func TestLookupUser(t *testing.T) {
	for name, want := range map[string]string{"root": "has root privileges", "0": "has root privileges", "no-such-user": "unknown user", "4294967": "unknown userid"} {
		if u, err := native.LookupUser(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", name, u, err, want)
		}
	}
}

// Processes of another user have rights, folders and groups of that user only,
// and end with their step all the same.
func TestRunAs(t *testing.T) {
	needRoot(t)
	for _, name := range []string{"nobody", "65534"} {
		if u, err := native.LookupUser(name); err != nil || u.UID != 65534 || u.Name != "nobody" {
			t.Fatalf("%s: %+v, %v", name, u, err)
		}
	}
	nobody, _ := native.LookupUser("nobody")
	temporary := t.TempDir()
	if err := os.Chmod(filepath.Dir(temporary), 0o755); err != nil { // so that another user gets there
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	room := agenttest.New(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "secret"), []byte("geheim"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := room.Start(agent.Config{Slots: 8, DataDir: data, Grace: time.Second, Runtime: native.New(native.Config{RunAs: nobody})})
	for _, c := range []struct {
		name       string
		properties map[string]string
		want       string // of the output
		failure    string // of the exception; empty: it completes
	}{
		{"user and groups", map[string]string{"command": `echo $(id -u) $(id -g) $(id -G) $USER`}, "65534 65534 65534 nobody", ""},
		{"own folder", map[string]string{"command": `[ "$PWD" = "$TMPDIR" ] && [ "$HOME" = "$TMPDIR" ] && echo x > file && stat -c '%U %a' . file`}, "nobody 700\nnobody 644", ""},
		{"its folder stays where it is", map[string]string{"command": `mv "$TMPDIR" "$TMPDIR.x" 2>/dev/null || echo no`}, "no", ""},
		{"a script", map[string]string{"script": "#!/bin/sh\necho $1 $(stat -c '%U %a' $0)", "args": "hello"}, "hello nobody 700", ""},
		{"devices of output", map[string]string{"command": `echo out > /dev/stdout`}, "out", ""},
		{"files of the agent", map[string]string{"command": `cat ` + data + `/secret`}, "", "exit code 1"},
		{"environment of the agent", map[string]string{"command": fmt.Sprintf("cat /proc/%d/environ", os.Getpid())}, "", "exit code 1"},
		{"its supervisor", map[string]string{"command": `kill -9 $PPID 2>/dev/null || echo no`}, "no", ""},
		{"no terminal and no capabilities", map[string]string{"command": `grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u; ps -o tty= -p $$ 2>/dev/null | grep -v '?'; true`}, "0000000000000000", ""},
		{"a directory of the agent's user", map[string]string{"command": "pwd", "dir": data}, "", "permission denied for the user nobody"},
		{"a directory for everybody", map[string]string{"command": "pwd", "dir": "/usr"}, "/usr", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := room.Submit(room.Request(shellJob(c.properties)))
			end := room.AwaitEnd(id)
			lines, _ := room.Lines(id)
			if got := outputText(lines, "stdout"); got != c.want {
				t.Errorf("it wrote %q, want %q", got, c.want)
			}
			if (c.failure == "") != (end.BatchStatus == subjects.Completed) || !strings.Contains(end.Exception, c.failure) {
				t.Errorf("it is %+v, want %q", end, c.failure)
			}
		})
	}
	pids := filepath.Join(temporary, "pids")
	if err := os.WriteFile(pids, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pids, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Run("a daemon ends with its step", func(t *testing.T) {
		room.Run(shellJob(map[string]string{"command": `setsid sleep 81 & echo $! > ` + pids}))
		awaitGone(t, readPIDs(t, pids, 1))
	})
	t.Run("a stop", func(t *testing.T) {
		if err := os.Truncate(pids, 0); err != nil {
			t.Fatal(err)
		}
		id := room.Submit(room.Request(shellJob(map[string]string{"command": `trap '' TERM; sleep 82 & echo $! > ` + pids + `; wait; wait`})))
		all := readPIDs(t, pids, 1)
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		if end := room.AwaitEnd(id); end.BatchStatus != subjects.Stopped {
			t.Errorf("it is %+v", end)
		}
		awaitGone(t, all)
	})
	if err := run.Stop(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "jobstreamer-*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// What is in a folder that is closed to the user of the jobs does not show: the
// agent looks at no file there, and a pipe does not keep it busy.
func TestRunAsLooksAtNoFiles(t *testing.T) {
	needRoot(t)
	nobody, err := native.LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	closed, open := t.TempDir(), t.TempDir()
	for dir := open; dir != os.TempDir(); dir = filepath.Dir(dir) { // so that another user gets there
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(dir, name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(closed, "bom", "\ufeff#!/bin/sh\n", 0o755)
	write(closed, "plain", "echo plain\n", 0o644)
	write(open, "plain", "echo plain $1\n", 0o644)
	write(open, "able", "#!/bin/sh\necho able $1\n", 0o755)
	write(open, "bare", "echo bare $1\n", 0o755)
	for _, dir := range []string{closed, open} {
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(closed, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	room := agenttest.New(t)
	room.Start(agent.Config{Slots: 4, Grace: time.Second, Runtime: native.New(native.Config{RunAs: nobody})})
	run := func(properties map[string]string) (exception, stdout, stderr string) {
		id := room.Submit(room.Request(shellJob(properties)))
		end := room.AwaitEnd(id)
		lines, _ := room.Lines(id)
		return end.Exception, outputText(lines, "stdout"), outputText(lines, "stderr")
	}
	var scripts, dirs []string
	for _, name := range []string{"missing", "bom", "plain", "pipe", "sub"} {
		e, _, stderr := run(map[string]string{"script": filepath.Join(closed, name)})
		scripts = append(scripts, strings.ReplaceAll(e+stderr, name, "NAME"))
		e, _, stderr = run(map[string]string{"command": "pwd", "dir": filepath.Join(closed, name)})
		dirs = append(dirs, strings.ReplaceAll(e+stderr, name, "NAME"))
	}
	for _, all := range [][]string{scripts, dirs} {
		for i, text := range all {
			if text != all[0] || text == "" {
				t.Errorf("file %d: %q, but a missing one: %q", i, text, all[0])
			}
		}
	}
	for name, want := range map[string]string{"plain": "plain x", "able": "able x", "bare": "bare x"} {
		if e, stdout, stderr := run(map[string]string{"script": name, "dir": open, "args": "x"}); stdout != want || e != "" {
			t.Errorf("%s: %q, %q, %q", name, stdout, stderr, e)
		}
	}
	for dir, want := range map[string]string{filepath.Join(open, "missing"): "no such file or directory", filepath.Join(open, "plain"): "not a directory"} {
		if e, _, _ := run(map[string]string{"command": "pwd", "dir": dir}); !strings.Contains(e, "dir: "+dir+": "+want) {
			t.Errorf("%s: %q", dir, e)
		}
	}
	if e, _, _ := run(map[string]string{"script": filepath.Join(open, "pipe"), "timeout": "1s"}); !strings.Contains(e, "timeout after 1s") {
		t.Errorf("a pipe: %q", e)
	}
}
