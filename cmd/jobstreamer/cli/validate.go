package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func (c *CLI) jobValidate() *cobra.Command {
	var files []string
	var offline bool
	cmd := c.leaf("validate [FILE...]", "Say what is wrong with definitions, without storing them", func(s *session, args []string) error {
		return s.validate(append(files, args...), offline)
	})
	cmd.Long = `Checks definitions here, by the rules that the control bus has. If it can be reached, it is asked which components the application has:
a job may name others, but it will not run then.

The exit status is 1 if something is wrong. Warnings do not count.`
	cmd.Example = `  jobstreamer job validate jobs/*.yaml
  jobstreamer job validate --offline -f nightly.xml`
	fileFlag(cmd, &files)
	help.Section(cmd.Flags(), "How", func(f *pflag.FlagSet) {
		f.BoolVar(&offline, "offline", false, "do not ask the control bus for components")
	})
	return c.flags(cmd)
}

func (s *session) validate(files []string, offline bool) error {
	all, err := s.definitions(files)
	if err != nil {
		return err
	}
	check := &components{}
	if !offline {
		check = s.components()
	}
	failed := false
	for i := range all {
		failed = !s.validateOne(&all[i], check) || failed
	}
	if check.err != nil {
		why, _, _ := strings.Cut(s.explain(check.err).Error(), "\n")
		fmt.Fprintf(s.Err, "Components were not checked: %s\n", why)
	}
	if failed || s.ctx.Err() != nil {
		return ErrSaid
	}
	return nil
}

// validateOne says what is wrong with a definition, and whether it is right.
func (s *session) validateOne(d *definition, check *components) bool {
	job, err := jsl.Parse(d.form, d.text)
	if err != nil {
		s.faults(d, err)
		return false
	}
	for _, w := range check.lacking(job) {
		s.fault(d.file, 0, 0, warning, w)
	}
	p := s.out()
	fmt.Fprintf(p, "%s %s (%s)\n", job.ID, p.in(green, "valid"), d.file)
	return true
}

func (s *session) faults(d *definition, err error) {
	var all jsl.Errors
	if !errors.As(err, &all) {
		s.fault(d.file, 0, 0, mistake, err.Error())
	}
	for _, f := range all {
		line, column := f.Line, f.Column
		f.Line = 0 // it is said before
		s.fault(d.file, line, column, mistake, f.Error())
	}
}
