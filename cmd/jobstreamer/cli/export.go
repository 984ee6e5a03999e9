package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

var forms = []string{"json", "yaml", "edn", "xml"}

// exportOptions are the options of job export.
type exportOptions struct {
	form       string
	definition bool   // without schedule and settings
	folder     string // empty: write to standard output
	dry, force bool
}

func (c *CLI) jobExport() *cobra.Command {
	var how exportOptions
	var output string
	cmd := c.serverCommand("export [JOB...]", "Export jobs to files or standard output, in the format of job apply", func(inv *invocation, args []string) error {
		if err := how.parseOutput(output); err != nil {
			return err
		}
		if how.folder != "" {
			return inv.exportFiles(args, &how)
		}
		return inv.printJobs(args, &how)
	})
	cmd.Long = `Exports jobs with their schedules, time monitors and notifications, in the format that ` + "`jobstreamer job apply`" + ` reads. XML contains the definition
only.

With -o DIR, each job is written to a file named after it in the folder; without names, all jobs of the application are. If a file in the folder,
or in a subfolder, already defines the job, that file is updated in its own format; if nothing has changed, it keeps its text and comments. Any
other existing file is overwritten only with --force. Characters that a file system may not allow are written as % and two hexadecimal digits.

Without -o DIR, the jobs are printed; several jobs are printed as documents of one YAML text. ` + severalHelp
	cmd.Example = `  jobstreamer job export -o jobs
  jobstreamer job export 'night*' --app billing -o jobs/billing --format json
  jobstreamer job export nightly -o xml > nightly.xml
  jobstreamer job export nightly --definition | jobstreamer job apply --app test -f -`
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		f.StringVarP(&output, "output", "o", "", "`DIR` folder for the files; or the format, like --format")
		f.StringVar(&how.form, "format", "", "`FORMAT` file format: json, yaml, edn or xml (default: that of the existing file, else yaml)")
		f.BoolVar(&how.definition, "definition", false, "export the definition only, without schedule, time monitor and notifications")
	})
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&how.dry, "dry-run", false, "with -o DIR: print what would be written without writing it")
		f.BoolVar(&how.force, "force", false, "with -o DIR: overwrite files that do not define the job")
	})
	completeFlag(cmd, "output", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	completeFlag(cmd, "format", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
	return c.appFlags(cmd)
}

// parseOutput reads --output, which is a folder or a format.
func (h *exportOptions) parseOutput(output string) error {
	if slices.Contains(forms, output) {
		h.form = cmp.Or(h.form, output)
	} else {
		h.folder = output
	}
	switch {
	case h.form != "" && !slices.Contains(forms, h.form):
		return usageErrorf("--format %s: want %s", h.form, strings.Join(forms, ", "))
	case slices.Contains(outputs, h.folder) || h.folder == "yml":
		return usageErrorf("-o %s: want %s, or a folder: ./%s", h.folder, strings.Join(forms, ", "), h.folder)
	case h.folder == "" && (h.dry || h.force):
		return usageErrorf("--dry-run and --force require -o DIR")
	}
	return nil
}

// printJobs prints jobs to standard output.
func (inv *invocation) printJobs(args []string, how *exportOptions) error {
	if len(args) == 0 {
		return usageErrorf("no jobs given; name them, or use '*' for all; -o DIR writes files")
	}
	form := jsl.Format(cmp.Or(how.form, string(jsl.YAML)))
	t, err := inv.expandJobs(args)
	if err != nil {
		return err
	}
	if len(t.all) > 1 && form != jsl.YAML {
		return usageErrorf("%d jobs cannot be printed as one %s text; use --format yaml or -o DIR", len(t.all), form)
	}
	printed, missed := 0, 0
	for _, one := range t.all {
		text, err := inv.fileOf(one.name, form, how)
		switch {
		case err == nil:
		case t.single || isAway(err) || inv.ctx.Err() != nil:
			return err
		default:
			missed++
			why := inv.shortReason(err)
			fmt.Fprintf(inv.Err, "%s: %s\n", one.name, why)
			continue
		}
		if printed++; printed > 1 {
			fmt.Fprintln(inv.Out, "---")
		}
		if err := inv.outPage().writeCode(text); err != nil {
			return err
		}
	}
	if !t.single {
		fmt.Fprintf(inv.Err, "%s: %d printed%s.\n", countText(len(t.all), "job", "jobs"), printed, map[bool]string{true: fmt.Sprintf(", %d refused", missed)}[missed > 0])
	}
	if missed > 0 {
		return ErrPrinted
	}
	return nil
}

// fileOf returns a job's file, or only its definition.
func (inv *invocation) fileOf(job string, form jsl.Format, how *exportOptions) ([]byte, error) {
	ask := inv.client.File
	if how.definition {
		ask = inv.client.Definition
	}
	var text bytes.Buffer
	if err := ask(inv.ctx, inv.app, job, "application/"+string(form), &text); err != nil || form != jsl.JSON {
		return text.Bytes(), err
	}
	// On a single line, every change would show as a change of the whole file.
	lines, err := indentJSON(text.Bytes())
	return append(lines, '\n'), err
}

// containsAll reports whether a file contains everything that is stored for a job
// besides its definition. The rest is lost if the job is recreated from the
// file.
func containsAll(form jsl.Format, text []byte, is json.RawMessage) bool {
	if form == jsl.XML {
		return true // XML has no place for settings
	}
	file, err := jsl.ParseFile(form, text)
	if err != nil {
		return false
	}
	var whole map[string]json.RawMessage
	if json.Unmarshal(is, &whole) != nil {
		return false
	}
	for _, name := range jsl.BesideNames() {
		if there := string(whole[name]); file.Get(name) == nil && !slices.Contains([]string{"", "null", "[]", "{}"}, there) {
			return false
		}
	}
	if !keepsPauses(file.Get(jsl.BesideSchedule), whole[jsl.BesideSchedule]) {
		return false
	}
	var sent, there map[string]json.RawMessage
	if json.Unmarshal(file.Get(jsl.BesideSchedules), &sent) != nil || json.Unmarshal(whole[jsl.BesideSchedules], &there) != nil {
		return true
	}
	for name := range sent {
		if !keepsPauses(sent[name], there[name]) {
			return false
		}
	}
	return true
}

// keepsPauses reports whether a schedule of a file would be paused if the
// stored one is. If the file does not say, the schedule of a recreated job is
// active.
func keepsPauses(sent, stored []byte) bool {
	var said, is struct{ Active *bool }
	if json.Unmarshal(sent, &said) != nil || said.Active != nil || json.Unmarshal(stored, &is) != nil {
		return true
	}
	return is.Active == nil || *is.Active
}
