package jsl

import (
	"fmt"
	"unicode/utf8"
)

// maxNesting is the maximum nesting of flows and splits. It keeps every form of
// a job within maxDepth.
const maxNesting = 32

// checkNesting reports elements that would make the other checks loop forever
// or panic. It returns false if there are any.
func (v *validator) checkNesting(path string, elements []Element, level int) bool {
	if level > maxNesting {
		v.reportFault(path, fmt.Sprintf("at most %d levels of flows and splits", maxNesting), "more")
		return false
	}
	fine := true
	for i, e := range elements {
		place := itemPath(path, i)
		switch e := e.(type) {
		case nil:
			v.reportFault(place, "a step, flow, split or decision", "nil")
			fine = false
		case *Flow:
			fine = v.checkNesting(place+"/steps", e.Elements, level+1) && fine
		case *Split:
			for k, f := range e.Flows {
				fine = v.checkNesting(itemPath(place+"/flows", k)+"/steps", f.Elements, level+2) && fine
			}
		}
	}
	return fine
}

// checkCharacters reports text that XML cannot hold (XML 1.0 section 2.2).
func (v *validator) checkCharacters(path string, n *node) {
	if n.kind == text && !isXMLText(n.text) {
		v.reportFault(path, "text without control characters", quoteValue(n.text))
	}
	for _, m := range n.members {
		if !isXMLText(m.name) {
			v.reportFault(memberPath(path, m.name), "a name without control characters", quoteValue(m.name))
		}
		v.checkCharacters(memberPath(path, m.name), m.value)
	}
	for i, item := range n.items {
		v.checkCharacters(itemPath(path, i), item)
	}
}

func isXMLText(s string) bool {
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
