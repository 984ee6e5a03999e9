package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

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
such as of a component that the application lacks, do not count.`
	cmd.Example = `  jobstreamer job apply -f nightly.yaml
  jobstreamer job apply --app billing jobs/*.xml
  generate | jobstreamer job apply -f -`
	fileFlag(cmd, &files)
	return c.flags(cmd)
}

func (s *session) apply(files []string) error {
	all, err := s.definitions(files)
	if err != nil {
		return err
	}
	failed := false
	for i := range all {
		err := s.applyOne(&all[i])
		failed = failed || errors.Is(err, ErrSaid)
		if err != nil && !errors.Is(err, ErrSaid) {
			return err
		}
	}
	if failed {
		return ErrSaid
	}
	return nil
}

// applyOne sends a definition as it was written, so that what is said of it is about its own lines.
func (s *session) applyOne(d *definition) error {
	name, what := "", "created"
	if job, err := jsl.Parse(d.form, d.text); err == nil { // if not, the server says why
		name = job.ID
		is, _, err := s.client.Job(s.ctx, s.app, name)
		switch {
		case err == nil && same(job, is.Definition):
			s.applied(d, name, "unchanged", s.components().lacking(job)) // nothing is sent that would be answered with warnings
			return nil
		case err == nil:
			what = "changed"
		case client.Code(err) != "no_such_job":
			return err
		}
	}
	j, _, err := s.client.ApplyJob(s.ctx, s.app, name, "application/"+string(d.form), d.text, client.Condition{})
	if err != nil {
		return s.refused(d, err)
	}
	s.applied(d, j.Name, what, j.Warnings)
	return nil
}

// same says whether a job is what the server has.
func same(job *jsl.Job, is json.RawMessage) bool {
	was, err := jsl.ParseJSON(is)
	if err != nil {
		return false
	}
	a, _ := was.MarshalJSON()
	b, err := job.MarshalJSON()
	return err == nil && bytes.Equal(a, b)
}

func (s *session) applied(d *definition, job, what string, warnings []string) {
	p := s.out()
	color := map[string]string{"created": green, "changed": yellow}[what]
	fmt.Fprintf(p, "%s %s (%s)\n", job, p.in(color, what), d.file)
	for _, w := range warnings {
		s.fault(d.file, 0, 0, warning, w)
	}
}

// refused says what the server found wrong with a text. Other errors are not about the text.
func (s *session) refused(d *definition, err error) error {
	var p *client.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 || p.Status != 422 && p.Status != 400 {
		return err
	}
	for _, f := range p.Errors {
		line, column := f.Line, f.Column
		f.Line = 0 // it is said before
		s.fault(d.file, line, column, mistake, f.String())
	}
	return ErrSaid
}

var forms = []string{"json", "yaml", "edn", "xml"}

func (c *CLI) jobExport() *cobra.Command {
	var form string
	cmd := c.leaf("export JOB", "Print the definition of a job, as it can be applied again", func(s *session, args []string) error {
		if !slices.Contains(forms, form) {
			return usage("--format %s: want %s", form, strings.Join(forms, ", "))
		}
		return s.client.Definition(s.ctx, s.app, args[0], "application/"+form, s.Out)
	})
	cmd.Example = `  jobstreamer job export nightly --format xml > nightly.xml
  jobstreamer job export nightly | jobstreamer job apply --app test -f -`
	help.Section(cmd.Flags(), "How", func(f *pflag.FlagSet) {
		f.StringVar(&form, "format", "yaml", "`FORMAT` json, yaml, edn or xml")
	})
	completeFlag(cmd, "format", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
	return c.flags(cmd)
}
