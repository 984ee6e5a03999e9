package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestTablesFit(t *testing.T) {
	long := strings.Repeat("n", 70)
	sample := func() *table {
		table := newTable("JOB", "STATUS", ">OK", "STARTED", "NOTE").withOptional("NOTE").withDrops("OK", "STATUS").withCuts("NOTE")
		table.addRow("a", cell{"failed", red}, 10, flexCell{cell: cell{text: "2026-11-24 02:00 (34h ago)"}, short: "34h ago"}, "倉庫倉庫倉庫倉庫倉庫倉庫倉庫倉庫")
		return table
	}
	for _, c := range []struct {
		name  string
		width int
		live  bool
		want  string
	}{
		{"any width is enough", 0, false, "JOB STATUS OK STARTED NOTE | a failed 10 2026-11-24 02:00 (34h ago) 倉庫倉庫倉庫倉庫倉庫倉庫倉庫倉庫"},
		{"it fits", 80, true, "JOB STATUS OK STARTED NOTE | a failed 10 2026-11-24 02:00 (34h ago) 倉庫倉庫倉庫倉庫倉庫倉庫倉庫倉庫"},
		{"times are short first", 70, true, "JOB STATUS OK STARTED NOTE | a failed 10 34h ago 倉庫倉庫倉庫倉庫倉庫倉庫倉庫倉庫"},
		{"then texts are cut", 50, false, "JOB STATUS OK STARTED NOTE | a failed 10 34h ago 倉庫倉庫倉庫倉庫倉庫倉…"},
		{"then columns are dropped", 35, false, "JOB STATUS STARTED NOTE | a failed 34h ago 倉庫倉庫倉庫…"},
		{"one after the other", 28, false, "JOB STARTED NOTE | a 34h ago 倉庫倉庫倉庫…"},
	} {
		table := sample()
		table.fitWidth(c.width, c.live)
		var b bytes.Buffer
		(&page{Writer: &b}).writeTable(table)
		if got := strings.Join(strings.Fields(strings.ReplaceAll(b.String(), "\n", " | ")), " "); got != c.want+" |" {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		for line := range strings.Lines(b.String()) {
			if c.width > 0 && displayWidth(line)-1 > c.width {
				t.Errorf("%s: %d columns: %s", c.name, displayWidth(line)-1, line)
			}
		}
	}
	for live, want := range map[bool]string{false: long, true: strings.Repeat("n", 79) + "…"} {
		table := newTable("JOB")
		table.addRow(long + long)
		table.fitWidth(80, live)
		if got := table.rows[0][0].text; live && got != want || !live && got != long+long {
			t.Errorf("a long name, seen by a person: %v: %s", live, got)
		}
	}
	empty := newTable("JOB", "NOTE").withOptional("NOTE")
	empty.addRow("a", "")
	empty.fitWidth(0, false)
	if fmt.Sprint(empty.heads) != "[JOB]" {
		t.Errorf("an empty column: %v", empty.heads)
	}
}

func TestTextsAreCutByColumns(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"倉庫倉庫", 5, "倉庫…"}, {"倉庫倉庫", 4, "倉…"}, {"abc", 1, "…"},
		{red + "abcdef" + plain + "x", 4, red + "abc…" + plain}, {red + "abc" + plain, 3, red + "abc" + plain},
	} {
		if got := cutText(c.text, c.width); got != c.want {
			t.Errorf("cutText(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
	if got, want := fitWindow("1\n2\n3\n4\n", 80, 5), "1\n2\n3\n4\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := fitWindow("1\n2\n3\n4\n5\n", 26, 5), "1\n2\n3\n… 2 more lines; enlarge t…\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := fitWindow("12345\n2\n", 3, 0), "12…\n2\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
