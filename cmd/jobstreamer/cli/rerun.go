package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (c *CLI) executionRerun() *cobra.Command {
	var v executionSelection
	var st startOptions
	var m bulkFlags
	cmd := c.serverCommand("rerun [JOB]", "Restart all executions that match the filters, such as all that failed since 18:00", func(inv *invocation, args []string) error {
		if len(args) == 0 && !v.isRestricted() {
			return usageErrorf("no filter given; use for example --status failed --since 18:00")
		}
		f, err := v.toFilter(inv, args)
		if err != nil {
			return err
		}
		return inv.rerunExecutions(&m, &st, f)
	})
	cmd.Long = `Restarts the executions that match the filters, oldest first: those that ` + "`execution list`" + ` lists with the same options, on all pages. The
default of --status is failed. Executions that were restarted before are left out, so the command can be repeated. If none matches, nothing is
done and the exit status is 0; if one is refused, it is 1.

On a terminal it asks for confirmation before it restarts several. --dry-run prints which executions would be restarted.`
	cmd.Example = `  jobstreamer execution rerun --status failed --since 18:00 --dry-run
  jobstreamer execution rerun --status failed,stopped --job 'import-*' --since yesterday --yes
  jobstreamer execution rerun nightly --exit-status 'DISK*' --wait`
	v.addFlags(cmd)
	m.addFlags(cmd)
	st.waitFlag(cmd)
	st.timeoutFlag(cmd)
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

func (inv *invocation) rerunExecutions(m *bulkFlags, st *startOptions, f client.ExecutionFilter) error {
	if len(f.Status) == 0 {
		f.Status = []subjects.BatchStatus{subjects.Failed}
	}
	for _, status := range f.Status {
		if !isRestartable(status) {
			return usageErrorf("--status %s: want failed or stopped; executions with another status cannot be restarted", status)
		}
	}
	found, before, err := inv.restartsFor(f)
	if err != nil {
		return err
	}
	if before > 0 && inv.printsTables() {
		fmt.Fprintf(inv.Err, "Left out: %s restarted before.\n", countText(before, "execution that was", "executions that were"))
	}
	if len(found.all) == 0 {
		if !inv.printsTables() {
			return inv.printValue([]targetOutcome{})
		}
		fmt.Fprintln(inv.Out, "No execution matches; nothing was restarted.")
		return nil
	}
	return inv.restartExecutions(m, st, client.Submission{}, &found)
}

// restartsFor returns the executions that f selects, oldest first, without
// those that were already restarted. before is the number of the latter.
func (inv *invocation) restartsFor(f client.ExecutionFilter) (t targets, before int, err error) {
	var all []rest.ListedExecution
	if err := inv.eachExecution(f, func(e *rest.ListedExecution) bool { all = append(all, *e); return true }); err != nil || len(all) == 0 {
		return t, 0, err
	}
	oldest := all[len(all)-1].ExecutionID
	restarted := map[int64]bool{}
	later := client.ExecutionFilter{App: f.App, Of: f.Of, Job: f.Job}
	err = inv.eachExecution(later, func(e *rest.ListedExecution) bool {
		if e.RestartOf != nil {
			restarted[*e.RestartOf] = true
		}
		return e.ExecutionID > oldest // a restart is newer than its original execution
	})
	for _, e := range slices.Backward(all) {
		if restarted[e.ExecutionID] {
			before++
			continue
		}
		t.all = append(t.all, executionTarget(&e.ExecutionSummary))
	}
	return t, before, err
}

// eachExecution calls visit for the executions that f selects, newest first,
// until visit returns false.
func (inv *invocation) eachExecution(f client.ExecutionFilter, visit func(e *rest.ListedExecution) bool) error {
	f.Offset, f.Limit = 0, wholePage
	for {
		list, err := inv.client.FindExecutions(inv.ctx, f)
		if err != nil {
			return err
		}
		for i := range list.Results {
			if !visit(&list.Results[i]) {
				return nil
			}
		}
		if list.Next == nil {
			return nil
		}
		f.After = *list.Next
	}
}
