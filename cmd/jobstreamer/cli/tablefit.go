package cli

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"
)

const (
	usualWidth = 80 // columns without a terminal
	leastWidth = 12 // minimum columns of a cut text
	ellipsis   = "…"
)

// withDrops names the columns that may be dropped, the least important first.
func (t *table) withDrops(heads ...string) *table { t.drops = heads; return t }

// withCuts names the columns whose texts may be cut before a column is dropped.
func (t *table) withCuts(heads ...string) *table { t.cuts = heads; return t }

// withOptional names the columns that are shown only if a row has a value.
func (t *table) withOptional(heads ...string) *table { t.optional = heads; return t }

// fitWidth narrows t to width columns; 0 means no limit. It uses the short
// texts, cuts texts, and drops columns, as far as the table allows it. Names
// are cut only on a terminal, because scripts use them.
func (t *table) fitWidth(width int, live bool) {
	for _, head := range t.optional {
		i := t.columnIndex(head)
		if i >= 0 && !slices.ContainsFunc(t.rows, func(row []flexCell) bool { return row[i].text != "" }) {
			t.removeColumn(i)
		}
	}
	if width == 0 {
		return
	}
	if t.totalWidth() > width {
		t.useShortTexts()
	}
	for _, head := range t.drops {
		if t.totalWidth()-t.cuttableWidth(t.cuts) <= width {
			break
		}
		if i := t.columnIndex(head); i >= 0 {
			t.removeColumn(i)
		}
	}
	t.cutColumns(t.cuts, width)
	if live {
		t.cutColumns(t.heads, width)
	}
}

// columnIndex returns the index of a column, or -1 if it does not exist.
func (t *table) columnIndex(head string) int {
	return slices.IndexFunc(t.heads, func(h string) bool { return strings.TrimPrefix(h, ">") == strings.TrimPrefix(head, ">") })
}

func (t *table) removeColumn(i int) {
	t.heads = slices.Delete(slices.Clone(t.heads), i, i+1)
	for r := range t.rows {
		t.rows[r] = slices.Delete(t.rows[r], i, i+1)
	}
}

// useShortTexts replaces the texts by their short forms, if they have one.
func (t *table) useShortTexts() {
	for _, row := range t.rows {
		for i := range row {
			row[i].text = cmp.Or(row[i].short, row[i].text)
		}
	}
}

// columnWidths returns the width of each column.
func (t *table) columnWidths() []int {
	all := make([]int, len(t.heads))
	for i, head := range t.heads {
		all[i] = displayWidth(strings.TrimPrefix(head, ">"))
		for _, row := range t.rows {
			all[i] = max(all[i], displayWidth(row[i].text))
		}
	}
	return all
}

func (t *table) totalWidth() int {
	sum := -len(gap)
	for _, w := range t.columnWidths() {
		sum += w + len(gap)
	}
	return sum
}

// cuttableWidth returns by how many terminal columns the columns heads can be
// narrowed.
func (t *table) cuttableWidth(heads []string) (sum int) {
	widths := t.columnWidths()
	for _, head := range heads {
		if i := t.columnIndex(head); i >= 0 {
			sum += max(0, widths[i]-minColumnWidth(head))
		}
	}
	return sum
}

func minColumnWidth(head string) int { return max(leastWidth, displayWidth(head)) }

// cutColumns cuts texts of the columns heads, the widest first, until t fits
// into width.
func (t *table) cutColumns(heads []string, width int) {
	widths := t.columnWidths()
	for over := t.totalWidth() - width; over > 0; over-- {
		widest := -1
		for _, head := range heads {
			i := t.columnIndex(head)
			if i >= 0 && widths[i] > minColumnWidth(head) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	for _, row := range t.rows {
		for i := range row {
			row[i].text = cutText(row[i].text, widths[i])
		}
	}
}

// cutText returns s cut to at most width terminal columns. Escape sequences
// have no width.
func cutText(s string, width int) string {
	if displayWidth(s) <= width {
		return s
	}
	var b strings.Builder
	escape, used := false, 0
	for _, r := range s {
		switch {
		case r == '\x1b':
			escape = true
		case !escape:
			w := displayWidth(string(r))
			if used+w > width-1 {
				if used < width {
					b.WriteString(ellipsis)
				}
				used = width
				continue // the rest may contain the end of a color
			}
			used += w
		}
		b.WriteRune(r)
		escape = escape && r != 'm'
	}
	return b.String()
}

// windowSize returns the columns and lines of a terminal. For other streams, it
// returns $COLUMNS or the usual width, and 0 lines.
func (c *CLI) windowSize(stream any) (columns, lines int) {
	if f, ok := stream.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	if n, err := strconv.Atoi(c.Env["COLUMNS"]); err == nil && n > 0 {
		return n, 0
	}
	return usualWidth, 0
}

// fitWindow returns the part of text that fits into a window without wrapped
// lines. The last line says how many lines are hidden.
func fitWindow(text string, columns, lines int) string {
	all := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range all {
		all[i] = cutText(strings.TrimSuffix(l, "\n"), columns) + "\n"
	}
	if most := lines - 1; lines > 1 && len(all) > most { // the cursor needs a line too
		left := len(all) - (most - 1)
		all = append(all[:most-1], cutText(ellipsis+" "+countText(left, "more line", "more lines")+"; enlarge the window to see them", columns)+"\n")
	}
	return strings.Join(all, "")
}
