package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// severalHelp is the part of help texts about arguments with several names.
const severalHelp = `Names can be globs such as 'night*'; - reads names from standard input, one per line. If some are refused, the others are still processed; a
summary line counts the results, and the exit status is 1. A glob that matches nothing is an error, and nothing is done. --dry-run prints what
would be done.`

// nothingChanged is written to standard error after a dry run.
const nothingChanged = "Dry run: nothing was changed."

// dryRunFlag defines --dry-run.
func dryRunFlag(f *pflag.FlagSet, dry *bool) {
	f.BoolVar(dry, "dry-run", false, "print what would be done without doing it")
}

// bulkFlags are the flags of a command that changes several things.
type bulkFlags struct{ dry, sure bool }

func (m *bulkFlags) addFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) { dryRunFlag(f, &m.dry) })
	yesFlag(cmd, &m.sure)
}

// bulkWork describes a change of several jobs, executions, agents or
// applications.
type bulkWork struct {
	*bulkFlags
	one, more string // the nouns: job, jobs
	noun      string // for the question about a single one; default: one
	verb      string // pause
	done      string // paused
	destroys  bool   // without a terminal, --yes is required
	with      string // a side effect, for the question
	check     func(t target) (state string, err error)
}

// target is a job, an execution, an agent or an application that a command
// changes.
type target struct {
	name string // its name; for an execution, its number
	job  string // the job of an execution, if known
	id   int64  // the number of an execution
}

// targets are the things that the arguments of a command select.
type targets struct {
	all     []target
	spelled bool // every argument is a name, none a glob
	single  bool // there is one argument, and it is a name
}

func isGlob(arg string) bool { return strings.ContainsAny(arg, "*?[") }

// expandNames replaces globs by the matching names, and - by the lines of
// standard input.
func (inv *invocation) expandNames(args []string, things string, names func() ([]string, error)) (t targets, err error) {
	t.spelled = true
	var known []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			t.all = append(t.all, target{name: name})
		}
	}
	for _, arg := range args {
		switch {
		case arg == "-":
			t.spelled = false
			lines, err := inv.inputLines()
			if err != nil {
				return t, err
			}
			for _, l := range lines {
				add(l)
			}
		case isGlob(arg):
			t.spelled = false
			if known == nil {
				if known, err = names(); err != nil {
					return t, err
				}
			}
			matching, err := matchGlob(arg, known)
			if err != nil {
				return t, err
			}
			if len(matching) == 0 {
				return t, fmt.Errorf("%s matches none of the %d %s; nothing was done", arg, len(known), things)
			}
			for _, name := range matching {
				add(name)
			}
		default:
			add(arg)
		}
	}
	t.single = len(args) == 1 && t.spelled
	return t, nil
}

func matchGlob(glob string, names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		ok, err := path.Match(glob, name)
		if err != nil {
			return nil, usageErrorf("%s: invalid glob; * matches any characters, ? matches one, [a-c] matches one from a to c", glob)
		}
		if ok {
			all = append(all, name)
		}
	}
	return all, nil
}

// inputLines reads names from standard input.
func (inv *invocation) inputLines() (all []string, err error) {
	lines := bufio.NewScanner(inv.In)
	for lines.Scan() {
		if l := strings.TrimSpace(lines.Text()); l != "" {
			all = append(all, l)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return all, nil
}

// expandJobs is expandNames for jobs.
func (inv *invocation) expandJobs(args []string) (targets, error) {
	return inv.expandNames(args, "jobs of "+inv.app, func() ([]string, error) {
		jobs, err := inv.allJobs()
		return namesOf(jobs, func(j *rest.Job) string { return j.Name }), err
	})
}

// allJobs returns the jobs of the application.
func (inv *invocation) allJobs() ([]rest.Job, error) {
	return allPages(func(p client.Page) (rest.List[rest.Job], error) {
		return inv.client.Jobs(inv.ctx, inv.app, client.JobSearch{Page: p})
	})
}

// namesOf returns the name of each element.
func namesOf[T any](all []T, name func(*T) string) []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = name(&all[i])
	}
	return names
}

// allPages returns the entries of all pages of a list.
func allPages[T any](ask func(p client.Page) (rest.List[T], error)) (all []T, err error) {
	for {
		list, err := ask(client.Page{Offset: len(all) + 1, Limit: wholePage})
		all = append(all, list.Results...)
		if err != nil || len(list.Results) == 0 || len(all) >= list.Hits {
			return all, err
		}
	}
}

// confirmWork asks for confirmation if it is needed. done is true if there is
// nothing left to do.
func (inv *invocation) confirmWork(w *bulkWork, t *targets) (done bool, err error) {
	if len(t.all) == 0 {
		fmt.Fprintf(inv.Err, "No %s: standard input contains no names.\n", w.more)
		return true, nil
	}
	if w.dry {
		return true, inv.dryRun(w, t)
	}
	if !w.destroys && (t.spelled || len(t.all) == 1 || !IsTerminal(inv.In)) {
		return false, nil // nothing is lost, and a script has chosen its arguments
	}
	return false, inv.confirm(w.sure, confirmQuestion(w, t))
}

const namedInQuestion = 8

func confirmQuestion(w *bulkWork, t *targets) string {
	verb := strings.ToUpper(w.verb[:1]) + w.verb[1:]
	if len(t.all) == 1 {
		return fmt.Sprintf("%s the %s %s%s?", verb, cmp.Or(w.noun, w.one), t.all[0].name, w.with)
	}
	var names []string
	for _, one := range t.all[:min(len(t.all), namedInQuestion)] {
		names = append(names, one.name)
	}
	list := strings.Join(names, ", ")
	if more := len(t.all) - len(names); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s %d %s%s: %s?", verb, len(t.all), w.more, strings.ReplaceAll(w.with, " its ", " their "), list)
}

func (inv *invocation) dryRun(w *bulkWork, t *targets) error {
	r := &bulkReport{invocation: inv, bulkWork: w}
	if inv.printsTables() {
		defer fmt.Fprintln(inv.Err, nothingChanged)
	}
	err := eachOf(r, t.all, func(_ *client.Client, one target) (string, error) { return w.check(one) }, func(p *page, one target, state string) string {
		text := fmt.Sprintf("would %s %s", w.verb, one.name)
		if state != "" {
			text += " (" + state + ")"
		}
		fmt.Fprintln(p, text)
		return "would be " + w.done
	})
	return r.printSummary(err)
}

// targetOutcome is the result for one target.
type targetOutcome struct {
	Name   string `json:"name"`
	Result string `json:"result"` // done, or refused
	Error  string `json:"error,omitempty"`
	answer []byte // the control bus's answer
}

// bulkReport collects the results for all targets.
type bulkReport struct {
	*invocation
	*bulkWork
	all  []targetOutcome
	left string // result of the targets that were not processed
}

// eachOf calls ask for each target. draw writes a line about the answer and
// returns the result in a word. eachOf returns early only if the control bus
// cannot be reached or the user interrupts.
func eachOf[T any](r *bulkReport, all []target, ask func(c *client.Client, t target) (T, error), draw func(p *page, t target, v T) string) error {
	p := r.outPage()
	for i, t := range all {
		var raw bytes.Buffer
		c := r.client
		// YAML is converted from JSON at the end.
		format := map[bool]string{true: "edn", false: "json"}[r.output == "edn"]
		if !r.printsTables() {
			c = c.As("application/"+format, &raw)
			p.Writer = io.Discard
		}
		v, err := ask(c, t)
		if err == nil {
			r.all = append(r.all, targetOutcome{t.name, draw(p, t, v), "", bytes.TrimSpace(raw.Bytes())})
			continue
		}
		text := r.shortReason(err)
		if r.ctx.Err() != nil || isAway(err) || errors.Is(err, context.DeadlineExceeded) {
			for _, left := range all[i:] {
				r.all = append(r.all, targetOutcome{left.name, cmp.Or(r.left, "not tried"), text, nil})
			}
			return err
		}
		r.all = append(r.all, targetOutcome{t.name, refused, text, nil})
		if r.printsTables() {
			fmt.Fprintf(r.Err, "%s: %s\n", t.name, text)
		}
	}
	return nil
}

// changeNamed changes each target and draws the answers. A single one is shown
// in the format of --output, without a summary.
func changeNamed[T any](inv *invocation, w *bulkWork, t *targets, ask func(c *client.Client, t target) (T, error), draw func(p *page, t target, v T)) error {
	if t.single && !w.dry {
		one := t.all[0]
		return showAnswer(inv, func(c *client.Client) (T, error) { return ask(c, one) }, func(p *page, v T) { draw(p, one, v) })
	}
	if done, err := inv.confirmWork(w, t); done || err != nil {
		return err
	}
	r := &bulkReport{invocation: inv, bulkWork: w}
	return r.printSummary(eachOf(r, t.all, ask, func(p *page, t target, v T) string {
		draw(p, t, v)
		return w.done
	}))
}

// deleteEach asks for confirmation, deletes each target and prints the text
// that remove returns.
func (inv *invocation) deleteEach(w *bulkWork, t *targets, remove func(t target) (text string, err error)) error {
	if done, err := inv.confirmWork(w, t); done || err != nil {
		return err
	}
	if t.single {
		text, err := remove(t.all[0])
		if err == nil {
			inv.printDone("%s\n", text)
		}
		return err
	}
	r := &bulkReport{invocation: inv, bulkWork: w}
	return r.printSummary(eachOf(r, t.all, func(_ *client.Client, t target) (string, error) { return remove(t) }, func(p *page, _ target, text string) string {
		fmt.Fprintln(p, text)
		return w.done
	}))
}

// printSummary writes the number of targets with each result, and returns the
// error of the command.
func (r *bulkReport) printSummary(err error) error {
	var words []string
	counts := map[string]int{}
	for _, o := range r.all {
		if counts[o.Result] == 0 {
			words = append(words, o.Result)
		}
		counts[o.Result]++
	}
	if !r.printsTables() {
		if unwritten := r.writeOutcomes(); err == nil {
			err = unwritten
		}
	} else {
		for i, w := range words {
			words[i] = fmt.Sprintf("%d %s", counts[w], w)
		}
		fmt.Fprintf(r.Out, "%s: %s.\n", countText(len(r.all), r.one, r.more), strings.Join(words, ", "))
	}
	if err == nil && counts[refused] > 0 {
		err = ErrPrinted
	}
	return err
}

// writeOutcomes writes the results as a list, with the answers of the control
// bus.
func (r *bulkReport) writeOutcomes() error {
	var all [][]byte
	for _, o := range r.all {
		data, err := inJSON(o)
		if err == nil && r.output == "edn" {
			data, err = convertJSON(r.output, data)
		}
		if err != nil {
			return err
		}
		if len(o.answer) > 0 {
			name := map[bool]string{true: ` :answer `, false: `,"answer":`}[r.output == "edn"]
			data = slices.Concat(bytes.TrimSuffix(data, []byte("}")), []byte(name), o.answer, []byte("}"))
		}
		all = append(all, data)
	}
	return r.writeAnswers(all)
}

// worstExit returns the exit status of several executions: that of a failed
// one, else that of a stopped one.
func worstExit(statuses []int) error {
	if len(statuses) == 0 {
		return nil
	}
	switch {
	case slices.Contains(statuses, ExitFailed):
		return printedError{ExitFailed}
	case slices.Contains(statuses, ExitStopped):
		return printedError{ExitStopped}
	}
	return nil
}

// refuseFlag returns an error if a flag for a single target was given.
func refuseFlag(given bool, flag, more string) error {
	if given {
		return usageErrorf("%s cannot be combined with several %s", flag, more)
	}
	return nil
}
