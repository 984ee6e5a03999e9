package native

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// whyNotStarted explains an error of the system. "No such file or directory" about a script that is there means the
// interpreter in its first line (execve(2), ENOENT).
func whyNotStarted(cmd *exec.Cmd, err error) error {
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
	return fmt.Errorf("script: its first line asks for %q, which is not here", strings.TrimSpace(interpreter))
}

// firstLine is the first line of a file, with its line break, or the beginning of it.
func firstLine(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 4<<10)).ReadString('\n')
	return line
}
