package jsl

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// EDNWriter writes EDN into memory, one value after the other. It puts a space
// between the values of a collection. The zero EDNWriter is ready for use.
type EDNWriter struct {
	text      strings.Builder
	separator string // before the next value
}

// String returns what was written.
func (w *EDNWriter) String() string { return w.text.String() }

// Open begins a collection by its bracket: "{", "[" or "#{".
func (w *EDNWriter) Open(bracket string) {
	w.WriteLiteral(bracket)
	w.separator = ""
}

// Close ends a collection by its bracket: "}" or "]".
func (w *EDNWriter) Close(bracket string) {
	w.separator = ""
	w.WriteLiteral(bracket)
}

// WriteLiteral writes a value that is EDN already, such as nil, :key or 1.
func (w *EDNWriter) WriteLiteral(edn string) {
	w.text.WriteString(w.separator)
	w.text.WriteString(edn)
	w.separator = " "
}

// WriteText writes a string.
func (w *EDNWriter) WriteText(s string) { w.WriteLiteral(EDNString(s)) }

// breakLine lets the next value begin in a line of its own, at a column.
func (w *EDNWriter) breakLine(column int) { w.separator = "\n" + strings.Repeat(" ", column) }

// formatEDN writes a tree. It writes an object or array in one line if nothing
// in it is nested, and otherwise with a line for each entry.
func formatEDN(n *node) []byte {
	w := &EDNWriter{}
	w.writeNode(n, 0, false)
	return []byte(w.String() + "\n")
}

// writeNode writes n. All lines after the first begin at the column indent. If
// free is true, n is an object of properties, whose names may be any strings.
func (w *EDNWriter) writeNode(n *node, indent int, free bool) {
	inLines := !isFlat(n)
	switch n.kind {
	case object:
		w.Open("{")
		for i, m := range n.members {
			if i > 0 && inLines {
				w.breakLine(indent + 1)
			}
			if free {
				w.WriteText(m.name)
			} else {
				w.WriteLiteral(":" + strings.ReplaceAll(m.name, "_", "-"))
			}
			if !isFlat(m.value) {
				w.breakLine(indent + 1)
			}
			w.writeNode(m.value, indent+1, (m.name == "properties" || m.name == "limits") && m.value.kind == object && !free)
		}
		w.Close("}")
	case array:
		w.Open("[")
		for i, item := range n.items {
			if i > 0 && inLines {
				w.breakLine(indent + 1)
			}
			w.writeNode(item, indent+1, false)
		}
		w.Close("]")
	case text:
		w.WriteText(n.text)
	case null:
		w.WriteLiteral("nil")
	default:
		w.WriteLiteral(n.text)
	}
}

// isFlat reports whether n fits in a line: it holds only scalars and objects of
// scalars.
func isFlat(n *node) bool {
	for _, m := range n.members {
		if hasEntries(m.value) && !isLeaf(m.value) {
			return false
		}
	}
	for _, item := range n.items {
		if hasEntries(item) {
			return false
		}
	}
	return true
}

// isLeaf reports whether n holds only scalars, by name.
func isLeaf(n *node) bool {
	for _, m := range n.members {
		if hasEntries(m.value) {
			return false
		}
	}
	return len(n.items) == 0
}

// EDNString returns s as a string in EDN.
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

// EDNKeyword returns name as a keyword without a namespace, or as a string if
// it cannot be one.
func EDNKeyword(name string) string {
	if !keyword.MatchString(name) {
		return EDNString(name)
	}
	return ":" + name
}

// IsEDNKeyword reports whether a name can be a keyword without a namespace.
func IsEDNKeyword(name string) bool { return keyword.MatchString(name) }

var keyword = regexp.MustCompile(`^[A-Za-z*!_?$%&=<>][A-Za-z0-9*!_?$%&=<>.+-]*$`)
