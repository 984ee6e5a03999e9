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

// startOptions are the options of commands that start executions.
type startOptions struct {
	params       []string
	key          string
	wait, follow bool
	log          logOptions
	timeout      time.Duration
}

func (c *CLI) runCommand() *cobra.Command {
	var st startOptions
	var m bulkFlags
	cmd := c.serverCommand("run JOB...", "Start jobs, and wait for their end with --wait", func(inv *invocation, args []string) error {
		sub, err := st.submission()
		if err != nil {
			return err
		}
		t, err := inv.expandJobs(args)
		if err != nil {
			return err
		}
		if t.single && !m.dry {
			sub.IdempotencyKey = st.key
			return inv.startExecution(&st, func(c *client.Client) (*rest.Execution, error) { return c.Submit(inv.ctx, inv.app, args[0], sub) })
		}
		w := &bulkWork{bulkFlags: &m, one: "job", more: "jobs", verb: "start", done: "started", check: inv.checkJob}
		if err := cmp.Or(refuseFlag(st.follow, "--follow", w.more), refuseFlag(st.key != "", "--idempotency-key", w.more)); err != nil {
			return err
		}
		if done, err := inv.confirmWork(w, &t); done || err != nil {
			return err
		}
		return inv.startEach(w, &st, &t, func(c *client.Client, t target) (*rest.Execution, error) {
			return c.Submit(inv.ctx, inv.app, t.name, sub)
		})
	})
	cmd.Long = `Starts an execution of each job. With --wait, it waits for the end: the exit status is 0 only if the execution completed, and the last line
shows how it ended and why. With --follow, it also prints the output as it arrives.

Ctrl-C stops the waiting; the execution continues.

` + severalHelp + "\n\n" + ExitHelp
	cmd.Example = `  jobstreamer run nightly -p date=2026-11-24
  jobstreamer run nightly -p date=2026-11-24 --wait --timeout 2h && echo done
  jobstreamer run nightly --follow
  jobstreamer run 'import-*' --wait
  jobstreamer run nightly --idempotency-key nightly-2026-11-24`
	st.paramFlag(cmd)
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&st.key, "idempotency-key", "", "`KEY` idempotency key: repeating the command with the same key and parameters within 30 minutes starts nothing new")
	})
	m.addFlags(cmd)
	st.waitFlag(cmd)
	st.endFlags(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

func (st *startOptions) paramFlag(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringArrayVarP(&st.params, "param", "p", nil, "`NAME=VALUE` job parameter; can be repeated")
	})
}

func (st *startOptions) waitFlag(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&st.wait, "wait", false, "wait until the execution has ended")
	})
}

func (st *startOptions) endFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVarP(&st.follow, "follow", "f", false, "wait until the execution has ended, and print its output meanwhile")
		st.log.rawFlag(f)
	})
	st.timeoutFlag(cmd)
}

func (st *startOptions) timeoutFlag(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.DurationVar(&st.timeout, "timeout", 0, "`DURATION` maximum time to wait (default: unlimited)")
	})
}

func (c *CLI) executionRestart() *cobra.Command {
	var st startOptions
	var m bulkFlags
	var none bool
	cmd := c.serverCommand("restart EXECUTION|JOB...", "Restart stopped or failed executions; for a job, its latest execution", func(inv *invocation, args []string) error {
		sub, err := st.submission()
		if err != nil {
			return err
		}
		switch {
		case none && len(st.params) > 0:
			return usageErrorf("--no-params cannot be combined with -p")
		case none:
			sub.Parameters = map[string]string{} // without the parameters of the previous execution
		}
		t, err := inv.expandExecutions(args, "restarted", isRestartable)
		if err != nil {
			return err
		}
		return inv.restartExecutions(&m, &st, sub, &t)
	})
	cmd.Long = `Restarts stopped or failed executions: for each, a new execution continues where the old one ended. It has the parameters of the old one; if any
are given here, they replace all of them. A job selects its latest execution; a glob matches the jobs whose latest execution was stopped or failed.

` + severalHelp
	cmd.Example = `  jobstreamer execution restart 4711 -p date=2026-11-24 --wait
  jobstreamer execution restart 'import-*' --dry-run`
	st.paramFlag(cmd)
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&none, "no-params", false, "restart without parameters")
	})
	m.addFlags(cmd)
	st.waitFlag(cmd)
	st.endFlags(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// restartExecutions restarts the executions of the targets.
func (inv *invocation) restartExecutions(m *bulkFlags, st *startOptions, sub client.Submission, t *targets) error {
	restartOne := func(c *client.Client, t target) (*rest.Execution, error) {
		if err := inv.completeTarget(&t); err != nil {
			return nil, err
		}
		return c.Restart(inv.ctx, inv.app, t.job, t.id, sub)
	}
	if t.single && !m.dry {
		return inv.startExecution(st, func(c *client.Client) (*rest.Execution, error) { return restartOne(c, t.all[0]) })
	}
	w := &bulkWork{bulkFlags: m, one: "execution", more: "executions", verb: "restart", done: "restarted", check: inv.checkExecution(isRestartable)}
	if err := refuseFlag(st.follow, "--follow", w.more); err != nil {
		return err
	}
	if done, err := inv.confirmWork(w, t); done || err != nil {
		return err
	}
	return inv.startEach(w, st, t, restartOne)
}

// startEach starts an execution for each target, and waits for the ends with
// --wait.
func (inv *invocation) startEach(w *bulkWork, st *startOptions, t *targets, begin func(c *client.Client, t target) (*rest.Execution, error)) error {
	r := &bulkReport{invocation: inv, bulkWork: w}
	until := time.Now().Add(st.timeout)
	var started []*rest.Execution
	err := eachOf(r, t.all, func(c *client.Client, t target) (*rest.Execution, error) {
		if st.wait {
			c = inv.client // only the answer at the end is printed
		}
		e, err := begin(c, t)
		if err == nil && st.wait {
			started = append(started, e)
		}
		return e, inv.inDoubt(err)
	}, func(p *page, t target, e *rest.Execution) string {
		fmt.Fprintf(p, "Execution %d of %s was started%s.\n", e.ExecutionID, e.Job, restartText(e))
		return w.done
	})
	if err != nil || !st.wait {
		return r.printSummary(err)
	}
	return inv.awaitEach(r, started, st.timeout, until)
}

func restartText(e *rest.Execution) string {
	if e.RestartOf == nil {
		return ""
	}
	return fmt.Sprintf(" as a restart of %d", *e.RestartOf)
}

// awaitEach waits until all started executions have ended. The exit status is
// that of the worst end.
func (inv *invocation) awaitEach(r *bulkReport, started []*rest.Execution, timeout time.Duration, until time.Time) error {
	ctx := inv.ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	r.left = "not ended"
	// The others are reported at their ends.
	r.all = slices.DeleteFunc(r.all, func(o targetOutcome) bool { return o.Result != refused })
	var targets []target
	for _, e := range started {
		targets = append(targets, target{name: fmt.Sprint(e.ExecutionID), job: e.Job, id: e.ExecutionID})
	}
	var exits []int
	err := eachOf(r, targets, func(c *client.Client, t target) (*rest.Execution, error) {
		i := slices.IndexFunc(started, func(e *rest.Execution) bool { return e.ExecutionID == t.id })
		e, err := inv.awaitEnd(ctx, started[i])
		if err != nil {
			return nil, err
		}
		if !inv.printsTables() {
			_, err = c.Execution(inv.ctx, e.App, e.Job, e.ExecutionID)
		}
		exits = append(exits, executionExit(e.BatchStatus))
		return e, err
	}, func(p *page, _ target, e *rest.Execution) string {
		writeEnd(p, e)
		return string(e.BatchStatus)
	})
	if err != nil && inv.ctx.Err() == nil && ctx.Err() != nil {
		fmt.Fprintf(inv.Err, "Not all executions ended within %s; the others continue.\n", durationText(timeout))
		return r.printSummary(printedError{ExitTimeout})
	}
	return r.printSummary(cmp.Or(err, worstExit(exits)))
}

// cutParameter splits NAME=VALUE, the value of a flag.
func cutParameter(flag, text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return "", "", usageErrorf("%s %q: want NAME=VALUE", flag, text)
	}
	return name, value, nil
}

// submission returns a submission with the parameters of the flags, nil if
// there are none.
func (st *startOptions) submission() (sub client.Submission, err error) {
	sub.Parameters, err = readParameters(st.params)
	return sub, err
}

// readParameters returns the parameters of the flags -p, nil if there are none.
func readParameters(flags []string) (map[string]string, error) {
	if len(flags) == 0 {
		return nil, nil
	}
	all := make(map[string]string, len(flags))
	for _, p := range flags {
		name, value, err := cutParameter("-p", p)
		if err != nil {
			return nil, err
		}
		if _, twice := all[name]; twice {
			return nil, usageErrorf("-p %s: %s is set twice", p, name)
		}
		all[name] = value
	}
	return all, nil
}

// startExecution starts an execution, and waits for its end with --wait.
func (inv *invocation) startExecution(st *startOptions, begin func(c *client.Client) (*rest.Execution, error)) error {
	if !st.wait && !st.follow {
		return inv.inDoubt(showAnswer(inv, begin, func(p *page, e *rest.Execution) {
			writeStatus(p, e)
			if p.live {
				fmt.Fprintln(p, p.inColor(faint, "  follow  "+inv.appCommandLine(fmt.Sprintf("logs %d --follow", e.ExecutionID))))
			}
		}))
	}
	e, err := begin(inv.client)
	if err != nil {
		return inv.inDoubt(err)
	}
	if inv.printsTables() {
		fmt.Fprintf(inv.Out, "Execution %d of %s was started.\n", e.ExecutionID, e.Job)
	}
	return inv.seeThrough(e, st)
}

// inDoubt adds to an error that the outcome is unknown if the user interrupted
// the request.
func (inv *invocation) inDoubt(err error) error {
	if err == nil || inv.ctx.Err() == nil {
		return err
	}
	return &explained{err, fmt.Sprintf("interrupted; an execution may have been started: check with `%s`", inv.appCommandLine("execution list"))}
}
