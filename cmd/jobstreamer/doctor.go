package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/doctor"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// doctorSettings are the settings of the command doctor.
type doctorSettings struct {
	nats         natsSettings
	data, output string
	listen       time.Duration
}

func newDoctor(p *program) *cobra.Command {
	var s doctorSettings
	cmd := &cobra.Command{
		Use: "doctor", GroupID: groupLook, Short: "Diagnose a control bus and suggest fixes",
		Long: `Checks the streams, consumers, agents, jobs, clocks and disk of a control bus, and reports each problem with a suggested
fix. It changes nothing. The exit status is 1 if it finds a problem.`,
		Example: `  jobstreamer doctor
  jobstreamer doctor --nats-url nats://n1:4222 --nats-creds ops.creds -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runDoctor(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	help.Section(flags, "NATS", func(f *pflag.FlagSet) { s.nats.addFlags(f, nats.DefaultURL) })
	help.Section(flags, "Options", func(f *pflag.FlagSet) {
		f.StringVar(&s.data, "data", defaultData(p.env), "`DIR` data directory of the control bus, if it is on this machine, to log in to its NATS and to check the disk")
		f.DurationVar(&s.listen, "listen", 0, "`DURATION` time to listen for heartbeats of agents (default: three heartbeat intervals)")
		outputFlag(f, &s.output)
	})
	return cmd
}

func outputFlag(f *pflag.FlagSet, output *string) {
	f.StringVarP(output, "output", "o", "text", "`FORMAT` output format: text or json")
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return usageError{fmt.Errorf("--output %s: want text or json", output)}
	}
	return nil
}

func (p *program) runDoctor(ctx context.Context, s doctorSettings) error {
	if err := checkOutput(s.output); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, func() {}, func() {})
	defer stop()
	s.nats.keysDir = s.data
	s.nats.advice = "run this as the user of the control bus on its machine, with its --data; elsewhere use --nats-creds with the file that `jobstreamer nats-context --full` writes there"
	conn, err := s.nats.dialOnce(ctx, "jobstreamer doctor")
	if err != nil {
		return withFullDisk(s.data, err)
	}
	defer conn.Close()
	r, err := doctor.Examine(ctx, doctor.Config{Conn: conn, Listen: s.listen, Data: s.data})
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted before all checks had run: %w", ctx.Err())
	}
	if err != nil {
		return err
	}
	if s.output == "json" {
		err = printJSON(p.out, r)
	} else {
		printReport(p.out, r)
	}
	if err == nil && r.Wrong > 0 {
		return errFindings
	}
	return err
}

// withFullDisk adds to err that the disk of the data is full, which may be the
// cause of the error.
func withFullDisk(data string, err error) error {
	free, ok := doctor.FullDisk(data)
	if !ok {
		return err
	}
	return fmt.Errorf("%w; the disk of %s is full (%s free): free some space, then start the control bus", err, data, free)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printReport prints one line for a check without findings, and two lines for
// each finding.
func printReport(w io.Writer, r *doctor.Report) {
	const margin = 20
	for _, c := range r.Checks {
		if len(c.Findings) == 0 {
			fmt.Fprintf(w, "ok     %-*s%s\n", margin-7, c.Name, c.Saw)
		}
		for _, f := range c.Findings {
			fmt.Fprintf(w, "FAIL   %-*s%s\n", margin-7, c.Name, strings.Join(help.Wrap(f.Wrong, help.Width-margin), "\n"+strings.Repeat(" ", margin)))
			fmt.Fprintf(w, "%*s-> %s\n", margin, "", strings.Join(help.Wrap(f.Do, help.Width-margin-3), "\n"+strings.Repeat(" ", margin+3)))
		}
	}
	switch r.Wrong {
	case 0:
		fmt.Fprint(w, "\nNo problems found.\n")
	case 1:
		fmt.Fprint(w, "\n1 problem found.\n")
	default:
		fmt.Fprintf(w, "\n%d problems found.\n", r.Wrong)
	}
}
