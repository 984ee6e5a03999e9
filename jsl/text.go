package jsl

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
)

// Text is a parsed text with the names as they are written. Its members can be
// read before it is read as a job.
type Text struct {
	form   Format
	tree   *node
	faults Errors // of the form; the tree exists all the same
}

// ParseText parses a text in any form without checking its meaning. The charset
// is that of [ParseCharset]. If the text is invalid, the error is an [Errors].
func ParseText(f Format, data []byte, charset string) (*Text, error) {
	var read func([]byte) (*node, Errors)
	switch f {
	case JSON:
		read = parseJSON
	case YAML:
		read = readYAML
	case EDN:
		read = parseEDN
	case XML:
		read = readXML
	case BPMN:
		read = readBPMN
	default:
		return nil, unknownFormat(f, "json, yaml, edn, xml or bpmn")
	}
	if f == XML || f == BPMN {
		var fault *FieldError
		if data, fault = decodeXML(data, charset); fault != nil {
			return nil, Errors{*fault}
		}
	}
	n, faults := read(bytes.TrimPrefix(data, []byte("\ufeff")))
	if n == nil {
		return nil, faults
	}
	return &Text{f, n, faults}, nil
}

// Has reports whether the text is an object with a member of one of the names.
func (t *Text) Has(names ...string) bool {
	return slices.ContainsFunc(t.tree.members, func(m member) bool { return slices.Contains(names, m.name) })
}

// Pick returns the members with these names as a JSON object, converted as by
// [ToJSON]. The object is empty if the text is malformed.
func (t *Text) Pick(names ...string) (jsontext.Value, error) {
	picked := newObject(t.tree.line, t.tree.col)
	for _, m := range t.tree.members {
		if len(t.faults) == 0 && slices.Contains(names, m.name) {
			picked.members = append(picked.members, member{m.name, m.value.deepCopy(), m.line, m.col})
		}
	}
	onlyJSON(picked)
	return appendJSON(nil, picked)
}

// deepCopy returns a copy that shares nothing with n.
func (n *node) deepCopy() *node {
	c := *n
	c.members, c.items = slices.Clone(n.members), slices.Clone(n.items)
	for i := range c.members {
		c.members[i].value = c.members[i].value.deepCopy()
	}
	for i := range c.items {
		c.items[i] = c.items[i].deepCopy()
	}
	return &c
}

// jobTree returns the tree with the names of the model. It changes the text:
// its other methods then see these names.
func (t *Text) jobTree() (*node, Errors) {
	if t.form == EDN || t.form == JSON && t.tree.memberValue("job/name") != nil { // as v1 clients write it
		translateJob(t.tree)
	}
	return t.tree, t.faults
}

// parsed counts the texts that were parsed.
var parsed atomic.Uint64

// Parsed returns how many texts this process has parsed so far, in any form.
// Tests use it to limit how often a request is parsed.
func Parsed() uint64 { return parsed.Load() }
