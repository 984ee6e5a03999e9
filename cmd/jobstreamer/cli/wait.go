package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	awaitTime       = time.Minute            // maximum wait of one request
	liveAwaitTime   = 500 * time.Millisecond // the same on a terminal, which shows progress
	reasonAwaitTime = 2 * time.Second        // the same while an execution waits and there is no terminal
	retryPause      = time.Second            // before a retry while the control bus cannot be reached
)

func (c *CLI) executionWait() *cobra.Command {
	var st startOptions
	cmd := c.serverCommand("wait EXECUTION|JOB", "Wait until an execution has ended; for a job, its latest execution", func(inv *invocation, args []string) error {
		job, id, err := inv.findExecution(args[0])
		if err != nil {
			return err
		}
		e, err := inv.client.Execution(inv.ctx, inv.app, job, id)
		if err != nil {
			return err
		}
		return inv.seeThrough(e, &st)
	})
	cmd.Long = `Waits until an execution has ended. The exit status is 0 only if it completed.

` + ExitHelp
	st.endFlags(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// seeThrough waits for the end of an execution and reports it.
func (inv *invocation) seeThrough(e *rest.Execution, st *startOptions) error {
	ctx := inv.ctx
	if st.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, st.timeout)
		defer cancel()
	}
	var err error
	if st.follow && inv.printsTables() {
		stop := inv.printWaitReasons(ctx, e)
		defer stop()
		_, err = inv.client.FollowLog(ctx, e.App, e.Job, e.ExecutionID, inv.logLine(&st.log))
	}
	var end *rest.Execution
	if err == nil {
		end, err = inv.awaitEnd(ctx, e)
	}
	switch {
	case inv.ctx.Err() != nil:
		return inv.reportLeft(e, "interrupted", ExitInterrupted)
	case ctx.Err() != nil:
		return inv.reportLeft(e, "not ended within "+durationText(st.timeout), ExitTimeout)
	case err != nil:
		return err
	}
	return inv.reportEnd(end)
}

// awaitEnd polls the control bus until the execution has ended. It retries
// while the control bus cannot be reached.
func (inv *invocation) awaitEnd(ctx context.Context, e *rest.Execution) (*rest.Execution, error) {
	line := inv.statusLine()
	defer line.clearLine()
	reasons := waitReasons{inv: inv}
	for !e.BatchStatus.Ended() {
		patience := awaitTime
		switch {
		case line.live:
			patience = liveAwaitTime
			line.showText(waitingLine(e))
		case e.BatchStatus.Waiting():
			patience = reasons.printNew(e)
		}
		now, err := inv.client.Await(ctx, e.App, e.Job, e.ExecutionID, patience)
		switch {
		case err == nil:
			e = now
		case ctx.Err() != nil || !isAway(err):
			return nil, err
		default:
			line.showText("the control bus is unreachable; retrying")
			pauseFor(ctx, retryPause)
		}
	}
	return e, nil
}

// waitReasons writes to standard error why an execution waits, unless the wait
// is short. Without it, a pipe or a followed log would show nothing.
type waitReasons struct {
	inv  *invocation
	last string
	asks int
}

// printNew writes a new reason, and returns how long to wait for the next
// answer.
func (r *waitReasons) printNew(e *rest.Execution) time.Duration {
	why := textOf(e.For)
	if r.asks++; r.asks > 1 && why != "" && why != r.last {
		fmt.Fprintf(r.inv.Err, "Execution %d of %s is waiting: %s.\n", e.ExecutionID, e.Job, printable(why))
		r.last = why
	}
	return reasonAwaitTime
}

// printWaitReasons writes in the background why an execution waits, until it no
// longer waits or stop is called.
func (inv *invocation) printWaitReasons(ctx context.Context, e *rest.Execution) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		reasons := waitReasons{inv: inv}
		for e.BatchStatus.Waiting() {
			now, err := inv.client.Await(ctx, e.App, e.Job, e.ExecutionID, reasons.printNew(e))
			switch {
			case err == nil:
				e = now
			case ctx.Err() != nil || !isAway(err):
				return
			default:
				pauseFor(ctx, retryPause)
			}
		}
	})
	return func() { cancel(); looking.Wait() }
}

// pauseFor blocks for d, or until ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// isAway reports whether a retry can succeed.
func isAway(err error) bool {
	return client.Code(err) == "unavailable" || errors.As(err, new(*url.Error))
}

// waitingLine returns the progress of an execution in one line.
func waitingLine(e *rest.Execution) string {
	words := []string{fmt.Sprintf("%d %s", e.ExecutionID, e.BatchStatus)}
	if e.BatchStatus.Waiting() && e.For != nil {
		words = append(words, printable(*e.For))
		if e.Position != nil && *e.Position > 1 {
			words = append(words, fmt.Sprintf("position %d in the queue", *e.Position))
		}
		return strings.Join(words, ", ")
	}
	if e.Agent != nil {
		words = append(words, "on "+e.Agent.Name)
	}
	for _, x := range e.StepExecutions {
		if x.BatchStatus.Running() {
			words = append(words, "step "+x.StepName)
		}
	}
	if !e.StartTime.IsZero() {
		words = append(words, durationText(time.Since(e.StartTime.Std()).Truncate(time.Second)))
	}
	return strings.Join(words, ", ")
}

// reportLeft reports that an execution continues although the command no longer
// waits for it.
func (inv *invocation) reportLeft(e *rest.Execution, why string, status int) error {
	fmt.Fprintf(inv.Err, "%s: execution %d of %s continues.\n  wait  %s\n  stop  %s\n", why, e.ExecutionID, e.Job,
		inv.appCommandLine(fmt.Sprintf("execution wait %d", e.ExecutionID)), inv.appCommandLine(fmt.Sprintf("execution stop %d", e.ExecutionID)))
	return printedError{status}
}

// reportEnd reports how an execution ended.
func (inv *invocation) reportEnd(e *rest.Execution) error {
	done := e.BatchStatus == subjects.Completed
	if !inv.printsTables() {
		err := showAnswer(inv, func(c *client.Client) (*rest.Execution, error) {
			return c.Execution(inv.ctx, e.App, e.Job, e.ExecutionID)
		}, nil)
		if err != nil || done {
			return err
		}
		return printedError{executionExit(e.BatchStatus)}
	}
	p := inv.outPage()
	writeEnd(p, e)
	if gap := missingOutput(e); gap != "" {
		fmt.Fprintf(p, "%s.\n", p.inColor(yellow, gap))
	}
	if done {
		return nil
	}
	return printedError{executionExit(e.BatchStatus)}
}

// writeEnd writes how an execution ended as a sentence.
func writeEnd(p *page, e *rest.Execution) {
	fmt.Fprintf(p, "Execution %d of %s %s%s%s.\n", e.ExecutionID, e.Job,
		p.inColor(statusCell(e.BatchStatus).color, endWord(e.BatchStatus)), afterText(p, e), reasonOf(e))
}

func endWord(s subjects.BatchStatus) string {
	if s == subjects.Stopped || s == subjects.Abandoned {
		return "was " + string(s)
	}
	return string(s)
}

func afterText(p *page, e *rest.Execution) string {
	if took := p.tookText(e.StartTime, e.EndTime); took != "" {
		return " after " + took
	}
	return ""
}

// reasonOf returns the reason of an end in one line.
func reasonOf(e *rest.Execution) string {
	exit := textOf(e.ExitStatus)
	switch {
	case textOf(e.Exception) != "":
		return ": " + strings.TrimSuffix(oneLine(*e.Exception), ".")
	case exit != "" && !strings.EqualFold(exit, string(e.BatchStatus)):
		return " with exit status " + printable(exit)
	}
	return ""
}
