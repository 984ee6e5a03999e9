package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// executionSelection has the flags that select executions, as the user typed
// them.
type executionSelection struct {
	status           []string
	job, exit, agent string
	since, until     string
	params           []string
	after            string
	given            func(flag string) bool
}

func (v *executionSelection) addFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Filters", func(f *pflag.FlagSet) {
		f.StringSliceVar(&v.status, "status", nil, "`STATUSES` batch statuses, separated by commas, such as started,failed")
		f.StringVar(&v.job, "job", "", "`PATTERN` job name; * matches any characters, ? matches one")
		f.StringVar(&v.since, "since", "", "`TIME` earliest start, or creation if not yet started: 18:00, yesterday, 2026-11-24, 2h ...")
		f.StringVar(&v.until, "until", "", "`TIME` executions started before this time; a date means the end of that day")
		f.StringVar(&v.agent, "agent", "", "`PATTERN` agent name, with * and ? as in --job")
		f.StringVar(&v.exit, "exit-status", "", "`PATTERN` exit status, with * and ? as in --job")
		f.StringArrayVarP(&v.params, "parameter", "p", nil, "`NAME=VALUE` job parameter of the execution; can be repeated")
		f.StringVar(&v.after, "after", "", "`EXECUTION` last execution of the previous page; the list continues after it")
	})
	completeFlag(cmd, "status", cobra.FixedCompletions(statusNames(), cobra.ShellCompDirectiveNoFileComp))
	v.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
}

// toFilter returns the filter that the flags and the optional argument JOB
// select. It refuses a value that it does not understand: an ignored filter
// would select everything.
func (v *executionSelection) toFilter(inv *invocation, args []string) (f client.ExecutionFilter, err error) {
	f = client.ExecutionFilter{App: inv.app, Job: v.job, ExitStatus: v.exit, Agent: v.agent, Page: inv.requestedPage()}
	if len(args) > 0 {
		if v.given("job") {
			return f, usageErrorf("--job cannot be combined with the argument %s", args[0])
		}
		f.Of = args[0]
	}
	for name, value := range map[string]string{"job": v.job, "agent": v.agent, "exit-status": v.exit, "after": v.after} {
		if v.given(name) && value == "" {
			return f, usageErrorf("--%s: want a value", name)
		}
	}
	if f.Status, err = v.parseStatuses(); err != nil {
		return f, err
	}
	if f.Since, f.Until, err = inv.timeRange(v.given, timeText{"since", v.since}, timeText{"until", v.until}); err != nil {
		return f, err
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Until.After(f.Since) {
		return f, usageErrorf("--until %s: want a time after --since %s", v.until, v.since)
	}
	f.Parameters = map[string]string{}
	for _, p := range v.params {
		name, value, err := cutParameter("--parameter", p)
		if err != nil {
			return f, err
		}
		f.Parameters[name] = value
	}
	if v.after != "" {
		if _, err := parseExecutionID(v.after); err != nil {
			return f, err
		}
		f.After = v.after
	}
	if f.After != "" || len(f.Parameters) > 0 {
		if v.given("offset") {
			return f, usageErrorf("--offset cannot be combined with --after or --parameter")
		}
		f.Offset = 0
	}
	return f, nil
}

func (v *executionSelection) parseStatuses() (all []subjects.BatchStatus, err error) {
	if v.given("status") && len(v.status) == 0 {
		return nil, usageErrorf("--status: want one of %s", strings.Join(statusNames(), ", "))
	}
	for _, word := range v.status {
		status, err := parseStatus(word)
		if err != nil {
			return nil, err
		}
		all = append(all, status)
	}
	return all, nil
}

// parseStatus returns the batch status that a value of --status names.
func parseStatus(word string) (subjects.BatchStatus, error) {
	status := subjects.BatchStatus(strings.ToLower(strings.TrimSpace(word)))
	if !slices.Contains(subjects.BatchStatuses(), status) {
		return "", usageErrorf("--status %q: want one of %s", word, strings.Join(statusNames(), ", "))
	}
	return status, nil
}

// isRestricted reports whether the flags exclude any executions.
func (v *executionSelection) isRestricted() bool {
	return slices.ContainsFunc([]string{"status", "job", "since", "until", "agent", "exit-status", "parameter"}, v.given)
}

func (c *CLI) executionList() *cobra.Command {
	var v executionSelection
	cmd := c.serverCommand("list [JOB]", "List executions of all jobs or of one job, newest first", func(inv *invocation, args []string) error {
		f, err := v.toFilter(inv, args)
		if err != nil {
			return err
		}
		return inv.listExecutions(f, v.isRestricted())
	})
	cmd.Long = `Lists the executions of an application that match all filters, newest first. An invalid filter is an error.

--parameter searches about 2,000 executions at a time; the last line of the output shows how to continue.`
	cmd.Example = `  jobstreamer execution list --status started
  jobstreamer execution list --status failed,stopped --since 18:00
  jobstreamer execution list --job 'night*' --agent a2 --since yesterday --until "today 06:00"
  jobstreamer execution list nightly --parameter date=2026-11-24`
	v.addFlags(cmd)
	c.pageFlags(cmd)
	return c.appFlags(cmd)
}

// listExecutions shows a page of executions. some is true if a filter is set,
// so that other executions may exist.
func (inv *invocation) listExecutions(f client.ExecutionFilter, some bool) error {
	ask := func(c *client.Client) (rest.Executions, error) { return c.FindExecutions(inv.ctx, f) }
	err := showAnswer(inv, ask, func(p *page, list rest.Executions) { inv.drawExecutions(p, &f, list, some) })
	if err != nil || inv.printsTables() || inv.watch {
		return err
	}
	if list, err := ask(inv.client); err == nil { // not every format contains the number of hits
		if more := inv.moreExecutions(&f, &list); more != "" {
			fmt.Fprintln(inv.Err, more)
		}
	}
	return nil
}

func (inv *invocation) drawExecutions(p *page, f *client.ExecutionFilter, list rest.Executions, some bool) {
	all := make([]rest.ExecutionSummary, len(list.Results))
	for i := range list.Results {
		all[i] = list.Results[i].ExecutionSummary
	}
	switch {
	case len(all) > 0:
		p.writeTable(executionTable(p, all, f.Of == ""))
	case some:
		fmt.Fprintln(p, "No execution matches.")
	case list.Hits == 0 && f.Of != "":
		fmt.Fprintf(p, "No executions of %s. Start one with `%s`.\n", f.Of, inv.appCommandLine("run "+f.Of))
	case list.Hits == 0:
		fmt.Fprintf(p, "No executions. Start one with `%s`.\n", inv.appCommandLine("run JOB"))
	}
	if more := inv.moreExecutions(f, &list); more != "" {
		fmt.Fprintln(p, p.inColor(faint, more))
	}
}

// moreExecutions returns a note that the list has more entries, with the flag
// that shows them.
func (inv *invocation) moreExecutions(f *client.ExecutionFilter, list *rest.Executions) string {
	n := len(list.Results)
	switch {
	case list.Next != nil && list.Scanned != nil:
		return fmt.Sprintf("searched %d executions, there are more; continue with --after %s", *list.Scanned, *list.Next)
	case list.Next != nil:
		return fmt.Sprintf("showing %d to %d of %d; see more with --limit, or the next page with --after %s", list.Offset, list.Offset+n-1, list.Hits, *list.Next)
	case n == 0 && list.Hits > 0:
		return fmt.Sprintf("no entries from %d on; the list has %d", list.Offset, list.Hits)
	case n < list.Hits && f.After == "":
		return moreText(list.Offset, list.Offset+n-1, list.Hits)
	}
	return ""
}
