package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
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
	var known []rest.Component
	checked := false
	if !offline {
		if known, err = s.client.Components(s.ctx, s.app); err == nil {
			checked = true
		} else if s.ctx.Err() != nil {
			return err
		}
	}
	failed := false
	for i := range all {
		failed = !s.validateOne(&all[i], known, checked) || failed
	}
	if err != nil {
		why, _, _ := strings.Cut(s.explain(err).Error(), "\n")
		fmt.Fprintf(s.Err, "Components were not checked: %s\n", why)
	}
	if failed {
		return ErrSaid
	}
	return nil
}

// validateOne says what is wrong with a definition, and whether it is right.
func (s *session) validateOne(d *definition, known []rest.Component, check bool) bool {
	job, err := jsl.Parse(d.form, d.text)
	if err != nil {
		s.faults(d, err)
		return false
	}
	if check {
		for _, w := range s.lacking(job, known) {
			s.fault(d.file, 0, 0, warning, w)
		}
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

// lacking says which components of a job the application does not have.
func (s *session) lacking(job *jsl.Job, known []rest.Component) (warnings []string) {
	for _, c := range job.Components() {
		if strings.Contains(c.Ref, "#{") {
			continue // known only when it runs
		}
		i := slices.IndexFunc(known, func(k rest.Component) bool {
			return k.Ref == c.Ref || k.Class == c.Ref || slices.Contains(k.Aliases, c.Ref)
		})
		switch {
		case i < 0:
			warnings = append(warnings, fmt.Sprintf("%s: the application %s has no component %s", c.Path, s.app, c.Ref))
		case !isOf(c.Kind, known[i].Kinds):
			warnings = append(warnings, fmt.Sprintf("%s: %s is no %s, but %s", c.Path, c.Ref, c.Kind, strings.Join(known[i].Kinds, ", ")))
		}
	}
	return warnings
}

// isOf says whether a component can be used so. Listeners of jobs and steps are one kind there.
func isOf(kind string, kinds []string) bool {
	if strings.HasSuffix(kind, "listener") {
		kind = "listener"
	}
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}
