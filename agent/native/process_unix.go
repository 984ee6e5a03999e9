//go:build linux || darwin

package native

import (
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
)

const scriptSuffix = ".sh"

func shellCommand(line string) *exec.Cmd { return exec.Command("/bin/sh", "-c", line) }

// scriptCommand runs a file by itself if it may be, else by the shell.
func scriptCommand(file string, args []string) *exec.Cmd {
	if info, err := os.Stat(file); err == nil && info.Mode()&0o111 != 0 && hasInterpreter(file) {
		return exec.Command(file, args...)
	}
	return exec.Command("/bin/sh", append([]string{file}, args...)...)
}

// hasInterpreter says that the system can run the file: it begins with #!, or
// is no text at all.
func hasInterpreter(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return true // the system says what is wrong with it
	}
	defer f.Close()
	var begin [4]byte
	n, _ := f.Read(begin[:])
	b := string(begin[:n])
	if len(b) >= 2 && b[:2] == "#!" {
		return true
	}
	for i := range n {
		if b[i] >= 0x7f || b[i] < '\t' {
			return true
		}
	}
	return false
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// unixGroup is a body that is a process group.
type unixGroup struct {
	cmd  *exec.Cmd
	keep bool
	told atomic.Bool
}

func startGroup(cmd *exec.Cmd, keep bool) (body, error) {
	lead(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &unixGroup{cmd: cmd, keep: keep}, nil
}

func (g *unixGroup) pid() int { return g.cmd.Process.Pid }

func (g *unixGroup) ask() {
	g.told.Store(true)
	_ = syscall.Kill(-g.pid(), syscall.SIGTERM) // it may have ended
}

func (g *unixGroup) kill() {
	g.told.Store(true)
	killGroup(g.pid())
}

func (g *unixGroup) wait() ending {
	err := waitGroup(g.cmd, func() {
		if !g.keep || g.told.Load() {
			killGroup(g.pid())
		}
	})
	if g.cmd.ProcessState == nil {
		return ending{err: err}
	}
	code, signal := exitCode(g.cmd.ProcessState)
	return ending{code: code, signal: signal}
}

// exitCode is that of a shell: 128 and its number for a signal, which is named
// then.
func exitCode(s *os.ProcessState) (code int, signal string) {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), "signal " + w.Signal().String()
	}
	return s.ExitCode(), ""
}
