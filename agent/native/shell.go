package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Shell is the batchlet that runs a command or a script.
const Shell = jsl.ShellBatchlet

// errTimeout is the cause of the end of a process that took too long.
var errTimeout = errors.New("time is over")

// shell runs the process of a step. The exit status is its exit code.
func (r *run) shell(ctx context.Context, s *jsl.Step) (string, error) {
	property := func(name string) string {
		if v, ok := s.Batchlet.Properties.Get(name); ok {
			return v
		}
		v, _ := s.Properties.Get(name)
		return v
	}
	if text := property("timeout"); text != "" {
		d, err := duration(text)
		if err != nil {
			return "", fmt.Errorf("timeout: %w", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, fmt.Errorf("%w after %v", errTimeout, d))
		defer cancel()
	}
	cmd, cleanup, err := command(property("command"), property("script"), property("args"), property("dir"))
	if err != nil {
		return "", err
	}
	defer cleanup()
	cmd.Env = r.environment(s)
	keep, err := background(property("background"))
	if err != nil {
		return "", err
	}
	stdout, stderr := r.work.Log.Writer(agent.Stdout, "info", s.ID), r.work.Log.Writer(agent.Stderr, "warn", s.ID)
	defer stdout.Close() //nolint:errcheck // always nil: the lines are on their way
	defer stderr.Close() //nolint:errcheck // always nil
	return r.rt.processes.run(ctx, job{
		cmd: cmd, stdout: stdout, stderr: stderr, keep: keep,
		what: fmt.Sprintf("execution %d attempt %d step %s", r.work.Execution.ID, r.work.Attempt, s.ID),
		say:  func(line string) { r.work.Log.Line(agent.Own, "warn", s.ID, line) },
	})
}

// background reads what happens to processes that still run when the step's own
// has ended: to be kept or not.
func background(text string) (keep bool, err error) {
	switch text {
	case "", "end":
		return false, nil
	case "keep":
		return true, nil
	}
	return false, fmt.Errorf("background: want end or keep, got %.40q", text)
}

// command makes the command of a step, and what removes its temporary script.
func command(line, script, args, dir string) (*exec.Cmd, func(), error) {
	nothing := func() {}
	var cmd *exec.Cmd
	if info, err := os.Stat(cmp.Or(dir, ".")); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("dir: %s is not a directory here", dir) // fork would name the program instead
	}
	if err := cmp.Or(checkText("command", line), checkText("script", script)); err != nil {
		return nil, nil, err
	}
	switch {
	case line != "" && script != "":
		return nil, nil, errors.New("want the property command or the property script, not both")
	case line != "":
		cmd = shellCommand(line)
		cmd.Dir = dir
		return cmd, nothing, nil
	case script == "":
		return nil, nil, errors.New("want the property command or the property script")
	}
	words, err := words(args)
	if err != nil {
		return nil, nil, fmt.Errorf("args: %w", err)
	}
	cleanup := nothing
	if strings.Contains(script, "\n") || strings.HasPrefix(script, "#!") {
		if script, cleanup, err = writeScript(script); err != nil {
			return nil, nil, fmt.Errorf("script: %w", err)
		}
	} else if !filepath.IsAbs(script) {
		if script, err = filepath.Abs(filepath.Join(dir, script)); err != nil {
			return nil, nil, fmt.Errorf("script: %w", err)
		}
	}
	if _, err := os.Stat(script); err != nil {
		return nil, nil, fmt.Errorf("script: %w", err)
	}
	if err := checkText("script "+script, firstLine(script)); err != nil {
		return nil, nil, err
	}
	cmd = scriptCommand(script, words)
	cmd.Dir = dir
	return cmd, cleanup, nil
}

// writeScript makes a file of a script's text, which only we can read.
func writeScript(text string) (file string, remove func(), err error) {
	// A process that is started meanwhile by another attempt would hold the
	// file open for writing, and the script could not be run ("text file
	// busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.CreateTemp("", "jobstreamer-*"+scriptSuffix)
	if err != nil {
		return "", nil, err
	}
	_, err = f.WriteString(text)
	err = cmp.Or(err, f.Chmod(0o700), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", nil, err
	}
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil
}

// duration reads 90s, 10m or a number of seconds.
func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, intErr := strconv.ParseUint(text, 10, 31); intErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("want a duration such as 90s or 10m, or a number of seconds, got %.40q", text)
	}
	return d, nil
}

// words takes arguments apart at spaces; quotes hold them together.
func words(args string) ([]string, error) {
	var all []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, c := range args {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			if begun {
				all = append(all, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c does not end", quote)
	}
	if begun {
		all = append(all, word.String())
	}
	return all, nil
}
