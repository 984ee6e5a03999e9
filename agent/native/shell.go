package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Shell is the name of the batchlet that runs a command or a script.
const Shell = jsl.ShellBatchlet

// errTimeout ends a process that has run longer than its timeout.
var errTimeout = errors.New("timeout")

// runShell runs the process of a step. The exit status is the one that the
// process has set, or else its exit code.
func (r *jobRun) runShell(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) (string, error) {
	property := func(name string) string {
		if v, ok := s.Batchlet.Properties.Get(name); ok {
			return v
		}
		v, _ := s.Properties.Get(name)
		return v
	}
	if text := property("timeout"); text != "" {
		d, err := parseDuration(text)
		if err != nil {
			return "", fmt.Errorf("timeout: %w", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, fmt.Errorf("%w after %v", errTimeout, d))
		defer cancel()
	}
	cmd, cleanup, err := buildCommand(&r.place, property("command"), property("script"), property("args"), property("dir"))
	if err != nil {
		return "", err
	}
	defer cleanup()
	if err := setUser(cmd, r.place.user); err != nil {
		return "", err
	}
	file, remove, err := createOutputFile(&r.place)
	if err != nil {
		return "", fmt.Errorf("%s: %w", outputVariable, err)
	}
	defer remove()
	secrets, err := r.secretEnvironment(ctx, property("secrets"))
	if err != nil {
		return "", err
	}
	cmd.Env = append(slices.Concat(r.stepEnvironment(s, x.PersistentData), secrets), outputVariable+"="+file)
	keep, err := parseBackground(property("background"))
	if err != nil {
		return "", err
	}
	stdout, stderr := r.work.Log.Writer(agent.Stdout, "info", s.ID), r.work.Log.Writer(agent.Stderr, "warn", s.ID)
	defer stdout.Close() //nolint:errcheck // always nil: the lines are on their way
	defer stderr.Close() //nolint:errcheck // always nil
	largest := largestVariable(cmd.Env)
	exit, err := r.rt.processes.runProcess(ctx, stepProcess{
		cmd: cmd, place: r.place, stdout: stdout, stderr: stderr, keepBackground: keep,
		description: fmt.Sprintf("execution %d attempt %d step %s", r.work.Execution.ID, r.work.Attempt, s.ID),
		warn:        func(line string) { r.work.Log.Line(agent.Own, "warn", s.ID, line) },
	})
	if errors.Is(err, syscall.E2BIG) {
		err = fmt.Errorf("%w; the largest variable is %s", err, largest)
	}
	return r.applyOutput(s, x, file, exit, err)
}

// largestVariable returns the name and the size of the largest variable. Linux
// does not start a process that has one of more than 128 KiB.
func largestVariable(env []string) string {
	largest := slices.MaxFunc(env, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	name, value, _ := strings.Cut(largest, "=")
	return fmt.Sprintf("%s, of %d bytes", name, len(value))
}

// parseBackground parses the property background: whether to keep processes
// that still run when the step's own process has ended.
func parseBackground(text string) (keep bool, err error) {
	switch text {
	case "", "end":
		return false, nil
	case "keep":
		return true, nil
	}
	return false, fmt.Errorf("background: want end or keep, got %.40q", text)
}

// buildCommand returns the command of a step, and a function that removes its
// temporary script.
func buildCommand(place *workplace, line, script, args, dir string) (*exec.Cmd, func(), error) {
	nothing := func() {}
	var cmd *exec.Cmd
	if err := checkDirectory(place, dir); err != nil {
		return nil, nil, err
	}
	if err := cmp.Or(checkText("command", line), checkText("script", script)); err != nil {
		return nil, nil, err
	}
	switch {
	case line != "" && script != "":
		return nil, nil, errors.New("want the property command or the property script, not both")
	case line != "":
		cmd = shellCommand(line)
		cmd.Dir = place.directory(dir)
		return cmd, nothing, nil
	case script == "":
		return nil, nil, errors.New("want the property command or the property script")
	}
	words, err := splitWords(args)
	if err != nil {
		return nil, nil, fmt.Errorf("args: %w", err)
	}
	cleanup, own := nothing, place.user == nil
	if strings.Contains(script, "\n") || strings.HasPrefix(script, "#!") {
		if script, cleanup, err = writeScript(place, script); err != nil {
			return nil, nil, fmt.Errorf("script: %w", err)
		}
		own = true
	} else if !filepath.IsAbs(script) {
		if script, err = filepath.Abs(filepath.Join(dir, script)); err != nil {
			return nil, nil, fmt.Errorf("script: %w", err)
		}
	}
	if cmd, err = buildScript(script, words, own); err != nil {
		cleanup()
		return nil, nil, err
	}
	cmd.Dir = place.directory(dir)
	return cmd, cleanup, nil
}

// checkDirectory refuses a working directory that does not exist. Without this
// check, the error of fork would name the program instead of dir. For another
// user it checks nothing, since the agent sees more than the user.
func checkDirectory(place *workplace, dir string) error {
	if place.user != nil {
		return nil
	}
	if info, err := os.Stat(cmp.Or(dir, ".")); err != nil || !info.IsDir() {
		return fmt.Errorf("dir: %s is not a directory on the agent's host", dir)
	}
	return nil
}

// buildScript returns the command of a script. The agent looks at the file if it
// is its own, or that of its own user.
func buildScript(file string, args []string, own bool) (*exec.Cmd, error) {
	if !own {
		return userScriptCommand(file, args), nil
	}
	s, err := readScript(file)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	if err := checkText("script "+file, s.firstLine); err != nil {
		return nil, err
	}
	return scriptCommand(file, s, args), nil
}

// writeScript writes the text of a script to a temporary file that only the
// user of the process can read.
func writeScript(place *workplace, text string) (file string, remove func(), err error) {
	// A process that another attempt starts at this moment would inherit the
	// open file, and the script could not be run ("text file busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.CreateTemp(place.root, "jobstreamer-*"+scriptSuffix)
	if err != nil {
		return "", nil, err
	}
	_, err = f.WriteString(text)
	err = cmp.Or(err, f.Chmod(0o700), place.give(f), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", nil, err
	}
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil
}

// parseDuration parses 90s, 10m or a number of seconds.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, intErr := strconv.ParseUint(text, 10, 31); intErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("want a duration such as 90s or 10m, or a number of seconds, got %.40q", text)
	}
	return d, nil
}

// splitWords splits arguments at spaces. Quotes keep words together.
func splitWords(args string) ([]string, error) {
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
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	if begun {
		all = append(all, word.String())
	}
	return all, nil
}
