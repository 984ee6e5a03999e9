package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/crontab"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (c *CLI) importCommand() *cobra.Command {
	return groupCommand("import", "Import schedules of other programs", "Makes jobs and schedules of the files of other programs.", c.importCrontab())
}

// importOptions are the flags of import crontab.
type importOptions struct {
	crontab.Options
	dry        bool
	timeZone   string
	mailSender string
	pools      []string // USER=POOL
}

func (c *CLI) importCrontab() *cobra.Command {
	var how importOptions
	cmd := c.serverCommand("crontab FILE", "Make a job with a schedule of each line of a crontab", func(inv *invocation, args []string) error {
		return inv.importCrontab(args[0], &how)
	})
	cmd.Long = `Makes a job with a schedule of each line of a crontab, and prints what became of each line. FILE is a crontab, or - for standard input.

A line that a schedule cannot express is refused, and its reason is printed; the other lines are imported. The job's name follows from the command
and the user, and its property crontab is the line. So an import can be repeated: what has not changed stays as it is, and changed times or
variables change the job. A job whose line was removed stays. Lines that differ in their times only become one job with several schedules.

Variables (NAME=value) become the environment of the commands, SHELL runs them, HOME is their directory, and CRON_TZ is the time zone of the
schedules. MAILTO becomes a mail if an execution fails, if the control bus has a sender of mail (--senders) that accepts the address. Commands run
as the user account of the agent: for the lines of a user of a system crontab, --user-pool names the pool of the agents that run as that user.

The exit status is 0 only if all lines were imported.`
	cmd.Example = `  crontab -l | jobstreamer import crontab - --dry-run
  jobstreamer import crontab --system /etc/crontab --user-pool root=admin --time-zone Europe/Berlin`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&how.System, "system", false, "the lines have a user before the command, as in /etc/crontab and /etc/cron.d")
		f.StringVar(&how.timeZone, "time-zone", "", "`ZONE` time zone of lines without CRON_TZ, such as Europe/Berlin (default: that of this machine)")
		f.BoolVar(&how.EitherDay, "either-day", false, "import a line that restricts both the day of the month and the weekday as two schedules; on a day that matches both, the job runs twice")
		f.StringArrayVar(&how.pools, "user-pool", nil, "`USER=POOL` pool of the jobs of a user of a system crontab; can be repeated")
		f.StringVar(&how.mailSender, "mail-sender", "", "`NAME` sender of the mails for MAILTO (default: the first sender of mail that the control bus has)")
	})
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) { dryRunFlag(f, &how.dry) })
	c.outputFlag(cmd, "`FORMAT` output format: table, or a list of the lines as json, yaml or edn")
	return c.appFlags(cmd)
}

// importedLine is what became of one line.
type importedLine struct {
	Line     int      `json:"line"`
	Text     string   `json:"text"`
	Result   string   `json:"result"`
	Job      string   `json:"job,omitempty"`
	Crons    []string `json:"cron_notations,omitempty"`
	TimeZone string   `json:"time_zone,omitempty"`
	Reason   string   `json:"reason,omitempty"` // why it was refused
	Warnings []string `json:"warnings"`
}

// crontabImport is a running import.
type crontabImport struct {
	*invocation
	how    *importOptions
	zone   string            // of lines without CRON_TZ
	pools  map[string]string // by user
	mailer string            // name of the sender of mail; empty: none
	all    []importedLine
}

// importedJob is a job with the lines that are its schedules.
type importedJob struct {
	name  string
	lines []*crontab.Line
}

func (inv *invocation) importCrontab(file string, how *importOptions) error {
	im := &crontabImport{invocation: inv, how: how, pools: map[string]string{}, all: []importedLine{}}
	if err := im.checkFlags(file); err != nil {
		return err
	}
	text, err := inv.readCrontab(file)
	if err != nil {
		return err
	}
	if im.mailer, err = im.findMailer(); err != nil {
		return err
	}
	lines := crontab.Parse(text, how.Options)
	var jobs []*importedJob
	for i := range lines {
		if l := &lines[i]; l.Err != nil {
			im.all = append(im.all, importedLine{Line: l.Number, Text: l.Text, Result: refused, Reason: l.Err.Error(), Warnings: []string{}})
		} else {
			jobs = addLine(jobs, l)
		}
	}
	for _, j := range jobs {
		if err = im.importJob(j); err != nil {
			break
		}
	}
	slices.SortStableFunc(im.all, func(a, b importedLine) int { return a.Line - b.Line })
	if unsaid := im.report(err); err == nil {
		err = unsaid
	}
	if err == nil && im.countResult(refused) > 0 {
		err = ErrPrinted
	}
	return err
}

func (im *crontabImport) checkFlags(file string) error {
	if im.zone = im.how.timeZone; im.zone == "" {
		im.zone = machineZone(im.Env["TZ"])
	} else if _, err := time.LoadLocation(im.zone); err != nil || im.zone == "Local" {
		return usageErrorf("--time-zone %s: want a name such as Europe/Berlin", im.zone)
	}
	for _, p := range im.how.pools {
		user, pool, ok := strings.Cut(p, "=")
		if !ok || user == "" || !subjects.ValidName(pool) {
			return usageErrorf("--user-pool %s: want USER=POOL", p)
		}
		im.pools[user] = pool
	}
	if len(im.pools) > 0 && !im.how.System {
		return usageErrorf("--user-pool requires --system")
	}
	if !im.how.System && (filepath.Clean(file) == "/etc/crontab" || filepath.Dir(filepath.Clean(file)) == "/etc/cron.d") {
		return usageErrorf("%s has a user before each command: add --system", file)
	}
	return nil
}

// machineZone returns the name of this machine's time zone, or "" if it has
// none.
func machineZone(env string) string {
	zone := strings.TrimPrefix(env, ":")
	if zone == "" {
		link, _ := os.Readlink("/etc/localtime") // without it, the control bus's time zone counts
		_, zone, _ = strings.Cut(link, "zoneinfo/")
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return ""
	}
	return zone
}

// maxCrontab is the maximum size of a crontab.
const maxCrontab = 4 << 20

func (inv *invocation) readCrontab(file string) (string, error) {
	in := inv.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", pathError(err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxCrontab+1))
	if err == nil && len(text) > maxCrontab {
		err = fmt.Errorf("%s: want a crontab of at most %d bytes", file, maxCrontab)
	}
	return string(text), err
}

// findMailer returns the sender of the mails for MAILTO, or "" if there is none.
func (im *crontabImport) findMailer() (string, error) {
	all, err := im.client.Senders(im.ctx)
	if err != nil {
		return "", err
	}
	for _, s := range all.Results {
		if s.Name != nil && s.Kind == "mail" && (im.how.mailSender == "" || im.how.mailSender == *s.Name) {
			return *s.Name, nil
		}
	}
	if im.how.mailSender != "" {
		return "", usageErrorf("--mail-sender %s: the control bus has no such sender of mail; see jobstreamer notify list", im.how.mailSender)
	}
	return "", nil
}

// addLine adds a line to the job that runs the same, or to a new job.
func addLine(jobs []*importedJob, l *crontab.Line) []*importedJob {
	name, taken := l.JobName(), false
	for _, j := range jobs {
		if j.lines[0].SameRun(l) {
			j.lines = append(j.lines, l)
			return jobs
		}
		taken = taken || j.name == name
	}
	if taken { // the same command with another environment
		env := []string{l.Shell, l.Home}
		for _, v := range l.Env {
			env = append(env, v.Name, v.Value)
		}
		name += "-" + crontab.ShortHash(4, env...)
	}
	return append(jobs, &importedJob{name, []*crontab.Line{l}})
}

// importJob creates or changes one job. An error ends the import: one that is
// about this job is part of the report.
func (im *crontabImport) importJob(j *importedJob) error {
	mails, warnings := im.mailsOf(j.lines[0])
	file, err := im.jobFile(j, mails)
	if err != nil {
		return err
	}
	is, etag, err := im.client.PreviewJob(im.ctx, im.app, "application/json", file)
	if err == nil {
		unsent := func(w string) bool { return strings.HasPrefix(w, "/"+jsl.BesideNotifications) }
		if slices.ContainsFunc(is.Warnings, unsent) { // of the mails: without them
			for _, w := range is.Warnings {
				if unsent(w) {
					_, why, _ := strings.Cut(w, ": ")
					warnings = append(warnings, "MAILTO: "+why)
				}
			}
			if file, err = im.jobFile(j, nil); err != nil {
				return err
			}
			is, etag, err = im.client.PreviewJob(im.ctx, im.app, "application/json", file)
		}
	}
	var p *client.Problem
	switch {
	case errors.As(err, &p) && p.Status == 422:
		im.addResult(j, refused, err.Error(), warnings)
		return nil
	case err != nil:
		return err
	}
	if warnings = append(warnings, is.Warnings...); !im.how.dry && is.Result != unchanged {
		_, _, err = im.client.ApplyJob(im.ctx, im.app, is.Name, "application/json", file, client.Condition{ETag: etag, Create: etag == ""})
		if code := client.Code(err); code == "conflict" || code == "precondition_failed" {
			im.addResult(j, refused, "the job was just changed by someone else: import again", warnings)
			return nil
		}
	}
	if err == nil {
		im.addResult(j, is.Result, "", warnings)
	}
	return err
}

// addResult adds what became of the lines of a job.
func (im *crontabImport) addResult(j *importedJob, result, reason string, warnings []string) {
	for i, l := range j.lines {
		is := importedLine{
			Line: l.Number, Text: l.Text, Result: result, Job: j.name, Crons: l.Crons, TimeZone: cmp.Or(l.TimeZone, im.zone), Reason: reason,
			Warnings: append([]string{}, l.Notes...),
		}
		if i == 0 {
			is.Warnings = append(is.Warnings, warnings...)
		}
		if l.User != "" && im.pools[l.User] == "" {
			is.Warnings = append(is.Warnings, "it runs as the user account of the agent, not as "+l.User+": --user-pool "+l.User+"=POOL names the agents that run as that user")
		}
		im.all = append(im.all, is)
	}
}

// mailsOf returns the types of the notifications for MAILTO.
func (im *crontabImport) mailsOf(l *crontab.Line) (types, warnings []string) {
	for _, to := range l.MailTo {
		switch {
		case !strings.Contains(to, "@"):
			warnings = append(warnings, "MAILTO: "+to+" is no mail address with a domain; nobody gets a mail")
		case im.mailer == "":
			warnings = append(warnings, "MAILTO: the control bus has no sender of mail (--senders), so "+to+" gets no mail")
		default:
			types = append(types, im.mailer+":"+to)
		}
	}
	return types, warnings
}

// jobFile returns the file of a job in JSON.
func (im *crontabImport) jobFile(j *importedJob, mails []string) ([]byte, error) {
	l := j.lines[0]
	properties := map[string]string{"command": l.ShellCommand()}
	if l.Home != "" {
		properties["dir"] = l.Home
	}
	for _, v := range l.Env {
		properties["env."+v.Name] = v.Value
	}
	var texts []string
	schedules := map[string]rest.NewSchedule{}
	var first *rest.NewSchedule
	for _, l := range j.lines {
		texts = append(texts, l.Text)
		for _, expr := range l.Crons {
			s := rest.NewSchedule{CronNotation: expr, TimeZone: cmp.Or(l.TimeZone, im.zone)}
			if first == nil {
				first = &s
			} else if s.CronNotation != first.CronNotation || s.TimeZone != first.TimeZone {
				schedules["cron-"+crontab.ShortHash(8, s.CronNotation, s.TimeZone)] = s
			}
		}
	}
	file := map[string]any{
		"id": j.name, "properties": map[string]string{"crontab": strings.Join(texts, "\n")},
		"steps":            []any{map[string]any{"id": "run", "batchlet": map[string]any{"ref": jsl.ShellBatchlet, "properties": properties}}},
		jsl.BesideSchedule: first, jsl.BesideSchedules: schedules,
	}
	if pool := im.pools[l.User]; pool != "" {
		file["pool"] = pool
	}
	if len(mails) > 0 {
		var all []map[string]string
		for _, kind := range mails {
			all = append(all, map[string]string{"batch_status": string(subjects.Failed), "type": kind})
		}
		file[jsl.BesideNotifications] = all
	}
	return json.Marshal(file)
}

func (im *crontabImport) countResult(result string) (n int) {
	for i := range im.all {
		if im.all[i].Result == result {
			n++
		}
	}
	return n
}

// report prints what became of each line. failed is why the import has ended
// early, or nil.
func (im *crontabImport) report(failed error) error {
	if !im.printsTables() {
		data, err := inJSON(im.all)
		if err == nil {
			data, err = convertJSON(im.output, data)
		}
		if err != nil {
			return err
		}
		return im.outPage().writeRaw(im.output, data)
	}
	would := ""
	if im.how.dry {
		would = "would be "
	}
	for i := range im.all {
		l := &im.all[i]
		switch l.Result {
		case refused:
			fmt.Fprintf(im.Out, "line %d: refused: %s\n    %s\n", l.Line, printable(l.Reason), printable(l.Text))
		case unchanged:
			fmt.Fprintf(im.Out, "line %d: unchanged: %s\n", l.Line, l.Job)
		default:
			zone := ""
			if l.TimeZone != "" {
				zone = " " + l.TimeZone
			}
			fmt.Fprintf(im.Out, "line %d: %s%s: %s at %s%s\n", l.Line, would, l.Result, l.Job, strings.Join(l.Crons, " and "), zone)
		}
		for _, w := range l.Warnings {
			fmt.Fprintf(im.Out, "    warning: %s\n", printable(w))
		}
	}
	fmt.Fprintln(im.Out, im.summaryText(would))
	switch {
	case failed != nil:
		fmt.Fprintln(im.Err, "The import has ended early.")
	case im.how.dry:
		fmt.Fprintln(im.Err, nothingChanged)
	}
	return nil
}

func (im *crontabImport) summaryText(would string) string {
	var words []string
	for _, r := range []string{created, changed, unchanged, refused} {
		if n := im.countResult(r); n > 0 {
			word := r
			if r == created || r == changed {
				word = would + r
			}
			words = append(words, strconv.Itoa(n)+" "+word)
		}
	}
	if len(words) == 0 {
		return "No line runs a command."
	}
	return countText(len(im.all), "line", "lines") + ": " + strings.Join(words, ", ") + "."
}
