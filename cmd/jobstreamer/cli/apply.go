package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func (c *CLI) jobApply() *cobra.Command {
	var files []string
	cmd := c.leaf("apply [FILE...]", "Create or change the jobs that files define", func(s *session, args []string) error {
		return s.apply(append(files, args...))
	})
	cmd.Long = `Creates or changes jobs: each file defines one, in JSON, YAML, EDN or XML. The form goes by the file's ending, else by its content. A job
that is the same already is left alone.

What is wrong is said with file, line and column, for all files. The exit status is 0 only if all jobs are as their files say; warnings,
such as of a component that the application lacks, do not count. --output json, yaml and edn have a list of the server's answers; each begins with
file, job, result (created, changed, unchanged or refused), errors and warnings.`
	cmd.Example = `  jobstreamer job apply -f nightly.yaml
  jobstreamer job apply --app billing jobs/*.xml
  generate | jobstreamer job apply -f -`
	fileFlag(cmd, &files)
	c.outputFlag(cmd, "`FORMAT` table, or a list as json, yaml or edn")
	return c.flags(cmd)
}

// applied is what became of a file. What follows it is the control bus's answer.
type applied struct {
	File     string   `json:"file"`
	Job      string   `json:"job,omitempty"`
	Result   string   `json:"result"` // created, changed, unchanged or refused
	Errors   []wrong  `json:"errors"`
	Warnings []string `json:"warnings"`
}

func (s *session) apply(files []string) error {
	all, err := s.definitions(files)
	if err != nil {
		return err
	}
	var answers [][]byte
	failed, check := false, sync.OnceValue(s.components) // asked once, if at all
	for i := 0; i < len(all) && err == nil; i++ {
		a := applied{File: all[i].file, Result: "created", Errors: []wrong{}}
		if err = s.applyOne(&all[i], &a, check); err != nil {
			break
		}
		failed = failed || a.Result == refused
		if s.tables() {
			s.drawApplied(&a)
			continue
		}
		var answer []byte
		answer, err = s.appliedAnswer(&a)
		answers = append(answers, answer)
	}
	if !s.tables() && (err == nil || len(answers) > 0) { // what was done is said, also if the rest was not
		if unwritten := s.writeAnswers(answers); err == nil {
			err = unwritten
		}
	}
	if err == nil && failed {
		err = ErrSaid
	}
	return err
}

const refused = "refused"

// applyOne sends a definition as it was written, so that what is said of it is about its own lines.
func (s *session) applyOne(d *definition, a *applied, check func() *components) error {
	if job, err := jsl.Parse(d.form, d.text); err == nil { // if not, the server says why
		a.Job = job.ID
		is, _, err := s.client.Job(s.ctx, s.app, job.ID)
		switch {
		case err == nil && same(job, is.Definition):
			a.Result, a.Warnings = "unchanged", check().lacking(job) // nothing is sent that would be answered with warnings
			return nil
		case err == nil:
			a.Result = "changed"
		case client.Code(err) != "no_such_job":
			return err
		}
	}
	j, _, err := s.client.ApplyJob(s.ctx, s.app, a.Job, "application/"+string(d.form), d.text, client.Condition{})
	if err != nil {
		a.Result = refused
		a.Errors, err = refusal(err)
		return err
	}
	a.Job, a.Warnings = j.Name, j.Warnings
	return nil
}

// appliedAnswer is what became of a file, with the job as the control bus has it then.
func (s *session) appliedAnswer(a *applied) ([]byte, error) {
	format := "json" // of which YAML is made in the end
	if s.output == "edn" {
		format = s.output
	}
	if a.Warnings == nil {
		a.Warnings = []string{}
	}
	said, err := inJSON(a)
	if err == nil {
		said, err = formatted(format, said)
	}
	if err != nil || a.Result == refused {
		return said, err
	}
	var job bytes.Buffer
	if _, _, err := s.client.As("application/"+format, &job).Job(s.ctx, s.app, a.Job); err != nil {
		return said, err
	}
	sep := map[string]string{"json": ",", "edn": " "}[format]
	return slices.Concat(bytes.TrimSuffix(said, []byte("}")), []byte(sep), bytes.TrimPrefix(bytes.TrimSpace(job.Bytes()), []byte("{"))), nil
}

// writeAnswers writes a list of answers.
func (s *session) writeAnswers(all [][]byte) (err error) {
	sep := map[bool]string{true: "\n ", false: ","}[s.output == "edn"]
	list := slices.Concat([]byte("["), bytes.Join(all, []byte(sep)), []byte("]"))
	if s.output == "yaml" {
		list, err = formatted(s.output, list)
	}
	if err != nil {
		return err
	}
	return s.out().raw(s.output, list)
}

// same says whether a job is what the server has.
func same(job *jsl.Job, is json.RawMessage) bool {
	was, err := jsl.Restore(is)
	if err != nil {
		return false
	}
	a, _ := was.MarshalJSON()
	b, err := job.MarshalJSON()
	return err == nil && bytes.Equal(a, b)
}

func (s *session) drawApplied(a *applied) {
	if a.Result != refused {
		p := s.out()
		color := map[string]string{"created": green, "changed": yellow}[a.Result]
		fmt.Fprintf(p, "%s %s (%s)\n", a.Job, p.in(color, a.Result), a.File)
	}
	s.faults(a.File, a.Errors, a.Warnings)
}

// refusal is what the server found wrong with a text. Other errors are not about the text.
func refusal(err error) ([]wrong, error) {
	var p *client.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 || p.Status != 422 && p.Status != 400 {
		return nil, err
	}
	var all []wrong
	for _, f := range p.Errors {
		e := wrong{Line: f.Line, Column: f.Column, Path: f.Pointer + f.Parameter, Want: strings.TrimPrefix(f.Detail, "want "), Got: f.Got}
		f.Line = 0 // it is said before
		e.text = f.String()
		all = append(all, e)
	}
	return all, nil
}

var forms = []string{"json", "yaml", "edn", "xml"}

func (c *CLI) jobExport() *cobra.Command {
	var format, output string
	cmd := c.leaf("export JOB", "Print the definition of a job, as it can be applied again", func(s *session, args []string) error {
		form, flag := output, "output"
		if format != "" {
			form, flag = format, "format"
		}
		if !slices.Contains(forms, form) {
			return usage("--%s %s: want %s", flag, form, strings.Join(forms, ", "))
		}
		return s.client.Definition(s.ctx, s.app, args[0], "application/"+form, s.Out)
	})
	cmd.Example = `  jobstreamer job export nightly -o xml > nightly.xml
  jobstreamer job export nightly | jobstreamer job apply --app test -f -`
	help.Section(cmd.Flags(), "How", func(f *pflag.FlagSet) {
		f.StringVarP(&output, "output", "o", "yaml", "`FORMAT` json, yaml, edn or xml")
		f.StringVar(&format, "format", "", "`FORMAT` the same as --output")
	})
	completeFlag(cmd, "output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "format", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
	return c.flags(cmd)
}
