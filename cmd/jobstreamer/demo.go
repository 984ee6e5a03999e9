package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// demoJobs are registered and run by `dev --demo`.
var demoJobs = []struct{ name, about, definition, cron string }{
	{
		"three-steps", "three steps, one after the other",
		`{"id": "three-steps", "steps": [
			{"id": "fetch", "next": "convert", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "fetched 1,000 orders"}}},
			{"id": "convert", "next": "send", "batchlet": {"ref": "jobstreamer.Sleep", "properties": {"time": "2s"}}},
			{"id": "send", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "sent them to #{jobParameters['to']}?:nobody;"}}}]}`, "",
	}, {
		"broken", "its second step fails",
		`{"id": "broken", "steps": [
			{"id": "open", "next": "read", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "opened the file"}}},
			{"id": "read", "batchlet": {"ref": "jobstreamer.Fail", "properties": {"message": "line 17 has 4 fields, want 5"}}}]}`, "",
	}, {
		"every-10s", "scheduled every 10 seconds",
		`{"id": "every-10s", "steps": [
			{"id": "tick", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "ten seconds have passed"}}}]}`, "0/10 * * * * ?",
	},
}

// runDemo registers the jobs, runs them, and shows what happens until ctx ends.
func (p *program) runDemo(ctx context.Context, c *controlBus, login bool) error {
	show := &narrator{w: p.out, color: cli.IsTerminal(p.out) && p.env["NO_COLOR"] == ""}
	lines := make(chan *nats.Msg, 4096)
	for _, subject := range []string{"jobstreamer.result." + bus.DefaultApp + ".>", "jobstreamer.log." + bus.DefaultApp + ".>"} {
		sub, err := c.conn.ChanSubscribe(subject, lines)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer sub.Unsubscribe() //nolint:errcheck // the connection ends next
	}
	token, err := demoToken(ctx, c, login)
	if err == nil {
		err = startDemo(ctx, c.URL(), token, p.demoHint(c.URL(), token != ""), p.out)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("demo: %w", err)
	}
	tick := time.NewTicker(settleTime / 2)
	defer tick.Stop()
	for {
		select {
		case m := <-lines:
			show.addMessage(m)
		case <-tick.C:
			show.printUntil(time.Now().Add(-settleTime))
		case <-ctx.Done():
			show.printUntil(time.Now())
			return nil
		}
	}
}

// demoToken lets the demo in where a login is needed, as any admin.
func demoToken(ctx context.Context, c *controlBus, login bool) (string, error) {
	for _, u := range c.logins.Users() {
		if login && u.Role(bus.DefaultApp) == bus.RoleAdmin {
			secrets, err := c.logins.Issue(ctx, u.ID)
			return secrets.Token, err
		}
	}
	return "", nil
}

// demoHint is a command line that starts a job of the demo.
func (p *program) demoHint(url string, login bool) string {
	command := p.newClient().CommandAt(url, "run three-steps -p to=you --follow")
	if login {
		command += " --token TOKEN"
	}
	return command
}

// startDemo does what a user would do. hint says how one starts a job.
func startDemo(ctx context.Context, url, token, hint string, w io.Writer) error {
	c, err := client.New(client.Config{URL: url, Token: token})
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprint(w, "\nThree jobs of the application \"default\":\n\n")
	for _, job := range demoJobs {
		fmt.Fprintf(w, "  %-12s %s\n", job.name, job.about)
		if _, _, err := c.PutJob(ctx, bus.DefaultApp, job.name, []byte(job.definition), client.Condition{}); err != nil {
			return err
		}
		if job.cron == "" {
			continue
		}
		if _, err := c.PutSchedule(ctx, bus.DefaultApp, job.name, rest.NewSchedule{CronNotation: job.cron}); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\nStart one yourself:\n\n  %s\n\n", hint)
	for _, job := range demoJobs {
		if job.cron != "" {
			continue
		}
		if _, err := c.Submit(ctx, bus.DefaultApp, job.name, client.Submission{Parameters: map[string]string{"to": "the warehouse"}}); err != nil {
			return err
		}
	}
	return nil
}

// narrator tells what happens to executions, a line each. Output comes a little
// later than the results that it led to, so lines are told in the order of
// their times once they are old enough.
type narrator struct {
	w     io.Writer
	color bool
	lines []demoLine
}

type demoLine struct {
	heard time.Time
	at    subjects.Time
	text  string
}

// settleTime is how long a line waits for earlier ones.
const settleTime = 300 * time.Millisecond

// Colors of batch statuses on a terminal.
const (
	green, red, yellow, faint = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m"
	plain                     = "\x1b[0m"
)

// addMessage takes in a result or some lines of output. What it cannot read it
// leaves out: this is a show.
func (n *narrator) addMessage(m *nats.Msg) {
	t := strings.Split(m.Subject, ".") // jobstreamer.result.<app>.<job>.<execution>.<who>
	if len(t) != 6 {
		return
	}
	who := t[3] + " " + t[4]
	if t[1] == "log" {
		var log subjects.LogMessage
		if json.Unmarshal(m.Data, &log) != nil {
			return
		}
		for _, l := range log.Lines {
			n.addLine(l.Time, who, "", "  | "+l.Message)
		}
		return
	}
	var r subjects.Result
	if json.Unmarshal(m.Data, &r) == nil {
		n.addResult(who, &r)
	}
}

// printUntil tells what was heard until then.
func (n *narrator) printUntil(until time.Time) {
	old := 0
	for old < len(n.lines) && !n.lines[old].heard.After(until) {
		old++
	}
	told := n.lines[:old]
	n.lines = slices.Clone(n.lines[old:])
	slices.SortStableFunc(told, func(a, b demoLine) int { return cmp.Compare(a.at, b.at) })
	for _, l := range told {
		fmt.Fprintln(n.w, l.text)
	}
}

func (n *narrator) addResult(who string, r *subjects.Result) {
	for _, s := range r.Steps {
		n.addLine(r.Time, who, n.colorOf(s.BatchStatus), fmt.Sprintf("  step %s %s%s", s.Step, s.BatchStatus, exceptionSuffix(s.Exception)))
	}
	text := string(r.BatchStatus)
	switch {
	case r.Execution != nil:
		text += " on " + r.Agent
	case !r.BatchStatus.Ended():
		return // a step, which was told
	}
	n.addLine(r.Time, who, n.colorOf(r.BatchStatus), text+exceptionSuffix(r.Exception))
}

func exceptionSuffix(exception string) string {
	first, _, _ := strings.Cut(exception, "\n")
	if first == "" {
		return ""
	}
	return ": " + first
}

func (n *narrator) colorOf(s subjects.BatchStatus) string {
	switch s {
	case subjects.Completed:
		return green
	case subjects.Failed, subjects.Abandoned:
		return red
	case subjects.Stopped, subjects.Stopping:
		return yellow
	}
	return ""
}

func (n *narrator) addLine(at subjects.Time, who, color, text string) {
	at = cmp.Or(at, subjects.Now())
	who, text = cli.PrintableText(who), cli.PrintableText(text) // jobs wrote some of it
	clock := at.Std().Local().Format("15:04:05.000")
	if n.color {
		clock = faint + clock + plain
		if color != "" {
			text = color + text + plain
		}
	}
	n.lines = append(n.lines, demoLine{time.Now(), at, fmt.Sprintf("%s  %-16s %s", clock, who, text)})
}
