package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/bench"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// benchSettings are the settings of a measurement.
type benchSettings struct {
	cfg    bench.Config
	output string
	keep   bool
	limit  int // capacity; 0: none
}

const benchJob = "jobstreamer-bench"

func newBench(p *program) *cobra.Command {
	var s benchSettings
	cmd := &cobra.Command{
		Use: "bench", GroupID: groupLook, Short: "Measure throughput and latency of a running control bus",
		Long: `Measures a running control bus with executions of a job that does nothing, from the POST request to the recorded end:
first at maximum throughput, then at a fixed rate. It needs a running ` + "`jobstreamer agent` or `jobstreamer dev`" + `.

It creates the job ` + benchJob + ` and deletes it with its history at the end.`,
		Example: `  jobstreamer bench
  jobstreamer bench --executions 50000 --concurrency 128 --rate 500 -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runBench(cmd.Context(), s) },
	}
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&s.cfg.URL, "url", "http://127.0.0.1:45102", "`URL` address of the REST API")
		f.StringVar(&s.cfg.Token, "token", "", "`TOKEN` login token or key of an admin; JOBSTREAMER_TOKEN hides it from other users of the machine")
		f.StringVar(&s.cfg.App, "app", bus.DefaultApp, "`NAME` application in which the job is created")
		f.IntVar(&s.cfg.Executions, "executions", 20_000, "`NUMBER` number of executions in the throughput measurement; 0 skips it")
		f.IntVar(&s.cfg.Concurrency, "concurrency", 64, "`NUMBER` number of concurrent executions in the throughput measurement")
		f.IntVar(&s.cfg.Rate, "rate", 200, "`NUMBER` executions per second in the latency measurement; 0 skips it")
		f.DurationVar(&s.cfg.Time, "time", 10*time.Second, "`DURATION` length of the latency measurement")
		f.IntVar(&s.limit, "limit", 0, "`CAPACITY` each execution holds one unit of a limit with this capacity, which the measurement creates and deletes; 0: none")
		f.BoolVar(&s.keep, "keep", false, "keep the job, its history and its limit")
		outputFlag(f, &s.output)
	})
	return cmd
}

func (p *program) runBench(ctx context.Context, s benchSettings) (err error) {
	if err := s.checkFlags(); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, func() {}, func() {})
	defer stop()
	c, err := client.New(client.Config{URL: s.cfg.URL, Token: s.cfg.Token})
	if err != nil {
		return usageError{fmt.Errorf("--url: %w", err)}
	}
	defer c.Close()
	s.cfg.Job = benchJob
	if err := makeBenchJob(ctx, c, s.cfg.App, s.limit); err != nil {
		return fmt.Errorf("--url %s: %w", s.cfg.URL, err)
	}
	if !s.keep {
		defer func() {
			e := removeBenchJob(context.WithoutCancel(ctx), c, s.cfg.App)
			if e == nil && s.limit > 0 {
				e = removeBenchLimit(context.WithoutCancel(ctx), c)
			}
			if err == nil && e != nil {
				err = fmt.Errorf("clean up: %w", e)
			}
		}()
	}
	tty := cli.IsTerminal(p.err)
	if tty {
		s.cfg.Progress = func(phase string, done, all int) {
			fmt.Fprintf(p.err, "\r%s: %d of %d\x1b[K", phase, done, all)
		}
	}
	r, err := bench.Run(ctx, s.cfg)
	if tty {
		fmt.Fprint(p.err, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	if s.output == "json" {
		return printJSON(p.out, r)
	}
	return printBench(p.out, r)
}

// cleanUpTime is the time to end the executions of an interrupted measurement.
const cleanUpTime = 10 * time.Second

// removeBenchJob deletes the job and its history. It abandons or stops the
// executions that an interrupted measurement left.
func removeBenchJob(ctx context.Context, c *client.Client, app string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanUpTime)
	defer cancel()
	for {
		err := c.DeleteJob(ctx, app, benchJob, false, client.Condition{})
		if client.Code(err) != bus.CodeIsRunning {
			return err
		}
		list, lerr := c.Executions(ctx, app, benchJob, client.Page{Limit: 1000})
		if lerr != nil {
			return lerr
		}
		for _, e := range list.Results {
			if e.BatchStatus.Ended() {
				continue
			}
			if _, aerr := c.Abandon(ctx, app, benchJob, e.ExecutionID); aerr != nil {
				// An error means that it has ended, which the next round sees.
				_, _ = c.Stop(ctx, app, benchJob, e.ExecutionID)
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// removeBenchLimit deletes the limit, as soon as nothing holds it any more.
func removeBenchLimit(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, cleanUpTime)
	defer cancel()
	for {
		err := c.DeleteLimit(ctx, benchJob)
		if client.Code(err) != bus.CodeLimitInUse {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// makeBenchJob creates the job, its application if it does not exist, and a
// limit unless its capacity is 0.
func makeBenchJob(ctx context.Context, c *client.Client, app string, limit int) error {
	if _, _, err := c.App(ctx, app); client.Code(err) == bus.CodeNoSuchApp {
		if _, _, err := c.PutApp(ctx, rest.App{Name: app}, client.Condition{}); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	limits := ""
	if limit > 0 {
		if _, err := c.PutLimit(ctx, benchJob, limit); err != nil {
			return err
		}
		limits = `"limits": {"` + benchJob + `": 1}, `
	}
	_, _, err := c.PutJob(ctx, app, benchJob, []byte(`{"id": "`+benchJob+`", `+limits+`"steps": [{"id": "noop", "batchlet": {"ref": "jobstreamer.Noop"}}]}`), client.Condition{})
	return err
}

func (s *benchSettings) checkFlags() error {
	switch {
	case s.cfg.Executions < 0 || s.cfg.Rate < 0:
		return usageError{errors.New("--executions and --rate: want 0 or more")}
	case s.cfg.Executions == 0 && s.cfg.Rate == 0:
		return usageError{errors.New("--executions 0 --rate 0: nothing to measure")}
	case s.limit < 0 || s.limit > jsl.MaxUnits:
		return usageError{fmt.Errorf("--limit %d: want 0 to %d", s.limit, jsl.MaxUnits)}
	case s.cfg.Concurrency < 1:
		return usageError{fmt.Errorf("--concurrency %d: want 1 or more", s.cfg.Concurrency)}
	}
	return checkOutput(s.output)
}

func printBench(w io.Writer, r *bench.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\texecutions\tfailed\tconnections\tper second\tp50 ms\tp90 ms\tp99 ms\tmax ms\t")
	row := func(name string, f *bench.Phase) {
		if f != nil {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", name, f.Executions, f.Failed, f.Conns, f.PerSecond, f.P50, f.P90, f.P99, f.Max)
		}
	}
	row("saturated", r.Saturated)
	if r.AtRate != nil {
		row(fmt.Sprintf("at %d/s", r.AtRate.Rate), r.AtRate)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range []*bench.Phase{r.Saturated, r.AtRate} {
		if f != nil && f.FirstFault != "" {
			fmt.Fprintf(w, "\nFirst execution that did not complete: %s\n", f.FirstFault)
			break
		}
	}
	return nil
}
