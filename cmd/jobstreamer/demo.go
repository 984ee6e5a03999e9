package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

// demoJobs are the jobs of `dev --demo`.
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

// runDemo creates the jobs, starts them, and prints their progress until ctx
// ends.
func (p *program) runDemo(ctx context.Context, c *controlBus, login bool) error {
	show := &narrator{w: p.out, color: cli.IsTerminal(p.out) && p.env["NO_COLOR"] == ""}
	lines := make(chan *nats.Msg, 4096)
	for _, subject := range []string{"jobstreamer.result." + bus.DefaultApp + ".>", "jobstreamer.log." + bus.DefaultApp + ".>"} {
		sub, err := c.conn.ChanSubscribe(subject, lines)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer sub.Unsubscribe() //nolint:errcheck // the connection is closed next
	}
	token, err := demoToken(ctx, c, login)
	if err == nil {
		err = startDemo(ctx, c, token, p.demoHint(c.URL(), token != ""), p.out)
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

// ownClient returns a client of the control bus in the same process.
func (c *controlBus) ownClient(token string) (*client.Client, error) {
	cfg := client.Config{URL: c.URL(), Token: token}
	if c.restCert != nil { // it may be for other names than the address
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = c.restCert.ClientConfig()
		cfg.HTTP = &http.Client{Transport: t}
	}
	return client.New(cfg)
}

// demoToken returns a login token of an admin, or "" if no login is required.
func demoToken(ctx context.Context, c *controlBus, login bool) (string, error) {
	for _, u := range c.logins.Users() {
		if login && u.Issuer == "" && u.Role(bus.DefaultApp) == bus.RoleAdmin {
			secrets, err := c.logins.Issue(ctx, u.ID)
			return secrets.Token, err
		}
	}
	return "", nil
}

// demoHint returns a command line that starts a job of the demo.
func (p *program) demoHint(url string, login bool) string {
	command := p.newClient().CommandAt(url, "run three-steps -p to=you --follow")
	if login {
		command += " --token TOKEN"
	}
	return command
}

// startDemo creates and starts the jobs over the REST API. It prints hint, a
// command line that starts a job.
func startDemo(ctx context.Context, of *controlBus, token, hint string, w io.Writer) error {
	c, err := of.ownClient(token)
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
		if _, err := c.PutSchedule(ctx, bus.DefaultApp, job.name, "", rest.NewSchedule{CronNotation: job.cron}); err != nil {
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

// narrator prints the progress of executions, one event a line. Output arrives
// a little later than its results, so the narrator delays all lines and sorts
// them by time.
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

// addMessage adds a result or lines of output. It ignores messages that it
// cannot parse.
func (n *narrator) addMessage(m *nats.Msg) {
	t := strings.Split(m.Subject, ".") // jobstreamer.result.<app>.<job>.<execution>.<sender>
	if len(t) != 6 {
		return
	}
	label := t[3] + " " + t[4]
	if t[1] == "log" {
		var log subjects.LogMessage
		if json.Unmarshal(m.Data, &log) != nil {
			return
		}
		for _, l := range log.Lines {
			n.addLine(l.Time, label, "", "  | "+l.Message)
		}
		return
	}
	var r subjects.Result
	if json.Unmarshal(m.Data, &r) == nil {
		n.addResult(label, &r)
	}
}

// printUntil prints the lines that arrived until then.
func (n *narrator) printUntil(until time.Time) {
	old := 0
	for old < len(n.lines) && !n.lines[old].heard.After(until) {
		old++
	}
	due := n.lines[:old]
	n.lines = slices.Clone(n.lines[old:])
	slices.SortStableFunc(due, func(a, b demoLine) int { return cmp.Compare(a.at, b.at) })
	for _, l := range due {
		fmt.Fprintln(n.w, l.text)
	}
}

func (n *narrator) addResult(label string, r *subjects.Result) {
	for _, s := range r.Steps {
		n.addLine(r.Time, label, n.colorOf(s.BatchStatus), fmt.Sprintf("  step %s %s%s", s.Step, s.BatchStatus, exceptionSuffix(s.Exception)))
	}
	text := string(r.BatchStatus)
	switch {
	case r.Execution != nil:
		text += " on " + r.Agent
	case !r.BatchStatus.Ended():
		return // the end of a step, already printed
	}
	n.addLine(r.Time, label, n.colorOf(r.BatchStatus), text+exceptionSuffix(r.Exception))
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

func (n *narrator) addLine(at subjects.Time, label, color, text string) {
	at = cmp.Or(at, subjects.Now())
	label, text = cli.PrintableText(label), cli.PrintableText(text) // jobs can set parts of both texts
	clock := at.Std().Local().Format("15:04:05.000")
	if n.color {
		clock = faint + clock + plain
		if color != "" {
			text = color + text + plain
		}
	}
	n.lines = append(n.lines, demoLine{time.Now(), at, fmt.Sprintf("%s  %-16s %s", clock, label, text)})
}
