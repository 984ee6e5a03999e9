package cli

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// colorCode matches a code that only changes colours (SGR of ECMA-48). It has
// no content, so it is removed as a whole.
var colorCode = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// printable returns a line without what makes a terminal do something, or show
// another text than the line has: control characters (C0, C1, DEL) and the
// characters that change the direction of writing. The rest of an escape
// sequence stays, as visible text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case isUnsafe(r):
			return -1
		}
		return r
	}, colorCode.ReplaceAllString(s, ""))
}

// PrintableText is printable for a text of several lines.
func PrintableText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}

// isUnsafe reports whether r is more than a character to a terminal.
func isUnsafe(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// writeCode writes JSON, YAML, EDN or XML. A terminal gets \u009b in place of an
// unsafe character, which means the same in the strings of the first three.
func (p *page) writeCode(code []byte) error {
	if p.live {
		var b bytes.Buffer
		for _, r := range string(code) {
			if isUnsafe(r) && r != '\n' && r != '\t' {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		code = b.Bytes()
	}
	_, err := p.Write(code)
	return err
}
