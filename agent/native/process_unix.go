//go:build linux || darwin

package native

import (
	"os"
	"os/exec"
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

// hasInterpreter says that the system can run the file: it begins with #!, or is no text at all.
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

func askGroup(pid int)  { _ = syscall.Kill(-pid, syscall.SIGTERM) }
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// exitCode is that of a shell: 128 and its number for a signal, which is named then.
func exitCode(s *os.ProcessState) (code int, signal string) {
	if s == nil {
		return -1, ""
	}
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), "signal " + w.Signal().String()
	}
	return s.ExitCode(), ""
}
