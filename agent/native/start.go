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
	if !errors.Is(err, syscall.ENOENT) {
		return err
	}
	if _, statErr := os.Stat(cmd.Path); statErr != nil {
		return err
	}
	line := firstLine(cmd.Path)
	if !strings.HasPrefix(line, "#!") {
		return err
	}
	interpreter, _, _ := strings.Cut(strings.TrimLeft(line[2:], " \t"), " ")
	return fmt.Errorf("script: its first line names the interpreter %q, which does not exist on the agent's host", strings.TrimSpace(interpreter))
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

// firstLine returns the first line of a file with its line feed, or the
// beginning of a long one.
func firstLine(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 4<<10)).ReadString('\n')
	return line
}
