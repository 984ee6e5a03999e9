package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	completionTime = time.Second // a user does not wait longer for a completion
	completionMost = 1000
)

// completionSource returns the candidates for a word, each with a description
// after a tab.
type completionSource func(inv *invocation) []cobra.Completion

// completeFrom returns a completion with the candidates of ask. It hides
// errors, because the command itself reports them.
func (c *CLI) completeFrom(ask completionSource) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		inv, err := c.newInvocation(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer inv.client.Close()
		return ask(inv), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeArguments completes each argument by its word in the usage line.
func (c *CLI) completeArguments(use string) cobra.CompletionFunc {
	words := strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(use))[1:]
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(words) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		kind := words[min(len(args), len(words)-1)]
		if len(args) >= len(words) && !strings.HasSuffix(kind, "...") {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		switch strings.TrimSuffix(kind, "...") {
		case "PATH":
			return nil, cobra.ShellCompDirectiveDefault
		case "FILE", "FILE|DIR":
			return definitionEndings(), cobra.ShellCompDirectiveFilterFileExt
		}
		ask := map[string]completionSource{
			"APP": (*invocation).appNames, "JOB": (*invocation).jobNames, "AGENT": (*invocation).agentNames, "CONTEXT": (*invocation).contextNames,
			"CALENDAR":  (*invocation).calendarNames,
			"EXECUTION": (*invocation).executionIDs, "EXECUTION|JOB": (*invocation).executionsAndJobs, "JOB|CRON": (*invocation).jobNames,
			// The revisions of the application in the argument before it.
			"REVISION": func(inv *invocation) []cobra.Completion { return inv.revisionNumbers(args[0]) },
		}[strings.TrimSuffix(kind, "...")]
		if ask == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, how := filterByPrefix(c.completeFrom(ask))(cmd, args, word)
		return slices.DeleteFunc(all, func(c cobra.Completion) bool { // without the arguments before it
			name, _, _ := strings.Cut(c, "\t")
			return slices.Contains(args, name)
		}), how
	}
}

// filterByPrefix keeps the candidates that begin with the typed text, because
// not every shell filters them.
func filterByPrefix(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		all, how := f(cmd, args, word)
		return slices.DeleteFunc(slices.Clone(all), func(c cobra.Completion) bool { return !strings.HasPrefix(c, word) }), how
	}
}

func completeFlag(cmd *cobra.Command, name string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, filterByPrefix(f)); err != nil {
		panic(err) // the flag does not exist or is completed twice
	}
}

func (inv *invocation) contextNames() (all []cobra.Completion) {
	contexts := contexts{inv.Dir}
	names, _ := contexts.listNames()
	for _, name := range names {
		is, _ := contexts.loadContext(name)
		all = append(all, cobra.CompletionWithDesc(name, shownURL(is.Server)))
	}
	return all
}

func (inv *invocation) appNames() (all []cobra.Completion) {
	list, _ := inv.client.Apps(inv.ctx, client.Page{Limit: completionMost})
	for _, a := range list.Results {
		all = append(all, cobra.CompletionWithDesc(a.Name, oneLine(a.Description)))
	}
	return all
}

func (inv *invocation) revisionNumbers(app string) (all []cobra.Completion) {
	list, _ := inv.client.Deployments(inv.ctx, app)
	p := inv.outPage()
	for _, d := range list.Results {
		what := p.timeText(d.CreateTime)
		if d.Current {
			what += ", current"
		}
		all = append(all, cobra.CompletionWithDesc(fmt.Sprint(d.Revision), what))
	}
	return all
}

func (inv *invocation) jobNames() (all []cobra.Completion) {
	list, _ := inv.client.Jobs(inv.ctx, inv.app, client.JobSearch{Page: client.Page{Limit: completionMost}})
	for _, j := range list.Results {
		what := "never run"
		if e := j.LatestExecution; e != nil {
			what = fmt.Sprintf("%d %s", e.ExecutionID, e.BatchStatus)
		}
		all = append(all, cobra.CompletionWithDesc(j.Name, what))
	}
	return all
}

// executionIDs returns the latest execution of each job.
func (inv *invocation) executionIDs() (all []cobra.Completion) {
	list, _ := inv.client.Jobs(inv.ctx, inv.app, client.JobSearch{Page: client.Page{Limit: completionMost}, SortBy: latestFirst})
	for _, j := range list.Results {
		if e := j.LatestExecution; e != nil {
			all = append(all, cobra.CompletionWithDesc(fmt.Sprint(e.ExecutionID), fmt.Sprintf("%s %s", j.Name, e.BatchStatus)))
		}
	}
	return all
}

func (inv *invocation) executionsAndJobs() []cobra.Completion {
	return append(inv.executionIDs(), inv.jobNames()...)
}

func (inv *invocation) agentNames() (all []cobra.Completion) {
	list, _ := inv.client.Agents(inv.ctx, client.Page{Limit: completionMost})
	for _, a := range list.Results {
		all = append(all, cobra.CompletionWithDesc(a.Name, a.Status+" on "+a.Host))
	}
	return all
}

// statusNames returns the batch statuses as candidates.
func statusNames() (all []cobra.Completion) {
	for _, s := range subjects.BatchStatuses() {
		all = append(all, string(s))
	}
	return all
}
