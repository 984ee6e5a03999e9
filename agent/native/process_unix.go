//go:build linux || darwin

package native

import (
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
)

const scriptSuffix = ".sh"

func shellCommand(line string) *exec.Cmd { return exec.Command("/bin/sh", "-c", line) }

// scriptCommand runs an executable file directly, and any other file by the
// shell.
func scriptCommand(file string, s scriptFile, args []string) *exec.Cmd {
	if s.mode&0o111 != 0 && s.hasInterpreter() {
		return exec.Command(file, args...)
	}
	return exec.Command("/bin/sh", append([]string{file}, args...)...)
}

// hasInterpreter reports whether the kernel can run the file: it begins with
// #!, or it is binary. For a file that the agent cannot read, the kernel reports
// the error.
func (s *scriptFile) hasInterpreter() bool {
	b := s.firstLine[:min(4, len(s.firstLine))]
	if s.unreadable || strings.HasPrefix(b, "#!") {
		return true
	}
	for i := range len(b) {
		if b[i] >= 0x7f || b[i] < '\t' {
			return true
		}
	}
	return false
}

// userScriptCommand is a scriptCommand for another user, whose process looks at
// the file itself: what the agent finds in folders that are closed to the user
// must not show. A shell runs a file without an interpreter itself
// (POSIX, XCU 2.9.1.6).
func userScriptCommand(file string, args []string) *exec.Cmd {
	const run = `if [ -f "$1" ] && [ -x "$1" ]; then exec "$@"; fi; exec /bin/sh "$@"`
	return exec.Command("/bin/sh", append([]string{"-c", run, "sh", file}, args...)...)
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// unixGroup is a body that is a process group.
type unixGroup struct {
	cmd      *exec.Cmd
	keep     bool
	signaled atomic.Bool
}

func startGroup(cmd *exec.Cmd, keep bool) (body, error) {
	makeGroupLeader(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &unixGroup{cmd: cmd, keep: keep}, nil
}

func (g *unixGroup) processID() int { return g.cmd.Process.Pid }

func (g *unixGroup) terminate() {
	g.signaled.Store(true)
	_ = syscall.Kill(-g.processID(), syscall.SIGTERM) // the process may have ended
}

func (g *unixGroup) killAll() {
	g.signaled.Store(true)
	killGroup(g.processID())
}

func (g *unixGroup) waitForEnd() processEnd {
	err := waitGroup(g.cmd, func() {
		if !g.keep || g.signaled.Load() {
			killGroup(g.processID())
		}
	})
	if g.cmd.ProcessState == nil {
		return processEnd{err: err}
	}
	code, signal := exitCode(g.cmd.ProcessState)
	return processEnd{code: code, signal: signal}
}

// exitCode returns the exit code as in a shell: for a signal, 128 plus its
// number, and its name.
func exitCode(s *os.ProcessState) (code int, signal string) {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), "signal " + w.Signal().String()
	}
	return s.ExitCode(), ""
}
