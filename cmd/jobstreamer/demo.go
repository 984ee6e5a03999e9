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

// demoJobs are the jobs of `dev --demo`. Jobs without a schedule are started
// once.
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
		restartedJob, "a split, a decision, and a chunk that fails and goes on in a restart",
		`{"id": "orders", "steps": [
			{"id": "prepare", "next": "any-left", "flows": [
				{"id": "shop", "steps": [{"id": "download", "batchlet": {"ref": "jobstreamer.Sleep", "properties": {"time": "1s"}}}]},
				{"id": "stock", "steps": [{"id": "count", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "counted the stock"}}}]}]},
			{"id": "any-left",
				"decision": {"ref": "org.jobstreamer.batch.ConditionDecider", "properties": {"YES": "param.orders > 0", "NO": "otherwise"}},
				"transitions": [{"next": {"on": "YES", "to": "deliver"}}, {"end": {"on": "NO"}}]},
			{"id": "deliver", "chunk": {"item_count": 10,
				"reader": {"ref": "jobstreamer.CountReader", "properties": {
					"to": "#{jobParameters['orders']}", "fail_at": "#{jobParameters['fail_at']}", "why": "it has no address", "pause": "50ms"}},
				"writer": {"ref": "jobstreamer.SayWriter", "properties": {"message": "delivered the orders"}}}}]}`, "",
	}, {
		"every-10s", "scheduled every 10 seconds",
		`{"id": "every-10s", "steps": [
			{"id": "tick", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "ten seconds have passed"}}}]}`, "0/10 * * * * ?",
	},
}

// restartedJob fails in its first execution. The demo restarts it.
const restartedJob = "orders"

// The parameters of the demo's executions. A restart of restartedJob has no
// fail_at.
var (
	demoParameters    = map[string]string{"to": "the warehouse"}
	firstParameters   = map[string]string{"orders": "40", "fail_at": "27"} // of restartedJob
	restartParameters = map[string]string{"orders": "40"}
)

// restartDelay is how long the failure of restartedJob stays the last thing on
// the screen.
const restartDelay = time.Second

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
	if err != nil {
		return demoError(ctx, err)
	}
	api, err := c.ownClient(token)
	if err != nil {
		return demoError(ctx, err)
	}
	defer api.Close()
	first, err := startDemo(ctx, api, p.demoHint(c.URL(), token != ""), p.out)
	if err != nil {
		return demoError(ctx, err)
	}
	restarted := make(chan error, 1)
	go func() { restarted <- restartDemo(ctx, api, first) }()
	tick := time.NewTicker(settleTime / 2)
	defer tick.Stop()
	for {
		select {
		case m := <-lines:
			show.addMessage(m)
		case <-tick.C:
			show.printUntil(time.Now().Add(-settleTime))
		case err := <-restarted:
			restarted = nil
			if err = demoError(ctx, err); err != nil {
				fmt.Fprintf(p.out, "%s was not restarted: %v\n", restartedJob, err)
			}
		case <-ctx.Done():
			if restarted != nil {
				<-restarted //nolint:errcheck // ctx has ended it
			}
			show.printUntil(time.Now())
			return nil
		}
	}
}

// demoError returns nil for an error that the end of the demo has caused.
func demoError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("demo: %w", err)
}

// restartDemo waits until an execution of restartedJob has failed, and restarts
// it.
func restartDemo(ctx context.Context, c *client.Client, execution int64) error {
	e, err := c.Await(ctx, bus.DefaultApp, restartedJob, execution, time.Minute)
	if err != nil || e.BatchStatus != subjects.Failed { // a user has stopped it
		return err
	}
	select {
	case <-time.After(restartDelay):
	case <-ctx.Done():
		return nil
	}
	_, err = c.Restart(ctx, bus.DefaultApp, restartedJob, execution, client.Submission{Parameters: restartParameters})
	return err
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

// startDemo creates and starts the jobs over the REST API, and returns the
// execution of restartedJob. It prints hint, a command line that starts a job.
func startDemo(ctx context.Context, c *client.Client, hint string, w io.Writer) (restarted int64, err error) {
	fmt.Fprint(w, "\nJobs of the application \"default\":\n\n")
	for _, job := range demoJobs {
		fmt.Fprintf(w, "  %-12s %s\n", job.name, job.about)
		if _, _, err := c.PutJob(ctx, bus.DefaultApp, job.name, []byte(job.definition), client.Condition{}); err != nil {
			return 0, err
		}
		if job.cron == "" {
			continue
		}
		if _, err := c.PutSchedule(ctx, bus.DefaultApp, job.name, "", rest.NewSchedule{CronNotation: job.cron}); err != nil {
			return 0, err
		}
	}
	fmt.Fprintf(w, "\nStart one yourself:\n\n  %s\n\n", hint)
	for _, job := range demoJobs {
		if job.cron != "" {
			continue
		}
		parameters := demoParameters
		if job.name == restartedJob {
			parameters = firstParameters
		}
		e, err := c.Submit(ctx, bus.DefaultApp, job.name, client.Submission{Parameters: parameters})
		if err != nil {
			return 0, err
		}
		if job.name == restartedJob {
			restarted = e.ExecutionID
		}
	}
	return restarted, nil
}

// narrator prints the progress of executions, one event a line. Output arrives
// a little later than its results, so the narrator delays all lines and sorts
// them by time.
type narrator struct {
	w     io.Writer
	color bool
	lines []demoLine
	begun map[string]map[int64]bool // by execution, the steps whose start was printed
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

// printUntil prints the lines that were written or have arrived until then.
func (n *narrator) printUntil(until time.Time) {
	var due, later []demoLine
	for _, l := range n.lines {
		if l.heard.After(until) && l.at.Std().After(until) {
			later = append(later, l)
		} else {
			due = append(due, l)
		}
	}
	n.lines = later
	slices.SortStableFunc(due, func(a, b demoLine) int { return cmp.Compare(a.at, b.at) })
	for _, l := range due {
		fmt.Fprintln(n.w, l.text)
	}
}

func (n *narrator) addResult(label string, r *subjects.Result) {
	for i := range r.Steps {
		s := &r.Steps[i]
		if !s.BatchStatus.Ended() && n.hasBegun(label, s.ID) {
			continue // a commit of its chunk
		}
		at := s.StartTime // of a step that runs; its result comes after its first lines of output
		if s.BatchStatus.Ended() {
			at = s.EndTime
		}
		n.addLine(cmp.Or(at, r.Time), label, n.colorOf(s.BatchStatus), fmt.Sprintf("  step %s %s%s%s", s.Step, s.BatchStatus, countSuffix(&s.Metrics), exceptionSuffix(s.Exception)))
	}
	if r.BatchStatus.Ended() {
		delete(n.begun, label)
	}
	text := string(r.BatchStatus)
	switch {
	case r.Execution != nil:
		text += " on " + r.Agent
		if r.Execution.RestartOf != 0 {
			text += fmt.Sprintf(" as a restart of %d", r.Execution.RestartOf)
		}
	case !r.BatchStatus.Ended():
		return // the end of a step, already printed
	}
	n.addLine(r.Time, label, n.colorOf(r.BatchStatus), text+exceptionSuffix(r.Exception))
}

// hasBegun reports whether it was called for the step execution before.
func (n *narrator) hasBegun(execution string, step int64) bool {
	if n.begun == nil {
		n.begun = map[string]map[int64]bool{}
	}
	if n.begun[execution] == nil {
		n.begun[execution] = map[int64]bool{}
	}
	before := n.begun[execution][step]
	n.begun[execution][step] = true
	return before
}

// countSuffix says how many items a chunk has read and written.
func countSuffix(m *subjects.Metrics) string {
	if *m == (subjects.Metrics{}) {
		return ""
	}
	return fmt.Sprintf(" (%d read, %d written)", m.Read, m.Write)
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
