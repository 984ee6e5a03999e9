// Package conformance tests an agent in any language against the contract in
// the package comment of subjects. It uses a real broker and runs the agent as
// a real process.
//
//	suite, as the bus ---------- in process ----------> broker
//	suite ---> proxy: cuts, drops, watches <----------> broker
//	              ^
//	agent --------+  TCP        its jobs append to files that the suite reads
//
// Each agent connects as a user that has the permissions in the contract and no
// others. The suite creates the streams and consumers and plays the bus. It
// relies on the contract alone: if the suite needs to know something else, then
// the contract is incomplete. An agent under test must be able to run a shell
// command in a step: the batchlet org.jobstreamer.batch.ShellBatchlet with the
// property "command", run by a POSIX shell.
//
// Processes and sockets run in real time. So every wait is for a condition, and
// its deadline passes only if there is a fault. To check that an event does not
// happen, a test waits for a later event and then looks for the first.
package conformance

import (
	"bytes"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options tells the caller of the suite how to start an agent.
type Options struct {
	URL       string // of the broker, with user and password
	Name      string
	Apps      []string
	Pools     []string
	Slots     int
	Data      string        // directory of the agent; it exists
	Heartbeat time.Duration // interval
}

// Process is an agent's process.
type Process struct {
	cmd    *exec.Cmd
	output *processOutput
	ended  chan struct{} // closed once Wait has returned
}

// Start starts cmd as an agent. The process is stopped at the end of the test.
// If the test failed, its log shows the end of the process's output.
func Start(t *testing.T, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, output: &processOutput{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.WaitDelay = 5 * time.Second // a process of a job may outlive the agent and hold the pipe open
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

// Kill kills the agent, as a power cut would, and waits until it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// askToLeave sends SIGTERM to the agent.
func (p *Process) askToLeave() { _ = p.cmd.Process.Signal(syscall.SIGTERM) } // it may have ended already

// stopOrKill asks the agent to leave and kills it if it still runs 500 ms later.
func (p *Process) stopOrKill() {
	p.askToLeave()
	select {
	case <-p.ended:
	case <-time.After(500 * time.Millisecond):
		p.Kill()
	}
}

// hasEnded reports whether the agent's process has ended.
func (p *Process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// processOutput collects the output of a process. It is safe for concurrent use.
type processOutput struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *processOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// lastLines returns the last n bytes of the output.
func (o *processOutput) lastLines(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.b.Bytes()
	return string(b[max(0, len(b)-n):])
}

// Run runs the suite; start starts an agent. The subtests run in parallel and
// mostly wait, so go test's -parallel may be much higher than the number of
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
	for _, part := range [][]testCase{claiming, unknownOutcomes, restarts, running, keeping, elements, fencing, commands, heartbeats} {
		all = append(all, part...)
	}
	return all
}
