package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// applyOptions are the options of job apply.
type applyOptions struct {
	diff, dry, differs bool
	prune, sure, keep  bool
}

func (c *CLI) jobApply() *cobra.Command {
	var files []string
	var how applyOptions
	cmd := c.serverCommand("apply [FILE|DIR...]", "Create or update jobs from definition files", func(inv *invocation, args []string) error {
		return inv.applyFiles(append(files, args...), &how)
	})
	cmd.Long = `Creates or updates jobs. Each file defines one job in JSON, YAML, EDN or XML; a YAML file can define several, separated by ---. The extension of
the file determines its format; without a known extension, the content does. In a folder, all files with these extensions are read, also in
subfolders, except hidden ones.

Besides the definition, a file can contain schedule, triggers, time_monitor and status_notifications, as ` + "`jobstreamer job export`" + ` writes them. A setting
that the file does not contain is left as it is; null removes it. XML contains the definition only. A job that already matches its file is not
written again.

All files are checked before the first job is written. If a file is invalid, or two files define the same job, nothing is written, and each error
is reported with file, line and column. --prune deletes the jobs of the application that no file defines. Warnings do not prevent writing: for
example a component that the application lacks, an element that no agent can run, or a notification without recipients.

--output json, yaml and edn print a list of the server's responses. Each begins with file, job, result (created, changed, unchanged, refused,
skipped or pruned), errors and warnings. With --dry-run, was and is follow: the job's file before and after.

The exit status is 0 only if all jobs match their files, or would match them with --dry-run.`
	cmd.Example = `  jobstreamer job apply -f nightly.yaml
  jobstreamer job apply jobs --dry-run --diff
  jobstreamer job apply --app billing jobs --prune --yes
  generate | jobstreamer job apply -f -`
	fileFlag(cmd, &files)
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&how.prune, "prune", false, "delete the jobs of the application that no file defines, with their schedules and histories")
		f.BoolVar(&how.keep, "keep-history", false, "with --prune: keep the executions of the deleted jobs")
	})
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		dryRunFlag(f, &how.dry)
		f.BoolVar(&how.diff, "diff", false, "show the changes line by line")
		f.BoolVar(&how.differs, "exit-code", false, fmt.Sprintf("with --dry-run: exit with status %d if something would change", ExitDiffers))
	})
	yesFlag(cmd, &how.sure)
	c.outputFlag(cmd, "`FORMAT` output format: table, or a list as json, yaml or edn")
	return c.appFlags(cmd)
}

func (h *applyOptions) checkFlags() error {
	switch {
	case h.differs && !h.dry:
		return usageErrorf("--exit-code requires --dry-run")
	case h.keep && !h.prune:
		return usageErrorf("--keep-history requires --prune")
	}
	return nil
}

// Results of a file or a job.
const (
	created   = "created"
	changed   = "changed"
	unchanged = "unchanged"
	refused   = "refused"
	pruned    = "pruned"
	skipped   = "skipped" // because another file or job was refused
)

func (inv *invocation) applyFiles(files []string, how *applyOptions) error {
	if err := how.checkFlags(); err != nil {
		return err
	}
	found, err := inv.definitions(files)
	if err != nil {
		return err
	}
	p, err := inv.planFiles(found, how)
	if err != nil {
		return err
	}
	switch {
	case p.countResult(refused) > 0:
		p.skipAll()
	case how.dry:
		err = p.showAll()
	default:
		if err := p.confirmPrune(); err != nil {
			return err
		}
		err = p.carryOut()
	}
	if unsaid := p.printSummary(err); err == nil {
		err = unsaid
	}
	switch {
	case err == nil && p.countResult(refused) > 0:
		err = ErrPrinted
	case err == nil && how.differs && p.wouldChange():
		err = printedError{ExitDiffers}
	}
	return err
}

// confirmPrune asks for confirmation before jobs are deleted.
func (p *applyPlan) confirmPrune() error {
	prune := p.withResult(pruned)
	if len(prune) == 0 {
		return nil
	}
	t := &targets{}
	for _, a := range prune {
		t.all = append(t.all, target{name: a.Job})
	}
	with := " that no file defines, with its schedule and the history of its executions"
	if p.how.keep {
		with = " that no file defines, with its schedule"
	}
	return p.confirm(p.how.sure, confirmQuestion(&bulkWork{one: "job", more: "jobs", verb: "delete", with: with}, t))
}

// carryOut makes the planned changes. It stops at the first one that the
// control bus refuses, because someone else has changed or deleted the job
// meanwhile.
func (p *applyPlan) carryOut() error {
	for i, c := range p.all {
		if err := p.writeJob(c); err != nil {
			for _, left := range p.all[i:] {
				left.Result = skipped
			}
			return err
		}
		if err := p.showJob(c); err != nil {
			return err
		}
	}
	return nil
}

// writeJob makes the planned change of one job.
func (p *applyPlan) writeJob(a *appliedJob) error {
	switch a.Result {
	case pruned:
		err := p.client.DeleteJob(p.ctx, p.app, a.Job, p.how.keep, client.Condition{})
		if client.Code(err) == "no_such_job" { // someone else has deleted it
			err = nil
		}
		return err
	case created, changed:
	default:
		return nil
	}
	j, _, err := p.client.ApplyJob(p.ctx, p.app, a.Job, "application/"+string(a.from.form), a.from.text, client.Condition{ETag: a.etag, Create: a.etag == ""})
	switch client.Code(err) {
	case "":
		if err == nil {
			a.Warnings = j.Warnings
		}
	case "conflict", "precondition_failed":
		err = &explained{err, fmt.Sprintf("the job %s in %s was just changed by someone else: check again with --dry-run --diff", a.Job, a.File)}
	}
	return err
}

// jobAnswer returns the result of a file, with the job as the control bus
// stores it afterwards.
func (p *applyPlan) jobAnswer(a *appliedJob) ([]byte, error) {
	format := "json" // YAML is converted from JSON at the end
	if p.output == "edn" {
		format = p.output
	}
	if a.Warnings == nil {
		a.Warnings = []string{}
	}
	if !p.how.dry {
		a.Was, a.Is = nil, nil
	}
	answer, err := inJSON(a)
	if err == nil {
		answer, err = convertJSON(format, answer)
	}
	if err != nil || p.how.dry || a.from == nil || a.Result == refused || a.Result == skipped {
		return answer, err
	}
	var job bytes.Buffer
	if _, _, err := p.client.As("application/"+format, &job).Job(p.ctx, p.app, a.Job); err != nil {
		return answer, err
	}
	sep := map[string]string{"json": ",", "edn": " "}[format]
	return slices.Concat(bytes.TrimSuffix(answer, []byte("}")), []byte(sep), bytes.TrimPrefix(bytes.TrimSpace(job.Bytes()), []byte("{"))), nil
}

// writeAnswers writes the answers as a list.
func (inv *invocation) writeAnswers(all [][]byte) (err error) {
	sep := map[bool]string{true: "\n ", false: ","}[inv.output == "edn"]
	list := slices.Concat([]byte("["), bytes.Join(all, []byte(sep)), []byte("]"))
	if inv.output == "yaml" {
		list, err = convertJSON(inv.output, list)
	}
	if err != nil {
		return err
	}
	return inv.outPage().writeRaw(inv.output, list)
}

// problemFaults returns the faults that the server found in a text. Other
// errors are returned as they are.
func problemFaults(err error) ([]definitionFault, error) {
	var p *client.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 || p.Status != 422 && p.Status != 400 {
		return nil, err
	}
	var all []definitionFault
	for _, f := range p.Errors {
		e := definitionFault{Line: f.Line, Column: f.Column, Path: f.Pointer + f.Parameter, Want: strings.TrimPrefix(f.Detail, "want "), Got: f.Got}
		f.Line = 0 // the caller prints it before the text
		e.text = f.String()
		all = append(all, e)
	}
	return all, nil
}
