package native_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// daemons are ways to leave a step. Each one writes the id of the remaining
// process to the file %s.
var daemons = []struct{ name, command string }{
	{"setsid by the child after its parent has ended", `(exec sh -c 'sleep 0.0%d; exec setsid sh -c "echo \$\$ > %[2]s; exec sleep 71"') & [ %[1]d = 0 ] || :`},
	{"fork, setsid, fork", `(setsid sh -c 'sh -c "echo \$\$ > %[2]s; exec sleep 72" & exit 0') & sleep 0.0%[1]d`},
	{"without our environment", `(env -i PATH="$PATH" setsid sh -c 'echo $$ > %[2]s; exec sleep 73' </dev/null >/dev/null 2>&1) & sleep 0.0%[1]d`},
}

// A daemon ends with its step, at whatever moment the step ends.
func TestDaemonsEndWithTheirStep(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Slots: 8, Runtime: native.New(native.Config{})})
	for _, d := range daemons {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for i := range 8 {
				file := filepath.Join(t.TempDir(), "pid")
				end := room.AwaitEnd(room.Submit(room.Request(shellJob(map[string]string{"command": fmt.Sprintf(d.command, i, file)}))))
				if end.BatchStatus != subjects.Completed {
					t.Fatalf("it is %+v", end)
				}
				// The result comes after the end of all processes, so the test
				// does not wait here.
				b, _ := os.ReadFile(file) // it may have ended before it wrote
				if pid := strings.TrimSpace(string(b)); pid != "" {
					if _, err := os.Stat("/proc/" + pid); err == nil {
						t.Errorf("process %s outlives its step", pid)
					}
				}
			}
		})
	}
}

// A process that a step keeps in the background lives on after the step and
// after a restart of the agent, but not after a stop of the step.
func TestKeptInTheBackground(t *testing.T) {
	room := agenttest.New(t)
	cfg := agent.Config{DataDir: t.TempDir(), Grace: time.Second, Runtime: native.New(native.Config{})}
	run := room.Start(cfg)
	file := filepath.Join(t.TempDir(), "pids")
	end := room.Run(shellJob(map[string]string{"command": fmt.Sprintf(`sleep 74 & echo $! > %s`, file), "background": "keep"}))
	kept := readPIDs(t, file, 1)
	t.Cleanup(func() {
		for _, pid := range kept {
			p, err := os.FindProcess(pid)
			if err == nil {
				_ = p.Kill()
			}
		}
	})
	if end.BatchStatus != subjects.Completed || !isAlive(kept[0]) {
		t.Errorf("it is %+v, process %v lives: %v", end, kept, isAlive(kept[0]))
	}
	if err := run.Stop(); err != nil {
		t.Error(err)
	}
	cfg.Runtime = native.New(native.Config{})
	run = room.Start(cfg)
	second := filepath.Join(t.TempDir(), "pids")
	id := room.Submit(room.Request(shellJob(map[string]string{"command": fmt.Sprintf(`sleep 75 & echo $! > %s; wait`, second), "background": "keep"})))
	stopped := readPIDs(t, second, 1)
	if !isAlive(kept[0]) {
		t.Error("the next life of the agent ended what was kept")
	}
	room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
	room.AwaitEnd(id)
	awaitGone(t, stopped)
}

// When an agent dies by kill -9, its processes die at once. No later agent
// cleans up in this test.
func TestNothingOutlivesAKilledAgent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runAsAgent+`=echo $$ > `+file+`; sleep 76 & echo $! >> `+file+`
		setsid sh -c 'echo $$ >> `+file+`; exec sleep 77' & env -i /usr/bin/setsid /bin/sh -c 'echo $$ >> `+file+`; exec sleep 78' & wait`)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := readPIDs(t, file, 4)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	awaitGone(t, all)
}

// A job may kill its own supervisor. It fails then, and the rest of its process
// group ends.
func TestAKilledSupervisor(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: native.New(native.Config{})})
	file := filepath.Join(t.TempDir(), "pids")
	end := room.Run(shellJob(map[string]string{"command": fmt.Sprintf(`sleep 79 & echo $! > %s; kill -9 $PPID; wait`, file)}))
	if end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, "supervisor of the process was killed") {
		t.Errorf("it is %+v", end)
	}
	awaitGone(t, readPIDs(t, file, 1))
}
