package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const longestLine = 8 << 20 // bytes of a line of output

// logOptions are the options of logs, and of commands that print a log.
type logOptions struct {
	follow, bare bool
	raw          bool // on a terminal too, print the output unchanged
	steps        []string
	format       string
	shown        bool // at least one line was printed
}

func (c *CLI) logsCommand() *cobra.Command {
	var options logOptions
	cmd := c.serverCommand("logs EXECUTION|JOB", "Print the output of an execution; for a job, of its latest execution", func(inv *invocation, args []string) error {
		if err := options.checkFlags(); err != nil {
			return err
		}
		job, id, err := inv.findExecution(args[0])
		if err != nil {
			return err
		}
		if err := inv.printLog(job, id, &options); err != nil || options.shown || len(options.steps) == 0 {
			return err
		}
		return inv.checkSteps(job, id, options.steps)
	})
	cmd.Long = `Prints the output of an execution, line by line with time, stream, step and text. With --follow, it continues until the execution has ended.

On a terminal, the output of the job is shown without colors, cursor movements and other escape sequences; --raw shows it unchanged. A file or a
pipe always receives it unchanged.`
	cmd.Example = `  jobstreamer logs 4711
  jobstreamer logs nightly --follow
  jobstreamer logs 4711 --bare --step load > load.txt
  jobstreamer logs 4711 -o json | jq -r 'select(.stream == "stderr").message'`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVarP(&options.follow, "follow", "f", false, "print new lines as they arrive, until the execution has ended")
		f.StringSliceVar(&options.steps, "step", nil, "`NAMES` steps whose output is printed (default: all)")
	})
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		f.BoolVar(&options.bare, "bare", false, "print the text only, without time, stream and step")
		options.rawFlag(f)
		f.StringVarP(&options.format, "output", "o", "text", "`FORMAT` output format: text, json (one object per line, until the execution has ended), or the server's response with the last lines as yaml or edn")
	})
	completeFlag(cmd, "output", cobra.FixedCompletions(logFormats, cobra.ShellCompDirectiveNoFileComp))
	return c.appFlags(cmd)
}

func (o *logOptions) rawFlag(f *pflag.FlagSet) {
	f.BoolVar(&o.raw, "raw", false, "print the output unchanged, with its escape sequences, also on a terminal")
}

var logFormats = []string{"text", "json", "yaml", "edn"}

// isWholeAnswer reports whether the control bus's answer is printed as it is.
func (o *logOptions) isWholeAnswer() bool { return o.format == "yaml" || o.format == "edn" }

func (o *logOptions) checkFlags() error {
	switch {
	case !slices.Contains(logFormats, o.format):
		return usageErrorf("--output %s: want text, json, yaml or edn", o.format)
	case o.isWholeAnswer() && o.follow:
		return usageErrorf("--output %s cannot be combined with --follow; use text or json", o.format)
	case o.isWholeAnswer() && (o.bare || len(o.steps) > 0):
		return usageErrorf("--output %s cannot be combined with --bare or --step; use text or json", o.format)
	}
	return nil
}

// printLogAnswer prints the control bus's answer, and notes if it lacks older
// lines.
func (inv *invocation) printLogAnswer(job string, id int64, format string) error {
	var raw bytes.Buffer
	if _, err := inv.client.As("application/"+format, &raw).LogLines(inv.ctx, inv.app, job, id); err != nil {
		return err
	}
	var list rest.List[json.RawMessage]
	data, err := jsl.ToJSON(jsl.Format(format), raw.Bytes())
	if err == nil && json.Unmarshal(data, &list) == nil && list.Hits > len(list.Results) {
		fmt.Fprintf(inv.Err, "showing the last %d of %d lines; see all with --output text or json\n", len(list.Results), list.Hits)
	}
	return inv.outPage().writeRaw(format, raw.Bytes())
}

func (inv *invocation) printLog(job string, id int64, options *logOptions) error {
	if options.isWholeAnswer() {
		return inv.printLogAnswer(job, id, options.format)
	}
	if !options.follow && options.format == "text" {
		return inv.printLogText(job, id, options)
	}
	end, err := inv.client.FollowLog(inv.ctx, inv.app, job, id, inv.logLine(options))
	if inv.ctx.Err() != nil {
		return printedError{ExitInterrupted} // the user knows that they interrupted it
	}
	if err == nil && end != nil {
		p := inv.pageTo(inv.Err, inv.Err)
		fmt.Fprintf(p, "Execution %d of %s %s.\n", end.ExecutionID, end.Job, p.inColor(statusCell(end.BatchStatus).color, endWord(end.BatchStatus)))
	}
	return err
}

// printLogText prints the lines that exist now. It prints the control bus's
// text unchanged, unless steps are selected or a person reads it.
func (inv *invocation) printLogText(job string, id int64, options *logOptions) error {
	if !options.bare && len(options.steps) == 0 && !IsTerminal(inv.Out) {
		return inv.client.Log(inv.ctx, inv.app, job, id, inv.Out)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(inv.client.Log(inv.ctx, inv.app, job, id, w)) }()
	err := eachLine(r, inv.logLine(options))
	r.CloseWithError(err) // the writer can stop
	return err
}

// eachLine parses lines in the format of logText. Further lines of a message
// are indented.
func eachLine(r io.Reader, print func(rest.LogLine) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	var l rest.LogLine
	for lines.Scan() {
		if more, ok := strings.CutPrefix(lines.Text(), "    "); ok {
			l.Message += "\n" + more
			continue
		}
		if err := printIfSet(l, print); err != nil {
			return err
		}
		head, message, _ := strings.Cut(lines.Text(), " | ")
		l = rest.LogLine{Message: message}
		if words := strings.SplitN(head, " ", 3); len(words) == 3 {
			at, _ := time.Parse(time.RFC3339, words[0])
			l.Time, l.Stream, l.Step = subjects.TimeOf(at), words[1], strings.TrimPrefix(words[2], "-")
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return printIfSet(l, print)
}

func printIfSet(l rest.LogLine, print func(rest.LogLine) error) error {
	if l.Stream == "" {
		return nil // there is no line yet
	}
	return print(l)
}

// logLine returns a function that writes a line of output.
func (inv *invocation) logLine(options *logOptions) func(rest.LogLine) error {
	p := inv.outPage()
	return func(l rest.LogLine) (err error) {
		if len(options.steps) > 0 && !slices.Contains(options.steps, l.Step) {
			return nil
		}
		options.shown = true
		if p.live && !options.raw && options.format != "json" {
			l.Stream, l.Step, l.Message = printable(l.Stream), printable(l.Step), PrintableText(l.Message)
		}
		switch {
		case options.format == "json":
			var code bytes.Buffer
			if err = json.NewEncoder(&code).Encode(l); err == nil {
				err = p.writeCode(code.Bytes())
			}
		case options.bare:
			_, err = fmt.Fprintln(p, strings.TrimRight(l.Message, "\r\n"))
		default:
			_, err = fmt.Fprintln(p, logText(p, &l))
		}
		return err
	}
}

// checkSteps returns an error for a step that the execution has not run.
func (inv *invocation) checkSteps(job string, id int64, steps []string) error {
	e, err := inv.client.Execution(inv.ctx, inv.app, job, id)
	if err != nil {
		return err
	}
	var known []string
	for _, x := range e.StepExecutions {
		known = append(known, x.StepName)
	}
	for _, step := range steps {
		if !slices.Contains(known, step) {
			return fmt.Errorf("--step %s: execution %d of %s has run no such step; steps that have run: %s", step, id, e.Job, cmp.Or(strings.Join(known, ", "), "none"))
		}
	}
	return nil
}

// logText returns a line of output in the server's format, or with the local
// time on a live page.
func logText(p *page, l *rest.LogLine) string {
	step, when, color := l.Step, l.Time.String(), ""
	if step == "" {
		step = "-"
	}
	if p.live {
		when = p.logTime(l.Time)
	}
	switch {
	case l.Level == "error" || l.Stream == "stderr":
		color = red
	case l.Level == "warn":
		color = yellow
	}
	message := strings.ReplaceAll(strings.TrimRight(l.Message, "\r\n"), "\n", "\n    ")
	return p.inColor(faint, fmt.Sprintf("%s %s %s |", when, l.Stream, step)) + " " + p.inColor(color, message)
}
