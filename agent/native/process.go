package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// processes starts the processes of all steps. It keeps a file for each running
// one, so that an agent that starts later can kill those that this one leaves
// behind.
type processes struct {
	dir string // of the files; empty: no files
	// mark is an environment variable of every process, inherited by its
	// children. It identifies this agent's DataDir.
	mark    string
	grace   time.Duration
	log     *slog.Logger
	running *sync.Map // *liveBody of each running process
}

// openProcesses kills the processes that an earlier agent has left.
func openProcesses(h agent.Host, running *sync.Map) (*processes, error) {
	p := &processes{grace: h.Grace, log: h.Log, running: running}
	if h.DataDir == "" {
		return p, nil
	}
	dir, err := filepath.Abs(h.DataDir)
	if err != nil {
		return nil, err
	}
	p.dir = filepath.Join(dir, "processes")
	p.mark = agentMark + "=" + dir
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	notes, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		p.killLeftover(n.Name())
	}
	// The agent may have died between starting a process and writing its file,
	// and processes may have left their group. Only one agent uses this
	// DataDir, so each process with its mark belongs to an earlier agent.
	stuck := killMarked(p.mark, func(pid int) { p.log.Warn("killing a process that a previous run of the agent has left", "pid", pid) })
	if len(stuck) > 0 {
		p.log.Error("processes that a previous run of the agent has left do not end", "pids", stuck)
	}
	return p, nil
}

// killLeftover kills the group of a process that an earlier agent has started,
// if its leader is still that process. The name of the file is the process id.
// Its first line is the start time, the second line says what the process runs
// for.
func (p *processes) killLeftover(name string) {
	file := filepath.Join(p.dir, name)
	defer os.Remove(file)
	note, err := os.ReadFile(file)
	pid, numErr := strconv.Atoi(name)
	if err != nil || numErr != nil || pid <= 1 {
		return
	}
	started, what, _ := strings.Cut(string(note), "\n")
	if isSameProcess(pid, started) {
		p.log.Warn("killing a process that a previous run of the agent has left", "pid", pid, "what", strings.TrimSpace(what))
		killGroup(pid)
	}
}

// rememberProcess writes the file of a process that has just started. It needs
// no fsync: if the machine goes down, so does the process. forget removes the
// file.
func (p *processes) rememberProcess(pid int, what string) (forget func()) {
	if p.dir == "" {
		return func() {}
	}
	file := filepath.Join(p.dir, strconv.Itoa(pid))
	if err := os.WriteFile(file, []byte(startTime(pid)+"\n"+what+"\n"), 0o600); err != nil {
		p.log.Error("process file not written: if the agent is killed, the process may go on running", "pid", pid, "err", err)
	}
	return func() { _ = os.Remove(file) }
}

// stepProcess is the process that a step runs, and the destination of its
// output.
type stepProcess struct {
	cmd            *exec.Cmd
	place          workplace // of the user whom the process runs as
	stdout, stderr io.Writer // called from two goroutines
	keepBackground bool      // leaves background processes alone when the process has ended
	description    string    // for people
	warn           func(line string)
}

// runProcess runs a process to its end and returns its exit code as text. When
// ctx ends, it ends the process and all processes that this one has started.
func (p *processes) runProcess(ctx context.Context, j stepProcess) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	// Without a supervisor, Linux kills the process when the thread that
	// started it ends, not when the program does (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if p.mark != "" && !j.keepBackground {
		j.cmd.Env = append(j.cmd.Env, p.mark)
	}
	out, err := openOutput(&j)
	if err != nil {
		return "", err
	}
	b, err := startBody(j.cmd, j.keepBackground, p.log)
	out.closeWriteEnds()
	if err != nil {
		out.finishReading()
		return "", whyNotStarted(j.cmd, j.place.user, err)
	}
	g := &liveBody{body: b, ended: make(chan struct{})}
	p.running.Store(g, nil)
	defer p.running.Delete(g)
	defer p.rememberProcess(b.processID(), j.description)()
	ender := make(chan struct{})
	go func() {
		defer close(ender)
		p.endWithContext(ctx, g)
	}()
	end := b.waitForEnd()
	g.markEnded()
	<-ender
	for _, s := range end.stuck {
		j.warn(fmt.Sprintf("process %s has survived SIGKILL after the end of the step and may go on running", s))
	}
	out.finishReading()
	return exitResult(ctx, g, end)
}

// body is a process with the processes that it has started. The operating
// system decides how reliably they all end.
type body interface {
	processID() int
	terminate()             // asks them to end
	killAll()               // ends them at once
	waitForEnd() processEnd // blocks until none of them is left
}

// processEnd tells how a process ended.
type processEnd struct {
	code   int    // as in a shell: 128 plus the number of a signal
	signal string // the signal that killed it; empty if none did
	stuck  []string
	err    error
}

// liveBody signals a body only while it runs. After its end, another process
// may get its id.
type liveBody struct {
	body     body
	ended    chan struct{} // closed when no process of the body is left
	mu       sync.Mutex    // held while a signal is sent
	signaled bool          // it was told to end
}

// markEnded prevents further signals.
func (g *liveBody) markEnded() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.ended)
}

// signalIfRunning sends a signal, unless the body has ended.
func (g *liveBody) signalIfRunning(send func(body)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.ended:
	default:
		g.signaled = true
		send(g.body)
	}
}

// endWithContext ends the body when ctx ends. If the cause allows it, the body
// gets the grace period first.
func (p *processes) endWithContext(ctx context.Context, g *liveBody) {
	select {
	case <-g.ended:
		return
	case <-ctx.Done():
	}
	if allowsGrace(context.Cause(ctx)) {
		g.signalIfRunning(body.terminate)
		select {
		case <-g.ended:
		case <-time.After(p.grace):
		}
	}
	g.signalIfRunning(body.killAll)
}

// allowsGrace reports whether the body may take its time to end, because no
// other agent runs it yet.
func allowsGrace(why error) bool {
	return errors.Is(why, agent.ErrStopped) || errors.Is(why, agent.ErrLeaving) || errors.Is(why, errTimeout)
}

// exitResult returns the exit status and error of a process that has ended. A
// process that succeeded before it was signaled has done its work, even if ctx
// has ended.
func exitResult(ctx context.Context, g *liveBody, end processEnd) (string, error) {
	if end.err != nil {
		return "", end.err
	}
	exit := strconv.Itoa(end.code)
	switch why := context.Cause(ctx); {
	case g.signaled && errors.Is(why, errTimeout):
		return "FAILED", why
	case end.signal != "":
		return exit, fmt.Errorf("killed by %s", end.signal)
	case end.code != 0:
		return exit, fmt.Errorf("exit code %d", end.code)
	case g.signaled:
		return exit, why
	}
	return exit, nil
}
