package jsl

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// plain matches text that needs no quotes in any version of YAML. Some versions
// read words such as on as truth values.
var (
	plain      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./$-]*( [A-Za-z0-9_./$-]+)*$`)
	yamlWords  = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)
	yamlIndent = "  "
)

// formatYAML writes a tree in block style.
func formatYAML(n *node) []byte {
	var b strings.Builder
	if !hasEntries(n) {
		return []byte(yamlScalar(n) + "\n")
	}
	writeYAML(&b, n, "")
	return []byte(b.String())
}

// writeYAML writes the lines of an object or array. The caller has already
// written the indent of the first line.
func writeYAML(b *strings.Builder, n *node, indent string) {
	for i, m := range n.members {
		if i > 0 {
			b.WriteString(indent)
		}
		b.WriteString(yamlText(m.name) + ":")
		if hasEntries(m.value) {
			b.WriteString("\n" + indent + yamlIndent)
			writeYAML(b, m.value, indent+yamlIndent)
			continue
		}
		b.WriteString(" " + yamlScalar(m.value) + "\n")
	}
	for i, item := range n.items {
		if i > 0 {
			b.WriteString(indent)
		}
		b.WriteString("- ")
		if hasEntries(item) {
			writeYAML(b, item, indent+yamlIndent)
			continue
		}
		b.WriteString(yamlScalar(item) + "\n")
	}
}

// hasEntries reports whether n has members or items.
func hasEntries(n *node) bool { return len(n.members) > 0 || len(n.items) > 0 }

func yamlScalar(n *node) string {
	switch n.kind {
	case object:
		return "{}"
	case array:
		return "[]"
	case text:
		return yamlText(n.text)
	}
	return n.text
}

func yamlText(s string) string {
	if plain.MatchString(s) && !yamlWords.MatchString(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
