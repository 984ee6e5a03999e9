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

// executionSelection says which executions are wanted, as it was typed.
type executionSelection struct {
	status           []string
	job, exit, agent string
	since, until     string
	params           []string
	after            string
	given            func(flag string) bool
}

func (v *executionSelection) addFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Which", func(f *pflag.FlagSet) {
		f.StringSliceVar(&v.status, "status", nil, "`STATUSES` any of these, such as started,failed")
		f.StringVar(&v.job, "job", "", "`NAMES` of jobs; * stands for any characters, ? for one")
		f.StringVar(&v.since, "since", "", "`TIME` started then or later, or created if not started: 18:00, yesterday, 2026-11-24, 2h ...")
		f.StringVar(&v.until, "until", "", "`TIME` started before that, a day to its end")
		f.StringVar(&v.agent, "agent", "", "`NAME` of the agent; * and ? as above")
		f.StringVar(&v.exit, "exit-status", "", "`STATUS` with which they ended; * and ? as above")
		f.StringArrayVarP(&v.params, "parameter", "p", nil, "`NAME=VALUE` job parameter that they were started with; may be given several times")
		f.StringVar(&v.after, "after", "", "`EXECUTION` those that follow it in the list")
	})
	completeFlag(cmd, "status", cobra.FixedCompletions(statusNames(), cobra.ShellCompDirectiveNoFileComp))
	v.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
}

// toFilter returns the filter that the flags and the optional argument JOB
// select. It refuses a value that it does not understand: an ignored filter
// would select everything.
func (v *executionSelection) toFilter(s *session, args []string) (f client.ExecutionFilter, err error) {
	f = client.ExecutionFilter{App: s.app, Job: v.job, ExitStatus: v.exit, Agent: v.agent, Page: s.requestedPage()}
	if len(args) > 0 {
		if v.given("job") {
			return f, usageErrorf("--job does not go with %s: want one of them", args[0])
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
	if f.Since, f.Until, err = s.timeRange(v.given, timeText{"since", v.since}, timeText{"until", v.until}); err != nil {
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
			return f, usageErrorf("--offset does not go with --after and --parameter")
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

// isRestricted reports whether not all executions are wanted.
func (v *executionSelection) isRestricted() bool {
	return slices.ContainsFunc([]string{"status", "job", "since", "until", "agent", "exit-status", "parameter"}, v.given)
}

func (c *CLI) executionList() *cobra.Command {
	var v executionSelection
	cmd := c.serverCommand("list [JOB]", "List executions, newest first: of all jobs, or of one", func(s *session, args []string) error {
		f, err := v.toFilter(s, args)
		if err != nil {
			return err
		}
		return s.listExecutions(f, v.isRestricted())
	})
	cmd.Long = `Lists executions of an application, newest first, those that meet all that is given. What is not understood is refused.

Parameters are searched for in some 2,000 executions at a time: what follows says how to go on.`
	cmd.Example = `  jobstreamer execution list --status started
  jobstreamer execution list --status failed,stopped --since 18:00
  jobstreamer execution list --job 'night*' --agent a2 --since yesterday --until "today 06:00"
  jobstreamer execution list nightly --parameter date=2026-11-24`
	v.addFlags(cmd)
	c.pageFlags(cmd)
	return c.appFlags(cmd)
}

// listExecutions shows a page; some says that there may be others that do not
// match.
func (s *session) listExecutions(f client.ExecutionFilter, some bool) error {
	ask := func(c *client.Client) (rest.Executions, error) { return c.FindExecutions(s.ctx, f) }
	err := showAnswer(s, ask, func(p *page, list rest.Executions) { s.drawExecutions(p, &f, list, some) })
	if err != nil || s.printsTables() || s.watch {
		return err
	}
	if list, err := ask(s.client); err == nil { // not every format says how many there are
		if more := s.moreExecutions(&f, &list); more != "" {
			fmt.Fprintln(s.Err, more)
		}
	}
	return nil
}

func (s *session) drawExecutions(p *page, f *client.ExecutionFilter, list rest.Executions, some bool) {
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
		fmt.Fprintf(p, "No executions of %s. `%s` starts one.\n", f.Of, s.appCommandLine("run "+f.Of))
	case list.Hits == 0:
		fmt.Fprintf(p, "No executions. `%s` starts one.\n", s.appCommandLine("run JOB"))
	}
	if more := s.moreExecutions(f, &list); more != "" {
		fmt.Fprintln(p, p.inColor(faint, more))
	}
}

// moreExecutions says that a list goes on, and how.
func (s *session) moreExecutions(f *client.ExecutionFilter, list *rest.Executions) string {
	n := len(list.Results)
	switch {
	case list.Next != nil && list.Scanned != nil:
		return fmt.Sprintf("%d executions were searched, there are more: --after %s goes on", *list.Scanned, *list.Next)
	case list.Next != nil:
		return fmt.Sprintf("%d to %d of %d; --limit shows more, --after %s those that follow", list.Offset, list.Offset+n-1, list.Hits, *list.Next)
	case n == 0 && list.Hits > 0:
		return fmt.Sprintf("none from %d on: there are %d", list.Offset, list.Hits)
	case n < list.Hits && f.After == "":
		return moreText(list.Offset, list.Offset+n-1, list.Hits)
	}
	return ""
}
