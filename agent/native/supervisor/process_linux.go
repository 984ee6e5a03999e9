package supervisor

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent/native/supervisor/child"
)

// ErrUnsupervised says that the supervisor ended without a report: somebody
// killed it.
var ErrUnsupervised = errors.New("the supervisor of the process was killed")

// Process is a process under supervision.
type Process struct {
	PID int

	supervisor *exec.Cmd
	control    *os.File
	report     *os.File
	lines      *bufio.Scanner
	mark       string     // a variable of its environment, which no other process has
	mu         sync.Mutex // held while the control pipe is used
}

// self is the program that runs, also after its file was replaced or removed.
const self = "/proc/self/exe"

// Works reports why there can be no supervisors here; nil if there can be: the
// program may lack /proc, or be one that does not initialise this package, such
// as Python with a Go library. It tries it once.
var Works = sync.OnceValue(func() error {
	p, err := launch(exec.Command("/"), child.ModeCheck)
	if err != nil {
		return err
	}
	timer := time.AfterFunc(10*time.Second, func() { _ = p.supervisor.Process.Kill() }) // some other program
	defer timer.Stop()
	_, _, err = p.Wait()
	return err
})

// Start starts cmd under supervision: its path, arguments, environment,
// directory and files are used. With keep, processes that still run when it has
// ended by itself are left alone.
func Start(cmd *exec.Cmd, keep bool) (*Process, error) {
	mode := child.ModeEnd
	if keep {
		mode = child.ModeKeep
	}
	p, err := launch(cmd, mode)
	if err != nil {
		return nil, err
	}
	word, n, _ := p.next()
	if word == child.Started {
		p.PID = n
		return p, nil
	}
	p.end()
	if word == child.Failed {
		return nil, &os.PathError{Op: "start", Path: cmd.Path, Err: syscall.Errno(n)}
	}
	p.killUnsupervised() // the process can run before the report says so
	return nil, ErrUnsupervised
}

func launch(cmd *exec.Cmd, mode string) (*Process, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	report, reportTheirs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	defer reportTheirs.Close()
	s := exec.Command(self)
	s.Args = append([]string{child.Argv0, mode, cmd.Path}, cmd.Args...)
	mark := "JOBSTREAMER_SUPERVISOR=" + rand.Text()
	s.Env = append(slices.Clone(cmd.Environ()), mark)
	s.Dir, s.Stdin, s.Stdout, s.Stderr = cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr
	s.ExtraFiles = []*os.File{theirs, reportTheirs}
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to the agent's group is not the process's
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, ours.Close(), report.Close())
	}
	return &Process{supervisor: s, control: ours, report: report, lines: bufio.NewScanner(report), mark: mark}, nil
}

// next is the next line of the report; empty at its end.
func (p *Process) next() (word string, n int, more string) {
	if !p.lines.Scan() {
		return "", 0, ""
	}
	word, rest, _ := strings.Cut(p.lines.Text(), " ")
	number, more, _ := strings.Cut(rest, " ")
	n, _ = strconv.Atoi(number)
	return word, n, more
}

// Ask sends SIGTERM to the process, its group and what has left it.
func (p *Process) Ask() { p.tell(child.Ask) }

// Kill kills them.
func (p *Process) Kill() { p.tell(child.Kill) }

func (p *Process) tell(what byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.control.Write([]byte{what}) // it may have ended
}

// Wait waits until nothing is left of the process, and returns how it ended: as
// a shell counts it, and the signal if one killed it. stuck are processes that
// did not end.
func (p *Process) Wait() (status Status, stuck []Stuck, err error) {
	defer p.end()
	for {
		word, n, more := p.next()
		switch word {
		case child.Stuck:
			stuck = append(stuck, Stuck{n, more})
		case child.Exited:
			return Status{Code: n}, stuck, nil
		case child.Signaled:
			return Status{Code: 128 + n, Signal: fmt.Sprintf("signal %v", syscall.Signal(n))}, stuck, nil
		case child.Failed:
			return Status{Code: -1}, stuck, syscall.Errno(n)
		default:
			p.killUnsupervised()
			return Status{Code: -1}, stuck, ErrUnsupervised
		}
	}
}

// killUnsupervised kills what the supervisor has left behind: the process dies
// with it, what that has started does not. A process that has left the group
// and has dropped its environment is not found.
func (p *Process) killUnsupervised() {
	if p.PID != 0 {
		_ = syscall.Kill(-p.PID, syscall.SIGKILL) // it may have ended
	}
	KillMarked(p.mark, func(int) {})
}

// end waits for the supervisor itself.
func (p *Process) end() {
	p.mu.Lock()
	_ = p.control.Close()
	p.mu.Unlock()
	_ = p.report.Close()
	_ = p.supervisor.Wait() // what it reported counts
}
