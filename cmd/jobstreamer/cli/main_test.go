package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcome is the result of a command.
type outcome struct {
	out, err string
	failed   error
}

// env is the environment of a test's commands.
type env struct {
	dir  string
	vars map[string]string
	in   string
	out  io.Writer // standard output; nil: the outcome
	tty  *os.File  // standard input and error; nil: a pipe
}

func newEnv(t *testing.T) *env { return &env{dir: t.TempDir(), vars: map[string]string{"TZ": "UTC"}} }

// runOnce runs one command to its end.
func (e *env) runOnce(ctx context.Context, args ...string) outcome {
	var out, errs bytes.Buffer
	var to io.Writer = &out
	if e.out != nil {
		to = e.out
	}
	var in io.Reader = strings.NewReader(e.in)
	var errTo io.Writer = &errs
	if e.tty != nil {
		in, errTo = e.tty, e.tty
	}
	c := New(Config{In: in, Out: to, Err: errTo, Env: e.vars, Dir: e.dir, Version: "test"})
	root := &cobra.Command{Use: "jobstreamer", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(c.Work()...)
	root.AddCommand(c.Logins()...)
	root.AddCommand(c.Contexts(), groupCommand("agent", "", "", c.Agents()...))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, ErrPrinted) {
		errs.WriteString(err.Error() + "\n")
	}
	return outcome{out.String(), errs.String(), err}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	got = strings.ReplaceAll(got, "\x1b", "^")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", file, got, want)
	}
}

// noon is the current time of drawn pages.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// timeBefore returns the time d before noon.
func timeBefore(d time.Duration) subjects.Time { return subjects.TimeOf(noon.Add(-d)) }
