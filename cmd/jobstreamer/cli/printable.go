package cli

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// colorCode matches an escape sequence that only changes colors (SGR of
// ECMA-48). It has no content, so printable removes all of it.
var colorCode = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// printable returns a line without characters that control a terminal or make
// it show a different text: control characters (C0, C1, DEL) and characters
// that change the direction of writing. The rest of an escape sequence stays,
// as visible text.
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

// isUnsafe reports whether a terminal treats r as more than a visible
// character.
func isUnsafe(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// writeCode writes JSON, YAML, EDN or XML. On a terminal, it replaces an unsafe
// character by an escape such as \u009b, which means the same in strings of the
// first three formats.
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
