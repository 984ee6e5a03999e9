// Package conformance is what any agent has to pass, whatever it is written in:
// the package comment of subjects, played against a real broker and a real
// process.
//
//	suite, as the bus --------- in process ---------> broker
//	suite ---> proxy: cuts, swallows, watches <----> broker
//	              ^
//	agent --------+  TCP        its jobs append to files that the suite reads
//
// Each agent connects as a user with the permissions of that comment, and no
// others. The suite makes the streams and consumers itself and answers for the
// bus, by the contract and nothing else: what it has to know beyond that
// comment is missing there. It asks of the jobs only that a step can run a
// command: the batchlet org.jobstreamer.batch.ShellBatchlet with the property
// "command", run by a POSIX shell.
//
// Processes and sockets live in real time. So every wait is for something to
// become true, with a deadline that only a fault reaches, and that something
// does not happen is judged after something that would have come later.
package conformance

import (
	"bytes"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options is how the suite wants an agent started.
type Options struct {
	URL       string // of the broker, with user and password
	Name      string
	Apps      []string
	Pools     []string
	Slots     int
	Data      string        // directory of the agent; it exists
	Heartbeat time.Duration // between heartbeats
}

// Process is an agent that runs.
type Process struct {
	cmd    *exec.Cmd
	output *processOutput
	ended  chan struct{} // closed when it has been waited for
}

// Start starts cmd as an agent. It is killed at the end of the test, and what
// it wrote is shown if the test failed.
func Start(t *testing.T, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, output: &processOutput{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.WaitDelay = 5 * time.Second // a job that was left behind may hold the pipe
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the agent: %v", err)
	}
	go func() {
		_ = cmd.Wait() // the exit code is read from ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stopOrKill()
		if t.Failed() {
			t.Logf("the agent %d wrote:\n%s", cmd.Process.Pid, p.output.lastLines(4096))
		}
	})
	return p
}

// Kill ends the agent as a power cut would, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// ask tells the agent to leave.
func (p *Process) askToLeave() { _ = p.cmd.Process.Signal(syscall.SIGTERM) } // it may be gone already

// stop asks the agent to leave, and kills it if it does not at once.
func (p *Process) stopOrKill() {
	p.askToLeave()
	select {
	case <-p.ended:
	case <-time.After(500 * time.Millisecond):
		p.Kill()
	}
}

// over says whether the agent has ended.
func (p *Process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// output is what a process wrote, safe to read meanwhile.
type processOutput struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *processOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *processOutput) lastLines(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.b.Bytes()
	return string(b[max(0, len(b)-n):])
}

// Run plays the suite with the agents that start makes. Subtests run in
// parallel and mostly wait: go test's -parallel may be far above the number of
// cores.
func Run(t *testing.T, start func(t *testing.T, o Options) *Process) {
	all := allCases()
	b := newBroker(t, len(all))
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.play(newRoom(t, b, start))
		})
	}
}

// testCase is one rule of the contract.
type testCase struct {
	name string
	play func(r *room)
}

func allCases() []testCase {
	var all []testCase
	for _, part := range [][]testCase{claiming, unknownOutcomes, restarts, running, fencing, commands, heartbeats} {
		all = append(all, part...)
	}
	return all
}
