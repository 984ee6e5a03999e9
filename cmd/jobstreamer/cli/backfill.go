package cli

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// backfillFlags are the flags of backfill.
type backfillFlags struct {
	rest.NewBackfill
	cancel bool
	id     int64
	wait   bool
}

func (c *CLI) backfillCommand() *cobra.Command {
	var v backfillFlags
	var given func(flag string) bool
	cmd := c.serverCommand("backfill JOB", "Run a job for past fire times that have no execution", func(inv *invocation, args []string) error {
		switch {
		case v.cancel:
			if given("from") || given("to") || v.DryRun || v.wait {
				return usageErrorf("--cancel: no --from, --to, --dry-run or --wait beside it")
			}
			return showAnswer(inv, func(c *client.Client) (rest.CancelledBackfill, error) {
				return c.CancelBackfill(inv.ctx, inv.app, args[0], v.id)
			},
				func(p *page, is rest.CancelledBackfill) {
					fmt.Fprintf(p, "%s that waited will not run.\n", countText(is.Cancelled, "fire", "fires"))
				})
		case given("id"):
			return usageErrorf("--id: want --cancel beside it")
		case !given("from") && !given("to"):
			for _, flag := range []string{"name", "limit", "concurrency", "dry-run", "wait"} {
				if given(flag) {
					return usageErrorf("--%s: want --from and --to beside it", flag)
				}
			}
			return showAnswer(inv, func(c *client.Client) (rest.Backfills, error) { return c.Backfills(inv.ctx, inv.app, args[0]) }, drawBackfills)
		}
		sent, err := v.toBody(inv, given)
		if err != nil {
			return err
		}
		var id int64
		err = showAnswer(inv, func(c *client.Client) (rest.Backfill, error) {
			is, err := c.Backfill(inv.ctx, inv.app, args[0], sent)
			if is.BackfillID != nil {
				id = *is.BackfillID
			}
			return is, err
		}, func(p *page, is rest.Backfill) { drawBackfill(p, args[0], &is) })
		if err != nil || !v.wait {
			return err
		}
		return inv.awaitBackfill(args[0], id)
	})
	cmd.Long = `Runs a job for the fire times of a schedule that have passed and have no execution, the oldest first, also while the schedule is paused. Times that
had an execution do not run again. Each execution runs for its fire time (JOBSTREAMER_SCHEDULED_DATE and so on).

The times are those of the schedule and its calendar as they are now. --from and --to are dates or times in the time zone of the schedule;
2h or 3d is how long ago. Without --from and --to, the command shows how far the backfills of the job are.`
	cmd.Example = `  jobstreamer backfill nightly --from 2026-11-01 --to 2026-11-03 --dry-run
  jobstreamer backfill nightly --from 2026-11-01 --to 2026-11-03 --concurrency 2
  jobstreamer backfill nightly
  jobstreamer backfill nightly --cancel`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&v.From, "from", "", "`TIME` first fire time: 2026-11-01, \"2026-11-01 06:00\", yesterday, 3d ...")
		f.StringVar(&v.To, "to", "", "`TIME` end of the fire times (exclusive); a date means the end of that day, today means now")
		scheduleNameFlag(f, &v.Schedule, nameOfOne)
		f.IntVarP(&v.Limit, "limit", "n", 1000, "`NUMBER` maximum number of fire times, up to 100000")
		f.IntVar(&v.Concurrency, "concurrency", 1, "`NUMBER` executions that may run at the same time, up to 1000")
		f.BoolVar(&v.DryRun, "dry-run", false, "show what would run, and start nothing")
		f.BoolVar(&v.wait, "wait", false, "wait until all have ended; the exit status is 3 if one failed")
		f.BoolVar(&v.cancel, "cancel", false, "cancel what still waits of the backfills of the job")
		f.Int64Var(&v.id, "id", 0, "`NUMBER` with --cancel: only this backfill")
	})
	given = cmd.Flags().Changed
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// toBody returns the body of the request.
func (v *backfillFlags) toBody(inv *invocation, given func(flag string) bool) (sent rest.NewBackfill, err error) {
	sent = v.NewBackfill
	for _, flag := range []string{"from", "to"} {
		if !given(flag) {
			return sent, usageErrorf("--%s is missing", flag)
		}
	}
	if v.Limit < 1 {
		return sent, usageErrorf("--limit %d: want a number from 1 to 100000", v.Limit)
	}
	if v.Concurrency < 1 {
		return sent, usageErrorf("--concurrency %d: want a number from 1 to 1000", v.Concurrency)
	}
	if v.DryRun && v.wait {
		return sent, usageErrorf("--wait: nothing runs with --dry-run")
	}
	if sent.From, err = inv.scheduleTime("from", v.From, false); err != nil {
		return sent, err
	}
	sent.To, err = inv.scheduleTime("to", v.To, true)
	return sent, err
}

// wallTime matches a date with a time of day.
var wallTime = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)$`)

// scheduleTime returns the time of a flag as the control bus reads it: a date or
// a wall clock time as it is, because only the control bus knows the time zone
// of the schedule, and any other with its offset.
func (inv *invocation) scheduleTime(flag, text string, end bool) (string, error) {
	p := inv.outPage()
	text = strings.TrimSpace(text)
	if day, ok := parseDay(text, p.now.In(p.zone), p.zone); ok {
		return day.Format(time.DateOnly), nil
	}
	if m := wallTime.FindStringSubmatch(text); m != nil {
		return m[1] + "T" + m[2], nil
	}
	t, err := inv.timeFlag(flag, text, true, end)
	return t.Format(time.RFC3339), err
}

func drawBackfill(p *page, job string, is *rest.Backfill) {
	t := newTable("TIME", "LOCAL TIME", "BUSINESS DATE", "EXECUTION", "OUTCOME").withOptional("EXECUTION")
	left := is.LeftOut
	leaveOut := func(l *rest.BackfillLeftOut) {
		t.addRow(p.timeText(l.NominalTime), l.Local, "", "", cell{strings.ReplaceAll(l.Reason, "_", " ") + ": " + l.Text, yellow})
	}
	for i := range is.Fires {
		f := &is.Fires[i]
		for len(left) > 0 && left[0].NominalTime < f.NominalTime {
			leaveOut(&left[0])
			left = left[1:]
		}
		what, id := "runs", ""
		if is.DryRun {
			what = "would run"
		}
		if f.WasSkipped != nil {
			what += ", was skipped: " + *f.WasSkipped
		}
		if f.From != nil {
			what += ", moved from " + p.timeText(*f.From)
		}
		if f.ExecutionID != nil {
			id = fmt.Sprint(*f.ExecutionID)
		}
		t.addRow(p.timeText(f.NominalTime), f.Local, f.BusinessDate, id, what)
	}
	for i := range left {
		leaveOut(&left[i])
	}
	if len(t.rows) > 0 {
		p.writeTable(t)
	}
	count := countText(len(is.Fires), "fire time", "fire times")
	switch {
	case is.DryRun:
		fmt.Fprintf(p, "Job %s would run for %s.", job, count)
	case is.BackfillID == nil:
		fmt.Fprintf(p, "No fire time without an execution.")
	default:
		fmt.Fprintf(p, "Job %s runs for %s, as backfill %d.", job, count, *is.BackfillID)
	}
	if is.LeftOutCount > 0 {
		fmt.Fprintf(p, " %s left out.", countText(is.LeftOutCount, "time was", "times were"))
	}
	fmt.Fprintln(p)
	if is.More {
		fmt.Fprintf(p, "There is more than the limit: go on with --from %s.\n", is.Next.Std().In(p.zone).Format(time.RFC3339))
	}
}

func drawBackfills(p *page, all rest.Backfills) {
	if len(all.Results) == 0 {
		fmt.Fprintln(p, "No backfills.")
		return
	}
	t := newTable("BACKFILL", "NAME", "ORDERED", "BY", "FROM", "TO", ">WAITING", ">RUNNING", ">COMPLETED", ">FAILED", ">OTHER").
		withOptional("NAME", "BY").withDrops("BY", "ORDERED", "OTHER")
	for i := range all.Results {
		b := &all.Results[i]
		t.addRow(b.BackfillID, shownName(b.Schedule), p.timeCell(b.CreateTime), textOf(b.By), p.timeText(b.From), p.timeText(b.To),
			b.Waiting, b.Running, b.Completed, b.Failed, b.Deleted+b.Cancelled+b.Skipped)
	}
	p.writeTable(t)
}

const backfillPause = 2 * time.Second // between two looks at a backfill

// awaitBackfill waits until all fires of a backfill have ended.
func (inv *invocation) awaitBackfill(job string, id int64) error {
	line := inv.statusLine()
	defer line.clearLine()
	for id != 0 {
		all, err := inv.client.Backfills(inv.ctx, inv.app, job)
		switch {
		case inv.ctx.Err() != nil:
			return printedError{ExitInterrupted}
		case err != nil && !isAway(err):
			return err
		case err != nil:
			line.showText("the control bus is unreachable; retrying")
		}
		for i := range all.Results {
			b := &all.Results[i]
			if b.BackfillID != id {
				continue
			}
			text := fmt.Sprintf("backfill %d: %d waiting, %d running, %d completed, %d failed", id, b.Waiting, b.Running, b.Completed, b.Failed)
			if line.showText(text); b.Waiting+b.Running > 0 {
				continue
			}
			line.clearLine()
			inv.printDone("B%s\n", text[1:])
			if cmp.Or(b.Failed, b.Skipped, b.Cancelled) > 0 {
				return printedError{ExitFailed}
			}
			return nil
		}
		pauseFor(inv.ctx, backfillPause)
	}
	return nil
}
