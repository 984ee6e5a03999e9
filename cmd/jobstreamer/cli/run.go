package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// start says how something is started, and whether somebody waits for its end.
type start struct {
	params       []string
	key          string
	wait, follow bool
	timeout      time.Duration
}

func (c *CLI) runCommand() *cobra.Command {
	var st start
	cmd := c.leaf("run JOB", "Start a job; with --wait, until it has ended", func(s *session, args []string) error {
		sub, err := st.submission()
		if err != nil {
			return err
		}
		sub.IdempotencyKey = st.key
		return s.start(&st, func(c *client.Client) (*rest.Execution, error) { return c.Submit(s.ctx, s.app, args[0], sub) })
	})
	cmd.Long = `Starts an execution of a job. With --wait it waits for the end: the exit status is 0 only if the execution completed, and the last line says
how it ended and why. With --follow it shows the output meanwhile.

Ctrl-C ends the waiting, not the execution.`
	cmd.Example = `  jobstreamer run nightly -p date=2026-11-24
  jobstreamer run nightly -p date=2026-11-24 --wait --timeout 2h && echo done
  jobstreamer run nightly --follow
  jobstreamer run nightly --idempotency-key nightly-2026-11-24`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringArrayVarP(&st.params, "param", "p", nil, "`NAME=VALUE` job parameter; may be given several times")
		f.StringVar(&st.key, "idempotency-key", "", "`KEY` sent again with this one and the same parameters within half an hour, nothing more is started")
	})
	st.waitFlag(cmd)
	st.endFlags(cmd)
	c.showFlags(cmd)
	return c.flags(cmd)
}

func (st *start) waitFlag(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.BoolVar(&st.wait, "wait", false, "wait for the end")
	})
}

func (st *start) endFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.BoolVarP(&st.follow, "follow", "f", false, "wait for the end, and show the output as it comes")
		f.DurationVar(&st.timeout, "timeout", 0, "`TIME` wait no longer than this")
	})
}

func (c *CLI) executionRestart() *cobra.Command {
	var st start
	var none bool
	cmd := c.leaf("restart EXECUTION", "Go on where an execution ended, in a new one", func(s *session, args []string) error {
		id, err := number(args[0])
		if err != nil {
			return err
		}
		sub, err := st.submission()
		if err != nil {
			return err
		}
		switch {
		case none && len(st.params) > 0:
			return usage("--no-params: want no -p beside it")
		case none:
			sub.Parameters = map[string]string{} // not those of before
		}
		e, err := s.client.Execution(s.ctx, s.app, "", id) // whose path has the job
		if err != nil {
			return err
		}
		return s.start(&st, func(c *client.Client) (*rest.Execution, error) { return c.Restart(s.ctx, s.app, e.Job, id, sub) })
	})
	cmd.Long = `Goes on where a stopped or failed execution ended, in a new execution. Its parameters are those of before, unless some are given
here: these replace all of them.`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringArrayVarP(&st.params, "param", "p", nil, "`NAME=VALUE` job parameter; may be given several times")
		f.BoolVar(&none, "no-params", false, "without parameters")
	})
	st.waitFlag(cmd)
	st.endFlags(cmd)
	c.showFlags(cmd)
	return c.flags(cmd)
}

// submission reads the parameters: nil if none are given.
func (st *start) submission() (sub client.Submission, err error) {
	if len(st.params) > 0 {
		sub.Parameters = make(map[string]string, len(st.params))
	}
	for _, p := range st.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return sub, usage("-p %s: want NAME=VALUE", p)
		}
		if _, twice := sub.Parameters[name]; twice {
			return sub, usage("-p %s: %s is there twice", p, name)
		}
		sub.Parameters[name] = value
	}
	return sub, nil
}

// start starts an execution, and sees it through if that is wanted.
func (s *session) start(st *start, begin func(c *client.Client) (*rest.Execution, error)) error {
	if !st.wait && !st.follow {
		return s.inDoubt(show(s, begin, func(p *page, e *rest.Execution) {
			fmt.Fprintf(p, "Execution %d of %s is %s.\n", e.ExecutionID, e.Job, p.in(status(e.BatchStatus).color, string(e.BatchStatus)))
			if p.live {
				fmt.Fprintln(p, p.in(faint, "  follow  "+s.again(fmt.Sprintf("logs %d --follow", e.ExecutionID))))
			}
		}))
	}
	e, err := begin(s.client)
	if err != nil {
		return s.inDoubt(err)
	}
	if s.tables() {
		fmt.Fprintf(s.Out, "Execution %d of %s was started.\n", e.ExecutionID, e.Job)
	}
	return s.seeThrough(e, st)
}

// inDoubt says what is not known if somebody did not wait for the answer.
func (s *session) inDoubt(err error) error {
	if err == nil || s.ctx.Err() == nil {
		return err
	}
	return &explained{err, fmt.Sprintf("interrupted; perhaps an execution was started: `%s` shows it", s.again("execution list"))}
}
