package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// page is the output of a command.
type page struct {
	io.Writer
	live  bool // shown on a terminal, so it may contain ages, which soon become outdated
	color bool
	width int // maximum width of tables; 0: no limit
	now   time.Time
	zone  *time.Location
}

// Escape sequences for colors.
const (
	red, green, yellow, cyan = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"
	bold, faint, plain       = "\x1b[1m", "\x1b[2m", "\x1b[0m"
)

// inColor returns text in a color.
func (p *page) inColor(color, text string) string {
	if !p.color || color == "" || text == "" {
		return text
	}
	return color + text + plain
}

// cell is a text with a color.
type cell struct{ text, color string }

// flexCell is a cell with a shorter text for a narrow page.
type flexCell struct {
	cell
	short string
}

// table is a table of a page. A heading that begins with > aligns its column to
// the right.
type table struct {
	heads                 []string
	rows                  [][]flexCell
	drops, cuts, optional []string // headings: see withDrops, withCuts and withOptional
}

func newTable(heads ...string) *table { return &table{heads: heads} }

// addRow adds a row of cells and values.
func (t *table) addRow(values ...any) {
	var row []flexCell
	for _, v := range values {
		var c flexCell
		switch v := v.(type) {
		case flexCell:
			c = v
		case cell:
			c.cell = v
		default:
			c.text = fmt.Sprint(v)
		}
		c.text = oneLine(c.text)
		row = append(row, c)
	}
	t.rows = append(t.rows, row)
}

const gap = "  "

// writeTable writes t, fitted to the width of the page.
func (p *page) writeTable(t *table) {
	t.fitWidth(p.width, p.live)
	widths := t.columnWidths()
	head := make([]flexCell, len(t.heads))
	for i, h := range t.heads {
		head[i].cell = cell{strings.TrimPrefix(h, ">"), bold}
	}
	for _, row := range append([][]flexCell{head}, t.rows...) {
		var line strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-displayWidth(c.text))
			if strings.HasPrefix(t.heads[i], ">") {
				line.WriteString(pad + p.inColor(c.color, c.text) + gap)
			} else {
				line.WriteString(p.inColor(c.color, c.text) + pad + gap)
			}
		}
		fmt.Fprintln(p, strings.TrimRight(line.String(), " "))
	}
}

// writeFields writes pairs of a name and a value, each on its own line. It
// leaves out empty values.
func (p *page) writeFields(pairs ...any) {
	const column = 14
	for i := 0; i+1 < len(pairs); i += 2 {
		c, ok := pairs[i+1].(cell)
		if !ok {
			c.text = fmt.Sprint(pairs[i+1])
		}
		if c.text == "" {
			continue
		}
		name := pairs[i].(string)
		lines := strings.Split(strings.TrimRight(c.text, "\n"), "\n")
		fmt.Fprintf(p, "%s%s%s\n", p.inColor(faint, name), strings.Repeat(" ", column-len(name)), p.inColor(c.color, printable(lines[0])))
		for _, l := range lines[1:] {
			fmt.Fprintf(p, "%*s%s\n", column, "", printable(l))
		}
	}
}

// writeTitle writes a heading within a page.
func (p *page) writeTitle(text string) { fmt.Fprintf(p, "\n%s\n", p.inColor(bold, text)) }

// displayWidth returns the number of terminal columns of a text. Escape
// sequences for colors have no width.
func displayWidth(s string) (n int) {
	escape := false
	for _, r := range s {
		if escape = escape || r == '\x1b'; escape {
			escape = r != 'm'
			continue
		}
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// oneLine returns the first line of a text, with an ellipsis if there are more.
func oneLine(s string) string {
	line, more, _ := strings.Cut(strings.TrimLeft(s, "\r\n"), "\n")
	line = strings.TrimRight(line, "\r ")
	if strings.TrimSpace(more) != "" {
		line += " …"
	}
	return printable(line)
}
