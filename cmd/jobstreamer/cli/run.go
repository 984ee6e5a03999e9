package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	var m many
	cmd := c.leaf("run JOB...", "Start jobs; with --wait, until they have ended", func(s *session, args []string) error {
		sub, err := st.submission()
		if err != nil {
			return err
		}
		t, err := s.expandJobs(args)
		if err != nil {
			return err
		}
		if t.single && !m.dry {
			sub.IdempotencyKey = st.key
			return s.start(&st, func(c *client.Client) (*rest.Execution, error) { return c.Submit(s.ctx, s.app, args[0], sub) })
		}
		w := &work{many: &m, one: "job", more: "jobs", verb: "start", done: "started", check: s.checkJob}
		if err := cmp.Or(noFlag(st.follow, "--follow", w.more), noFlag(st.key != "", "--idempotency-key", w.more)); err != nil {
			return err
		}
		if over, err := s.begin(w, &t); over || err != nil {
			return err
		}
		return s.startEach(w, &st, &t, func(c *client.Client, t target) (*rest.Execution, error) { return c.Submit(s.ctx, s.app, t.name, sub) })
	})
	cmd.Long = `Starts an execution of each job. With --wait it waits for the end: the exit status is 0 only if the execution completed, and the last line says
how it ended and why. With --follow it shows the output meanwhile.

Ctrl-C ends the waiting, not the execution.

` + several + "\n\n" + ExitHelp
	cmd.Example = `  jobstreamer run nightly -p date=2026-11-24
  jobstreamer run nightly -p date=2026-11-24 --wait --timeout 2h && echo done
  jobstreamer run nightly --follow
  jobstreamer run 'import-*' --wait
  jobstreamer run nightly --idempotency-key nightly-2026-11-24`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringArrayVarP(&st.params, "param", "p", nil, "`NAME=VALUE` job parameter; may be given several times")
		f.StringVar(&st.key, "idempotency-key", "", "`KEY` sent again with this one and the same parameters within half an hour, nothing more is started")
	})
	m.flags(cmd)
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
	var m many
	var none bool
	cmd := c.leaf("restart EXECUTION|JOB...", "Go on where executions ended, in new ones; of a job, its latest one", func(s *session, args []string) error {
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
		t, err := s.expandExecutions(args, "restarted", restartable)
		if err != nil {
			return err
		}
		return s.restart(&m, &st, sub, &t)
	})
	cmd.Long = `Goes on where stopped or failed executions ended, in new ones. Their parameters are those of before, unless some are given here:
these replace all of them. Of a job its latest execution is meant; a glob is of the jobs whose latest execution was stopped or failed.

` + several
	cmd.Example = `  jobstreamer execution restart 4711 -p date=2026-11-24 --wait
  jobstreamer execution restart 'import-*' --dry-run`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringArrayVarP(&st.params, "param", "p", nil, "`NAME=VALUE` job parameter; may be given several times")
		f.BoolVar(&none, "no-params", false, "without parameters")
	})
	m.flags(cmd)
	st.waitFlag(cmd)
	st.endFlags(cmd)
	c.showFlags(cmd)
	return c.flags(cmd)
}

// restart restarts executions.
func (s *session) restart(m *many, st *start, sub client.Submission, t *targets) error {
	restartOne := func(c *client.Client, t target) (*rest.Execution, error) {
		if err := s.complete(&t); err != nil {
			return nil, err
		}
		return c.Restart(s.ctx, s.app, t.job, t.id, sub)
	}
	if t.single && !m.dry {
		return s.start(st, func(c *client.Client) (*rest.Execution, error) { return restartOne(c, t.all[0]) })
	}
	w := &work{many: m, one: "execution", more: "executions", verb: "restart", done: "restarted", check: s.checkExecution(restartable)}
	if err := noFlag(st.follow, "--follow", w.more); err != nil {
		return err
	}
	if over, err := s.begin(w, t); over || err != nil {
		return err
	}
	return s.startEach(w, st, t, restartOne)
}

// startEach starts an execution for each target, and waits for their ends if that is wanted.
func (s *session) startEach(w *work, st *start, t *targets, begin func(c *client.Client, t target) (*rest.Execution, error)) error {
	r := &report{session: s, work: w}
	until := time.Now().Add(st.timeout)
	var started []*rest.Execution
	err := eachOf(r, t.all, func(c *client.Client, t target) (*rest.Execution, error) {
		if st.wait {
			c = s.client // what is shown in the end is what became of it
		}
		e, err := begin(c, t)
		if err == nil && st.wait {
			started = append(started, e)
		}
		return e, s.inDoubt(err)
	}, func(p *page, t target, e *rest.Execution) string {
		fmt.Fprintf(p, "Execution %d of %s was started%s.\n", e.ExecutionID, e.Job, restartText(e))
		return w.done
	})
	if err != nil || !st.wait {
		return r.end(err)
	}
	return s.awaitEach(r, started, st.timeout, until)
}

func restartText(e *rest.Execution) string {
	if e.RestartOf == nil {
		return ""
	}
	return fmt.Sprintf(" as a restart of %d", *e.RestartOf)
}

// awaitEach waits until all that was started has ended. The exit status is that of the worst end.
func (s *session) awaitEach(r *report, started []*rest.Execution, timeout time.Duration, until time.Time) error {
	ctx := s.ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	r.left = "not ended"
	r.all = slices.DeleteFunc(r.all, func(o outcomeOf) bool { return o.Result != refused }) // the others are told by their ends
	var targets []target
	for _, e := range started {
		targets = append(targets, target{name: fmt.Sprint(e.ExecutionID), job: e.Job, id: e.ExecutionID})
	}
	var exits []int
	err := eachOf(r, targets, func(c *client.Client, t target) (*rest.Execution, error) {
		i := slices.IndexFunc(started, func(e *rest.Execution) bool { return e.ExecutionID == t.id })
		e, err := s.await(ctx, started[i])
		if err != nil {
			return nil, err
		}
		if !s.tables() {
			_, err = c.Execution(s.ctx, e.App, e.Job, e.ExecutionID)
		}
		exits = append(exits, exitOf(e.BatchStatus))
		return e, err
	}, func(p *page, _ target, e *rest.Execution) string {
		fmt.Fprintf(p, "Execution %d of %s %s%s%s.\n", e.ExecutionID, e.Job, p.in(status(e.BatchStatus).color, endWord(e.BatchStatus)), after(p, e), reasonOf(e))
		return string(e.BatchStatus)
	})
	if err != nil && s.ctx.Err() == nil && ctx.Err() != nil {
		fmt.Fprintf(s.Err, "Not all have ended after %s; those that have not go on.\n", timeout)
		return r.end(said{ExitTimeout})
	}
	return r.end(cmp.Or(err, worst(exits)))
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
