package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
)

// forged is an audit of which somebody has changed what is stored.
type forged struct {
	*audit.Log
	change func([]audit.Stored) []audit.Stored
}

func (f *forged) List(ctx context.Context, q audit.Query) (audit.Page, error) {
	p, err := f.Log.List(ctx, q)
	if f.change != nil && err == nil {
		p.Rows = f.change(p.Rows)
	}
	return p, err
}

// withAudit runs a control bus and makes four rows.
func withAudit(t *testing.T) (*env, *forged) {
	t.Helper()
	f := &forged{}
	e, _ := withBus(t, func(c *httpapi.Config) { f.Log = c.Audit.(*audit.Log); c.Audit = f })
	for _, app := range []string{"a", "b", "c"} {
		if got := e.runOnce(t.Context(), "app", "create", app); got.failed != nil {
			t.Fatalf("%+v", got)
		}
	}
	e.applyFiles(t, "nightly", "Noop")
	return e, f
}

func TestAuditList(t *testing.T) {
	e, _ := withAudit(t)
	got := e.runOnce(t.Context(), "audit", "list", "-o", "wide")
	lines := strings.Split(got.out, "\n")
	if got.failed != nil || len(lines) != 6 || !strings.HasPrefix(lines[0], "ROW  TIME") {
		t.Fatalf("%+v", got)
	}
	for i, want := range []string{"put-job job default/nightly - > 1 ok", "put-app application c - > 4 ok", "put-app application b - > 3 ok", "put-app application a - > 2 ok"} {
		f := strings.Fields(lines[i+1])
		if want = fmt.Sprintf("%d (nobody) 127.0.0.1 %s", 4-i, want); strings.Join(append(f[:1:1], f[2:]...), " ") != want {
			t.Errorf("line %q, want %s", lines[i+1], want)
		}
	}
	for line, rows := range map[string]int{
		"": 4, "--limit 2": 2, "--app b": 1, "--kind job": 1, "--object nightly": 1, "--action put-app": 3, "--user (nobody)": 4, "--user ann": 0,
		"--since 1h": 4, "--until 1h": 0, "--after 3": 2, "--since 2h --until 1h": 0,
	} {
		got := e.runOnce(t.Context(), append([]string{"audit", "list", "-o", "json"}, strings.Fields(line)...)...)
		var p struct{ Results []struct{ Hash string } }
		if err := json.Unmarshal([]byte(got.out), &p); err != nil || got.failed != nil || len(p.Results) != rows {
			t.Errorf("%s: %d rows, %+v, %v; want %d", line, len(p.Results), got, err, rows)
		}
	}
	if got := e.runOnce(t.Context(), "audit", "list", "--limit", "2"); !strings.HasSuffix(got.out, "\nthere are more; continue with --after 3\n") {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "audit", "list", "--user", "eve"); got.out != "No row matches.\n" {
		t.Errorf("%+v", got)
	}
	for _, line := range []string{"--user=", "--limit 0", "--limit 1001", "--since never", "--since 1h --until 2h", "--after="} {
		if got := e.runOnce(t.Context(), append([]string{"audit", "list"}, strings.Fields(line)...)...); ExitStatus(got.failed) != ExitUsage {
			t.Errorf("%s: %+v, want a usage error", line, got)
		}
	}
}

// A table shows as many rows as asked for, although pages of a filter may be
// short or empty.
func TestAuditListGoesOnAfterShortPages(t *testing.T) {
	e, f := withAudit(t)
	pages := 0
	f.change = func(rows []audit.Stored) []audit.Stored {
		if pages++; pages == 1 {
			return nil
		}
		return rows
	}
	if got := e.runOnce(t.Context(), "audit", "list", "--limit", "2"); got.failed != nil || strings.Count(got.out, "put-app") != 2 || pages != 2 {
		t.Errorf("%d pages, %+v", pages, got)
	}
}

func TestAuditVerify(t *testing.T) {
	e, f := withAudit(t)
	p, err := f.List(t.Context(), audit.Query{Oldest: true, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	intact := fmt.Sprintf("The audit is intact: 4 rows, from row 1 to row 4.\nHead: %s\n", p.Head.Hash)
	for _, expect := range []string{p.Head.Hash, audit.Hash(p.Rows[1].Data), strings.ToUpper(p.Head.Hash)} {
		if got := e.runOnce(t.Context(), "audit", "verify", "--expect", expect); got.out != intact || got.failed != nil {
			t.Errorf("%+v, want %q", got, intact)
		}
	}
	edit := func(n int, old, now string) func(rows []audit.Stored) []audit.Stored {
		return func(rows []audit.Stored) []audit.Stored {
			was := rows[n].Data
			if rows[n].Data = bytes.Replace(was, []byte(old), []byte(now), 1); bytes.Equal(was, rows[n].Data) {
				t.Errorf("row %d has no %s: %s", n+1, old, was)
			}
			return rows
		}
	}
	for _, c := range []struct {
		name   string
		change func(rows []audit.Stored) []audit.Stored
		expect string
		want   string // fault
	}{
		{"a user was changed", edit(1, "(nobody)", "ann"), "", "row 3 does not have the hash of row 2: one of them was changed"},
		{"an address was changed", edit(0, "127.0.0.1", "127.0.0.2"), "", "row 2 does not have the hash of row 1"},
		{"a row was removed", func(rows []audit.Stored) []audit.Stored { return slices.Delete(rows, 1, 2) }, "", "row 3 follows row 1: rows between them were removed"},
		{"rows were reordered", func(rows []audit.Stored) []audit.Stored {
			rows[1].Data, rows[2].Data = rows[2].Data, rows[1].Data
			return rows
		}, "", "row 2 calls itself row 3"},
		{"the last row was removed", func(rows []audit.Stored) []audit.Stored { return rows[:3] }, "", "the chain ends with row 3, but row 4 was stored"},
		{"the last row was changed", edit(3, "nightly", "weekly"), p.Head.Hash, "no row has the hash " + p.Head.Hash},
		{"the oldest row was removed", func(rows []audit.Stored) []audit.Stored { return rows[1:] }, "", "the chain begins with row 2, and no row states a purge up to row 1"},
		{"all rows were removed", func([]audit.Stored) []audit.Stored { return nil }, "", "the chain ends with row 0, but row 4 was stored"},
	} {
		f.change = c.change
		line := []string{"audit", "verify"}
		if c.expect != "" {
			line = append(line, "--expect", c.expect)
		}
		got := e.runOnce(t.Context(), line...)
		if ExitStatus(got.failed) != ExitTampered || !strings.HasPrefix(got.out, "The audit is NOT intact:\n") || !strings.Contains(got.out, "  "+c.want) {
			t.Errorf("%s: %+v, want exit status %d and %q", c.name, got, ExitTampered, c.want)
		}
	}
	got := e.runOnce(t.Context(), "audit", "verify", "-o", "json")
	var r audit.Report
	if err := json.Unmarshal([]byte(got.out), &r); err != nil || ExitStatus(got.failed) != ExitTampered || len(r.Faults) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	f.change = nil
	for _, line := range []string{"--expect abc", "--expect " + strings.Repeat("x", 64), "-o yaml"} {
		if got := e.runOnce(t.Context(), append([]string{"audit", "verify"}, strings.Fields(line)...)...); ExitStatus(got.failed) != ExitUsage {
			t.Errorf("%s: %+v, want a usage error", line, got)
		}
	}
}
