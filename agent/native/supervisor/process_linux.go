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

// ErrUnsupervised is returned if the supervisor ended without a report, because
// it was killed.
var ErrUnsupervised = errors.New("the supervisor of the process was killed")

// Process is a supervised process.
type Process struct {
	PID int

	supervisor *exec.Cmd
	control    *os.File
	report     *os.File
	lines      *bufio.Scanner
	mark       string     // an environment variable that only this process and its children have
	mu         sync.Mutex // held while the control pipe is used
}

// self is the running program, even if its file was replaced or removed.
const self = "/proc/self/exe"

// Works returns nil if supervisors can run here, and the reason if they cannot.
// The program may lack /proc, or it does not initialise this package, like a
// Python program with a Go library. Works tries it only once.
var Works = sync.OnceValue(func() error {
	// The environment has none of the agent's secrets.
	p, err := launchSupervisor(&exec.Cmd{Path: "/", Env: []string{}}, child.ModeCheck)
	if err != nil {
		return err
	}
	// If self is some other program, it may not end by itself.
	timer := time.AfterFunc(10*time.Second, func() { _ = p.supervisor.Process.Kill() })
	defer timer.Stop()
	_, _, err = p.Wait()
	return err
})

// Start starts cmd under a supervisor. It uses the path, arguments,
// environment, directory, files and user (SysProcAttr.Credential) of cmd. If
// keep is set, processes that still run when cmd has ended by itself are left
// alone.
func Start(cmd *exec.Cmd, keep bool) (*Process, error) {
	mode := child.ModeEnd
	if keep {
		mode = child.ModeKeep
	}
	p, err := launchSupervisor(cmd, mode)
	if err != nil {
		return nil, err
	}
	word, n, _ := p.readReport()
	if word == child.Started {
		p.PID = n
		return p, nil
	}
	p.waitForSupervisor()
	if word == child.Failed {
		return nil, &os.PathError{Op: "start", Path: cmd.Path, Err: syscall.Errno(n)}
	}
	p.killUnsupervised() // the process may run although its start was not reported
	return nil, ErrUnsupervised
}

func launchSupervisor(cmd *exec.Cmd, mode string) (*Process, error) {
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
	user, dir := "", ""
	if s.Dir = cmd.Dir; cmd.SysProcAttr != nil && cmd.SysProcAttr.Credential != nil {
		// The process goes to its directory as its user, who may not be allowed to.
		user, dir, s.Dir = fmt.Sprintf("%d %d", cmd.SysProcAttr.Credential.Uid, cmd.SysProcAttr.Credential.Gid), cmd.Dir, "/"
	}
	s.Args = append([]string{child.Argv0, mode, user, dir, cmd.Path}, cmd.Args...)
	mark := Mark + "=" + rand.Text()
	s.Env = append(slices.Clone(cmd.Environ()), mark)
	s.Stdin, s.Stdout, s.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
	s.ExtraFiles = []*os.File{theirs, reportTheirs}
	// A signal to the agent's group must not reach the process.
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, ours.Close(), report.Close())
	}
	return &Process{supervisor: s, control: ours, report: report, lines: bufio.NewScanner(report), mark: mark}, nil
}

// readReport returns the next line of the report. At its end the word is empty.
func (p *Process) readReport() (word string, n int, more string) {
	if !p.lines.Scan() {
		return "", 0, ""
	}
	word, rest, _ := strings.Cut(p.lines.Text(), " ")
	number, more, _ := strings.Cut(rest, " ")
	n, _ = strconv.Atoi(number)
	return word, n, more
}

// Ask sends SIGTERM to the process, to its group, and to its descendants
// outside the group.
func (p *Process) Ask() { p.sendControl(child.Ask) }

// Kill sends SIGKILL to them.
func (p *Process) Kill() { p.sendControl(child.Kill) }

func (p *Process) sendControl(what byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.control.Write([]byte{what}) // the supervisor may have ended
}

// Wait blocks until neither the process nor a descendant is left, and returns
// how the process ended. stuck lists the processes that did not end although
// they were killed.
func (p *Process) Wait() (status Status, stuck []Stuck, err error) {
	defer p.waitForSupervisor()
	for {
		word, n, more := p.readReport()
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

// killUnsupervised kills the processes that a killed supervisor has left: the
// leader died with it, its descendants did not. It does not find a process that
// has left the group and has cleared its environment.
func (p *Process) killUnsupervised() {
	if p.PID != 0 {
		_ = syscall.Kill(-p.PID, syscall.SIGKILL) // it may have ended
	}
	KillMarked(p.mark, func(int) {})
}

// waitForSupervisor closes the pipes and waits for the supervisor itself.
func (p *Process) waitForSupervisor() {
	p.mu.Lock()
	_ = p.control.Close()
	p.mu.Unlock()
	_ = p.report.Close()
	_ = p.supervisor.Wait() // its report counts, not its exit code
}
