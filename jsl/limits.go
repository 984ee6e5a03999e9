package jsl

import (
	"fmt"
	"unicode/utf8"
)

// maxNesting is how deep flows and splits may be nested, so that every form of
// a job is within maxDepth.
const maxNesting = 32

// nesting reports what would make the other checks endless or panic.
func (v *validator) nesting(path string, elements []Element, level int) bool {
	if level > maxNesting {
		v.fault(path, fmt.Sprintf("at most %d levels of flows and splits", maxNesting), "more")
		return false
	}
	fine := true
	for i, e := range elements {
		place := atIndex(path, i)
		switch e := e.(type) {
		case nil:
			v.fault(place, "a step, flow, split or decision", "nil")
			fine = false
		case *Flow:
			fine = v.nesting(place+"/steps", e.Elements, level+1) && fine
		case *Split:
			for k, f := range e.Flows {
				fine = v.nesting(atIndex(place+"/flows", k)+"/steps", f.Elements, level+2) && fine
			}
		}
	}
	return fine
}

// characters reports text that the XML of a job cannot hold (XML 1.0 section
// 2.2).
func (v *validator) characters(path string, n *node) {
	if n.kind == text && !writable(n.text) {
		v.fault(path, "text without control characters", quote(n.text))
	}
	for _, m := range n.members {
		if !writable(m.name) {
			v.fault(at(path, m.name), "a name without control characters", quote(m.name))
		}
		v.characters(at(path, m.name), m.value)
	}
	for i, item := range n.items {
		v.characters(atIndex(path, i), item)
	}
}

func writable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}
