package native

import (
	"context"
	"errors"
	"fmt"
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

// pipeDelay is how long the output of a process that has ended may stay open, by what has left its group.
const pipeDelay = 2 * time.Second

// processes runs those of all steps, and notes them in files for the next life of the agent.
type processes struct {
	dir   string // empty: they are not noted
	mark  string // a variable that every process has, and passes on: it tells whose it is
	grace time.Duration
	log   *slog.Logger
	live  *sync.Map // *group of what runs
}

// openProcesses ends what was left behind.
func openProcesses(h agent.Host, live *sync.Map) (*processes, error) {
	p := &processes{grace: h.Grace, log: h.Log, live: live}
	if h.DataDir == "" {
		return p, nil
	}
	dir, err := filepath.Abs(h.DataDir)
	if err != nil {
		return nil, err
	}
	p.dir = filepath.Join(dir, "processes")
	p.mark = "JOBSTREAMER_AGENT_DATA=" + dir
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	notes, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		p.endLeftover(n.Name())
	}
	// The agent may have died between a start and its note, and processes may have left their group. The directory is ours
	// alone, so whoever bears its mark is of an earlier life.
	for _, pid := range marked(p.mark) {
		p.log.Warn("ending a process of an earlier life", "pid", pid)
		killOne(pid)
	}
	return p, nil
}

// endLeftover kills the group of a process that an earlier life started, if it is still that process. A note is the id of
// the process; its first line says when that started, the second what for.
func (p *processes) endLeftover(name string) {
	file := filepath.Join(p.dir, name)
	defer os.Remove(file)
	note, err := os.ReadFile(file)
	pid, numErr := strconv.Atoi(name)
	if err != nil || numErr != nil || pid <= 1 {
		return
	}
	started, what, _ := strings.Cut(string(note), "\n")
	if ours(pid, started) {
		p.log.Warn("ending a process of an earlier life", "pid", pid, "what", strings.TrimSpace(what))
		killGroup(pid)
	}
}

// note writes down a process that has just started. Without fsync: if the machine goes down, so does the process.
func (p *processes) note(pid int, what string) (forget func()) {
	if p.dir == "" {
		return func() {}
	}
	file := filepath.Join(p.dir, strconv.Itoa(pid))
	if err := os.WriteFile(file, []byte(startTime(pid)+"\n"+what+"\n"), 0o600); err != nil {
		p.log.Error("process not noted: it will be left if the agent is killed", "pid", pid, "err", err)
	}
	return func() { _ = os.Remove(file) }
}

// run runs cmd to its end and returns its exit code as text. When ctx ends it ends the whole group.
func (p *processes) run(ctx context.Context, cmd *exec.Cmd, what string) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	// Linux kills the process when the thread that started it ends, not the program (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lead(cmd)
	if p.mark != "" {
		cmd.Env = append(cmd.Env, p.mark)
	}
	cmd.WaitDelay = pipeDelay
	if err := cmd.Start(); err != nil {
		return "", err
	}
	g := &group{pid: cmd.Process.Pid, ended: make(chan struct{})}
	p.live.Store(g, nil)
	defer p.live.Delete(g)
	defer p.note(g.pid, what)()
	ender := make(chan struct{})
	go func() {
		defer close(ender)
		p.endWith(ctx, g)
	}()
	err := waitGroup(cmd, g)
	<-ender
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // something that left the group holds the output; the process itself is done
	}
	return verdict(ctx, g, cmd.ProcessState, err)
}

// group is a process and what it has started.
type group struct {
	pid   int
	ended chan struct{} // closed when nothing of it is left
	mu    sync.Mutex    // held while it gets a signal: when it has ended, the id may be somebody else's
	told  bool          // to end
}

// end notes that there is nothing left to send signals to.
func (g *group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.ended)
}

// tell sends a signal, unless the group has ended.
func (g *group) tell(send func(pid int)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.ended:
	default:
		g.told = true
		send(g.pid)
	}
}

// endWith ends the group when ctx does: kindly if there is time for that.
func (p *processes) endWith(ctx context.Context, g *group) {
	select {
	case <-g.ended:
		return
	case <-ctx.Done():
	}
	if kindly(context.Cause(ctx)) {
		g.tell(askGroup)
		select {
		case <-g.ended:
		case <-time.After(p.grace):
		}
	}
	g.tell(killGroup)
}

// kindly says that the body may take its time to end: nobody else runs it yet.
func kindly(why error) bool {
	return errors.Is(why, agent.ErrStopped) || errors.Is(why, agent.ErrLeaving) || errors.Is(why, errTimeout)
}

// verdict says how a process ended. One that ended well before it was told to has done its work, whatever ctx says.
func verdict(ctx context.Context, g *group, s *os.ProcessState, err error) (string, error) {
	if s == nil {
		return "", err
	}
	code, signal := exitCode(s)
	exit := strconv.Itoa(code)
	switch why := context.Cause(ctx); {
	case g.told && errors.Is(why, errTimeout):
		return "FAILED", why
	case signal != "":
		return exit, fmt.Errorf("killed by %s", signal)
	case code != 0:
		return exit, fmt.Errorf("exit code %d", code)
	case g.told:
		return exit, why
	}
	return exit, err
}
