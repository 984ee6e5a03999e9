package native

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// whyNotStarted explains an error of the kernel. "No such file or directory"
// about an existing script means the interpreter in its first line (execve(2),
// ENOENT).
func whyNotStarted(cmd *exec.Cmd, u *User, err error) error {
	if u != nil && errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%w for the user %s in the directory %s", err, u.Name, cmd.Dir)
	}
	if u != nil && errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("dir: %s: %w", cmd.Dir, syscall.ENOTDIR)
	}
	if !errors.Is(err, syscall.ENOENT) {
		return err
	}
	// For another user it is the shell, or a script that the agent has written.
	s, readErr := readScript(cmd.Path)
	if readErr != nil {
		return err
	}
	interpreter, isScript := s.interpreter()
	switch {
	case u != nil && isScript:
		return fmt.Errorf("script: %w: either the directory %s or the interpreter %q in its first line", syscall.ENOENT, cmd.Dir, interpreter)
	case u != nil:
		return fmt.Errorf("dir: %s: %w", cmd.Dir, syscall.ENOENT)
	case isScript:
		return fmt.Errorf("script: its first line names the interpreter %q, which does not exist on the agent's host", interpreter)
	}
	return err
}

// checkText refuses a text for which a shell or the kernel would only report
// that a file does not exist: lines that end with CR LF, as on Windows, or a
// byte order mark.
func checkText(what, text string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if strings.HasPrefix(text, "\ufeff") {
		return fmt.Errorf("%s: it begins with a byte order mark (U+FEFF), want none", what)
	}
	if n := strings.Count(text, "\n"); n > 0 && strings.Count(text, "\r\n") == n {
		return fmt.Errorf("%s: its lines end with CR LF, want LF only, since the CR would be part of each command", what)
	}
	return nil
}

// scriptFile is what is known of the file of a script before it runs.
type scriptFile struct {
	mode       os.FileMode
	firstLine  string // with its line feed, or the beginning of a long one
	unreadable bool   // by the agent
}

// interpreter returns the program that the first line names after #!.
func (s *scriptFile) interpreter() (program string, ok bool) {
	line, ok := strings.CutPrefix(s.firstLine, "#!")
	program, _, _ = strings.Cut(strings.TrimLeft(line, " \t"), " ")
	return strings.TrimSpace(program), ok
}

// readScript reads the beginning of a script. The file must be a regular one:
// opening a pipe would block until another process opens it too, and opening a
// device may have an effect.
func readScript(file string) (s scriptFile, err error) {
	is, err := os.Stat(file)
	if err != nil {
		return s, err
	}
	if !is.Mode().IsRegular() {
		return s, notRegular(file)
	}
	// Another file may be there by now.
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return scriptFile{mode: is.Mode(), unreadable: true}, nil // its program reports the error
	}
	defer f.Close()
	if is, err = f.Stat(); err != nil {
		return s, err
	}
	if !is.Mode().IsRegular() {
		return s, notRegular(file)
	}
	line, _ := bufio.NewReader(io.LimitReader(f, 4<<10)).ReadString('\n')
	return scriptFile{mode: is.Mode(), firstLine: line}, nil
}

func notRegular(file string) error { return fmt.Errorf("%s is not a regular file", file) }
