package jsl

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// formatEDN writes a tree: what holds nothing nested in one line, the rest in
// lines below each other.
func formatEDN(n *node) []byte {
	w := &ednWriter{}
	w.value(n, 0, false)
	w.WriteByte('\n')
	return []byte(w.String())
}

type ednWriter struct{ strings.Builder }

// value writes n, whose lines after the first begin at the column indent. The
// names of properties are free, and so are strings.
func (w *ednWriter) value(n *node, indent int, free bool) {
	switch n.kind {
	case object:
		w.WriteByte('{')
		for i, m := range n.members {
			w.gap(i, n, indent)
			if free {
				w.text(m.name)
			} else {
				w.WriteString(":" + strings.ReplaceAll(m.name, "_", "-"))
			}
			if flat(m.value) {
				w.WriteByte(' ')
			} else {
				w.line(indent + 1)
			}
			w.value(m.value, indent+1, m.name == "properties" && m.value.kind == object && !free)
		}
		w.WriteByte('}')
	case array:
		w.WriteByte('[')
		for i, item := range n.items {
			w.gap(i, n, indent)
			w.value(item, indent+1, false)
		}
		w.WriteByte(']')
	case text:
		w.text(n.text)
	case null:
		w.WriteString("nil")
	default:
		w.WriteString(n.text)
	}
}

// gap separates the members or items of n.
func (w *ednWriter) gap(i int, n *node, indent int) {
	switch {
	case i == 0:
	case flat(n):
		w.WriteByte(' ')
	default:
		w.line(indent + 1)
	}
}

func (w *ednWriter) line(indent int) { w.WriteString("\n" + strings.Repeat(" ", indent)) }

// flat says that n fits in a line: it holds scalars, or objects of scalars.
func flat(n *node) bool {
	for _, m := range n.members {
		if nested(m.value) && !leaf(m.value) {
			return false
		}
	}
	for _, item := range n.items {
		if nested(item) {
			return false
		}
	}
	return true
}

func leaf(n *node) bool {
	for _, m := range n.members {
		if nested(m.value) {
			return false
		}
	}
	return len(n.items) == 0
}

func (w *ednWriter) text(s string) { w.WriteString(EDNString(s)) }

// EDNString is a string in EDN.
func EDNString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r) || r > 0xFFFF:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// EDNKeyword is a name as a keyword without a namespace, or as a string if it
// cannot be one.
func EDNKeyword(name string) string {
	if !keyword.MatchString(name) {
		return EDNString(name)
	}
	return ":" + name
}

// IsEDNKeyword says whether a name can be a keyword without a namespace.
func IsEDNKeyword(name string) bool { return keyword.MatchString(name) }

var keyword = regexp.MustCompile(`^[A-Za-z*!_?$%&=<>][A-Za-z0-9*!_?$%&=<>.+-]*$`)
