package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) auditCommand() *cobra.Command {
	return groupCommand("audit", "See who changed what",
		`The audit has a row for each request that changes something, and for each that was refused. Each row has the hash of the row before, so that a row that was
changed, removed or moved is found. Only admins can read it.`,
		c.auditList(), c.auditVerify())
}

// auditSelection has the flags that select rows of the audit.
type auditSelection struct {
	client.AuditFilter
	since, until string
	given        func(flag string) bool
}

func (v *auditSelection) addFlags(cmd *cobra.Command) {
	help.Section(cmd.Flags(), "Filters", func(f *pflag.FlagSet) {
		f.StringVar(&v.User, "user", "", "`USER` who sent the request; (nobody) for requests without a login, (bus) for the control bus itself")
		f.StringVarP(&v.App, "app", "a", "", "`NAME` application of the object (default: all)")
		f.StringVar(&v.Kind, "kind", "", "`KIND` kind of the object, such as application, job, schedule, execution, deployment, user, login")
		f.StringVar(&v.Name, "object", "", "`NAME` name of the object, such as that of a job or user, or the id of an execution")
		f.StringVar(&v.Action, "action", "", "`ACTION` operation id of the REST API, such as put-job")
		f.StringVar(&v.since, "since", "", "`TIME` earliest time: 18:00, yesterday, 2026-11-24, 2h ...")
		f.StringVar(&v.until, "until", "", "`TIME` rows before this time; a date means the end of that day")
		f.StringVar(&v.After, "after", "", "`NUMBER` last row of the previous page; the list continues after it")
		f.IntVarP(&v.Limit, "limit", "n", 50, "`NUMBER` maximum number of rows, up to 1000")
	})
	v.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
}

// toFilter returns the filter that the flags select. It refuses empty values: an
// ignored filter would select everything.
func (v *auditSelection) toFilter(inv *invocation) (f client.AuditFilter, err error) {
	f = v.AuditFilter
	for name, value := range map[string]string{"user": v.User, "app": v.App, "kind": v.Kind, "object": v.Name, "action": v.Action, "after": v.After} {
		if v.given(name) && value == "" {
			return f, usageErrorf("--%s: want a value", name)
		}
	}
	if v.Limit < 1 || v.Limit > 1000 {
		return f, usageErrorf("--limit %d: want a number from 1 to 1000", v.Limit)
	}
	f.Since, f.Until, err = inv.timeRange(v.given, timeText{"since", v.since}, timeText{"until", v.until})
	if err == nil && !f.Since.IsZero() && !f.Until.IsZero() && !f.Until.After(f.Since) {
		err = usageErrorf("--until %s: want a time after --since %s", v.until, v.since)
	}
	return f, err
}

func (c *CLI) auditList() *cobra.Command {
	var v auditSelection
	cmd := c.serverCommand("list", "List who changed what, newest first", func(inv *invocation, _ []string) error {
		f, err := v.toFilter(inv)
		if err != nil {
			return err
		}
		return inv.listAudit(f)
	})
	cmd.Long = `Lists the rows of the audit that match all filters, newest first.

With -o json the output is one answer of the server, which reads up to 20,000 rows for it. If next is not null, there are more: continue with --after.`
	cmd.Example = `  jobstreamer audit list --user ann --since yesterday
  jobstreamer audit list --app billing --kind job --object nightly -o wide
  jobstreamer audit list --kind login --since 2h -o json`
	v.addFlags(cmd)
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) listAudit(f client.AuditFilter) error {
	if !inv.printsTables() {
		return showAnswer(inv, func(c *client.Client) (rest.AuditPage, error) { return c.Audit(inv.ctx, f) }, nil)
	}
	var rows []rest.AuditRow
	limit := f.Limit
	for {
		f.Limit = limit - len(rows)
		p, err := inv.client.Audit(inv.ctx, f)
		if err != nil {
			return err
		}
		rows = append(rows, p.Results...)
		if p.Next == nil || len(rows) >= limit {
			drawAudit(inv.outPage(), rows, p.Next)
			return nil
		}
		f.After = *p.Next
	}
}

func drawAudit(p *page, rows []rest.AuditRow, next *string) {
	if len(rows) == 0 {
		fmt.Fprintln(p, "No row matches.")
		return
	}
	t := newTable(">ROW", "TIME", "USER", "ADDRESS", "ACTION", "OBJECT", "REVISION", "RESULT").withDrops("ROW", "REVISION", "ADDRESS").withCuts("OBJECT")
	for i := range rows {
		r := &rows[i]
		result := cell{"ok", green}
		if r.Code != "" {
			result = cell{r.Code, red}
		}
		t.addRow(r.Number, p.timeCell(r.Time), r.User, r.Address, r.Action, auditObject(r), auditRevision(r), result)
	}
	p.writeTable(t)
	if next != nil {
		fmt.Fprintln(p, p.inColor(faint, "there are more; continue with --after "+*next))
	}
}

// auditObject returns the kind and the name of the object of a row.
func auditObject(r *rest.AuditRow) string {
	var parts []string
	for _, part := range []string{r.App, r.Job, r.Name} {
		if part != "" && (part != r.App || len(parts) == 0) {
			parts = append(parts, part)
		}
	}
	text := r.Kind + " " + strings.Join(parts, "/")
	switch {
	case r.Omitted > 0:
		text = fmt.Sprintf("%s: %d refused requests without rows", r.Kind, r.Omitted)
	case r.Anchor != nil:
		text = fmt.Sprintf("%s: rows up to %d", r.Kind, r.Anchor.Number)
	}
	return strings.TrimSpace(text)
}

// auditRevision returns the revision after the first write of a row, with the
// one before: 3 > 4.
func auditRevision(r *rest.AuditRow) string {
	if len(r.Changes) == 0 {
		return ""
	}
	text := func(n uint64) string {
		if n == 0 {
			return "-"
		}
		return fmt.Sprint(n)
	}
	return text(r.Changes[0].Before) + " > " + text(r.Changes[0].After)
}

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (c *CLI) auditVerify() *cobra.Command {
	var head string
	cmd := c.serverCommand("verify", "Check that no row of the audit was changed, removed or moved", func(inv *invocation, _ []string) error {
		if head = strings.ToLower(head); head != "" && !hashPattern.MatchString(head) {
			return usageErrorf("--expect: want a hash of 64 hex digits, as printed by jobstreamer audit verify")
		}
		return inv.verifyAudit(head)
	})
	cmd.Long = fmt.Sprintf(`Reads the whole audit and computes its hashes. The exit status is 0 if the audit is intact, and %d if a row was changed, removed or moved; the output names the
row.

The hashes need no secret: somebody who can write to the stream can change the last row, cut the end, or write all rows and hashes anew. The head finds that: note it
elsewhere, and give it to a later run with --expect. The chain must still have this row.`, ExitTampered)
	cmd.Example = `  jobstreamer audit verify
  jobstreamer audit verify --expect 3f0a...`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&head, "expect", "", "`HASH` head that an earlier run printed")
	})
	c.outputFlag(cmd, "`FORMAT` output format: table, or the result as json")
	c.serverFlags(cmd)
	return cmd
}

// verifyAudit reads the rows and checks them here: it trusts the control bus
// for what is stored, and for nothing else.
func (inv *invocation) verifyAudit(head string) error {
	if inv.output != "json" && !inv.printsTables() {
		return usageErrorf("--output %s: want table or json", inv.output)
	}
	v := audit.NewVerifier(head)
	f := client.AuditFilter{Oldest: true, Stored: true, Limit: 1000}
	for {
		p, err := inv.client.Audit(inv.ctx, f)
		if err != nil {
			return err
		}
		for i := range p.Results {
			r := &p.Results[i]
			if r.Stored == nil {
				return fmt.Errorf("the control bus did not send the stored text of row %d", r.Number)
			}
			v.Add(r.Number, []byte(*r.Stored))
		}
		if p.Next == nil {
			return inv.reportAudit(v.Finish(p.Last))
		}
		f.After = *p.Next
	}
}

func (inv *invocation) reportAudit(r audit.Report) error {
	switch {
	case inv.output == "json":
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(inv.Out, string(text))
	case len(r.Faults) > 0:
		fmt.Fprintln(inv.Out, "The audit is NOT intact:")
		for _, fault := range r.Faults {
			fmt.Fprintln(inv.Out, "  "+fault)
		}
	case r.Rows == 0:
		fmt.Fprintln(inv.Out, "The audit has no rows yet.")
	default:
		fmt.Fprintf(inv.Out, "The audit is intact: %s, from row %d to row %d.\nHead: %s\n", countText(r.Rows, "row", "rows"), r.First, r.Head.Number, r.Head.Hash)
	}
	if len(r.Faults) > 0 {
		return printedError{ExitTampered}
	}
	return nil
}
