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

// processes runs those of all steps, and notes them in files for the next life
// of the agent.
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
	// The agent may have died between a start and its note, and processes may
	// have left their group. The directory is ours alone, so whoever bears its
	// mark is of an earlier life.
	stuck := killMarked(p.mark, func(pid int) { p.log.Warn("ending a process of an earlier life", "pid", pid) })
	if len(stuck) > 0 {
		p.log.Error("processes of an earlier life do not end", "pids", stuck)
	}
	return p, nil
}

// endLeftover kills the group of a process that an earlier life started, if it
// is still that process. A note is the id of the process; its first line says
// when that started, the second what for.
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

// note writes down a process that has just started. Without fsync: if the
// machine goes down, so does the process.
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

// job is what a step runs, and where its output goes.
type job struct {
	cmd            *exec.Cmd
	stdout, stderr io.Writer // called from two goroutines
	keep           bool      // what still runs in the background when the process has ended
	what           string    // for people
	say            func(line string)
}

// run runs a process to its end and returns its exit code as text. When ctx
// ends it ends the process and all that it has started.
func (p *processes) run(ctx context.Context, j job) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	// Without a supervisor Linux kills the process when the thread that started
	// it ends, not the program (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if p.mark != "" && !j.keep {
		j.cmd.Env = append(j.cmd.Env, p.mark)
	}
	out, err := openOutput(&j)
	if err != nil {
		return "", err
	}
	b, err := startBody(j.cmd, j.keep, p.log)
	out.closeTheirs()
	if err != nil {
		out.finish()
		return "", whyNotStarted(j.cmd, err)
	}
	g := &group{body: b, ended: make(chan struct{})}
	p.live.Store(g, nil)
	defer p.live.Delete(g)
	defer p.note(b.pid(), j.what)()
	ender := make(chan struct{})
	go func() {
		defer close(ender)
		p.endWith(ctx, g)
	}()
	end := b.wait()
	g.end()
	<-ender
	for _, s := range end.stuck {
		j.say(fmt.Sprintf("process %s does not end although the step has: it is left alone", s))
	}
	out.finish()
	return verdict(ctx, g, end)
}

// body is a process and what it has started. How sure it is that all of that
// ends is up to the system.
type body interface {
	pid() int
	ask()         // to end
	kill()        // at once
	wait() ending // until nothing is left of it
}

// ending is how a process ended.
type ending struct {
	code   int    // as a shell counts it
	signal string // what killed it; empty if nothing did
	stuck  []string
	err    error
}

// group is a body that gets signals only while it lives: when it has ended, its
// id may be somebody else's.
type group struct {
	body  body
	ended chan struct{} // closed when nothing of it is left
	mu    sync.Mutex    // held while it gets a signal
	told  bool          // to end
}

// end notes that there is nothing left to send signals to.
func (g *group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.ended)
}

// tell sends a signal, unless the body has ended.
func (g *group) tell(send func(body)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.ended:
	default:
		g.told = true
		send(g.body)
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
		g.tell(body.ask)
		select {
		case <-g.ended:
		case <-time.After(p.grace):
		}
	}
	g.tell(body.kill)
}

// kindly says that the body may take its time to end: nobody else runs it yet.
func kindly(why error) bool {
	return errors.Is(why, agent.ErrStopped) || errors.Is(why, agent.ErrLeaving) || errors.Is(why, errTimeout)
}

// verdict says how a process ended. One that ended well before it was told to
// has done its work, whatever ctx says.
func verdict(ctx context.Context, g *group, end ending) (string, error) {
	if end.err != nil {
		return "", end.err
	}
	exit := strconv.Itoa(end.code)
	switch why := context.Cause(ctx); {
	case g.told && errors.Is(why, errTimeout):
		return "FAILED", why
	case end.signal != "":
		return exit, fmt.Errorf("killed by %s", end.signal)
	case end.code != 0:
		return exit, fmt.Errorf("exit code %d", end.code)
	case g.told:
		return exit, why
	}
	return exit, nil
}
