package jsl

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ToJSON converts a text in YAML or EDN to JSON. The text need not be a job.
// Keywords and values tagged #inst or #uuid become strings. A value that JSON
// cannot express becomes an object that names it. The limits are those of
// [Parse], and the error is an [Errors], too.
func ToJSON(f Format, data []byte) ([]byte, error) {
	read := map[Format]func([]byte) (*node, Errors){JSON: parseJSON, YAML: readYAML, EDN: parseEDN}[f]
	if read == nil {
		return nil, fmt.Errorf("format %q: want json, yaml or edn", string(f))
	}
	n, faults := read(bytes.TrimPrefix(data, []byte("\ufeff")))
	if len(faults) > 0 {
		return nil, faults
	}
	whole := n.kind != other
	onlyJSON(n)
	if !whole && n.kind == object { // a part would be taken for what it stands for; the whole must not be
		return nil, Errors{{"", strings.ToUpper(string(f)), quoteValue(n.members[0].name), n.line, n.col}}
	}
	return appendJSON(nil, n)
}

// ToYAML converts JSON to YAML. Its error is an [Errors].
func ToYAML(data []byte) ([]byte, error) {
	n, faults := parseJSON(data)
	if len(faults) > 0 {
		return nil, faults
	}
	return formatYAML(n), nil
}

// onlyJSON replaces the values in a tree that JSON does not have.
func onlyJSON(n *node) {
	for _, item := range n.items {
		onlyJSON(item)
	}
	for _, m := range n.members {
		onlyJSON(m.value)
	}
	switch {
	case n.kind == number && !jsontext.Value(n.text).IsValid(): // +1, 0x1F, .inf
		n.kind = text
	case n.kind == other && (n.text == "#inst" || n.text == "#uuid") && n.items[0].kind == text:
		*n = *n.items[0]
	case n.kind == other:
		*n = node{kind: object, members: []member{{name: n.text, value: &node{kind: null}}}, line: n.line, col: n.col}
	}
}
