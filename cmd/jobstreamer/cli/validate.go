package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func (c *CLI) jobValidate() *cobra.Command {
	var files []string
	var offline bool
	cmd := c.serverCommand("validate [FILE|DIR...]", "Check definitions without storing them", func(inv *invocation, args []string) error {
		return inv.validateFiles(append(files, args...), offline)
	})
	cmd.Long = `Checks definitions locally, by the rules of the control bus. If the control bus is reachable, the command also checks that the application has the
components: a job that uses others is valid, but cannot run. --output json, yaml and edn print a list of {file, job, valid, errors, warnings}; an
error has line, column, path, want and got.

The exit status is 1 if a definition is invalid. Warnings do not affect it.`
	cmd.Example = `  jobstreamer job validate jobs/*.yaml
  jobstreamer job validate --offline -f nightly.xml
  jobstreamer job validate jobs -o json | jq -r '.[] | select(.valid | not).file'`
	fileFlag(cmd, &files)
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&offline, "offline", false, "skip the check of components, which needs the control bus")
	})
	c.outputFlag(cmd, "`FORMAT` output format: table, or a list as json, yaml or edn")
	return c.appFlags(cmd)
}

// verdict is the result for one file.
type verdict struct {
	File     string            `json:"file"`
	Job      string            `json:"job,omitempty"`
	Valid    bool              `json:"valid"`
	Errors   []definitionFault `json:"errors"`
	Warnings []string          `json:"warnings"`
}

func (inv *invocation) validateFiles(files []string, offline bool) error {
	found, err := inv.definitions(files)
	if err != nil {
		return err
	}
	check := &knownComponents{}
	if !offline {
		check = inv.loadComponents()
	}
	verdicts, failed := make([]verdict, len(found.all)), false
	for i, first := range found.duplicateOf() {
		v := validateDefinition(&found.all[i], check)
		if first != nil {
			text := "/id: want another id: " + first.file + " also defines this job"
			v.Valid, v.Errors = false, append(v.Errors, definitionFault{Path: "/id", Want: "another id: " + first.file + " also defines this job", text: text})
		}
		if verdicts[i], failed = v, failed || !v.Valid; inv.printsTables() {
			inv.drawVerdict(&v)
		}
	}
	if !inv.printsTables() {
		err = inv.printValue(verdicts)
	}
	if check.err != nil {
		why := inv.shortReason(check.err)
		fmt.Fprintf(inv.Err, "Components were not checked: %s\n", why)
	}
	if err == nil && (failed || inv.ctx.Err() != nil) {
		err = ErrPrinted
	}
	return err
}

func validateDefinition(d *definition, check *knownComponents) verdict {
	v := verdict{File: d.file, Errors: []definitionFault{}, Warnings: []string{}}
	file, err := httpapi.ParseFile(d.form, d.text)
	var all jsl.Errors
	switch {
	case errors.As(err, &all):
		for _, f := range all {
			e := definitionFault{Line: f.Line, Column: f.Column, Path: f.Path, Want: f.Want, Got: f.Got}
			f.Line = 0 // the caller prints it before the text
			e.text = f.Error()
			v.Errors = append(v.Errors, e)
		}
	case err != nil:
		v.Errors = append(v.Errors, definitionFault{Want: err.Error(), text: err.Error()})
	default:
		v.Job, v.Valid = file.Job.ID, true
		v.Warnings = append(v.Warnings, check.missingIn(file.Job)...)
	}
	return v
}

func (inv *invocation) drawVerdict(v *verdict) {
	inv.printFaults(v.File, v.Errors, v.Warnings)
	if v.Valid {
		p := inv.outPage()
		fmt.Fprintf(p, "%s %s (%s)\n", v.Job, p.inColor(green, "valid"), v.File)
	}
}
