package jsl

import (
	"fmt"
	"slices"
	"strings"
)

// This file checks single attributes.

// isOpen reports whether text contains an operator that is not substituted yet.
func (v *validator) isOpen(text string) bool {
	switch v.stage {
	case asWritten:
		return hasOperator(text, "")
	case asResolved:
		return hasOperator(text, partitionPlan)
	}
	return false
}

// shownText returns a value as a message shows it: a number as it is, other
// text quoted, empty text as nothing.
func shownText(value string) string {
	if value == "" || isInt(value) {
		return value
	}
	return quoteValue(value)
}

func (v *validator) checkPresent(path, want, value string) {
	if value == "" {
		v.reportFault(path, want, "")
	}
}

func (v *validator) checkInt(path string, i Int, least int) {
	if i == "" || v.isOpen(string(i)) {
		return
	}
	if !isInt(string(i)) || i.Or(least) < least {
		v.reportFault(path, fmt.Sprintf("a whole number of at least %d", least), shownText(string(i)))
	}
}

func (v *validator) checkBool(path string, b Bool) {
	v.oneOf(path, string(b), "true", "false")
}

// oneOf checks an attribute of the job language, which may contain a
// substitution.
func (v *validator) oneOf(path, value string, allowed ...string) {
	if !v.isOpen(value) {
		v.checkOneOf(path, value, allowed...)
	}
}

// checkOneOf checks an attribute in which nothing is substituted.
func (v *validator) checkOneOf(path, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		last := len(allowed) - 1
		v.reportFault(path, strings.Join(allowed[:last], ", ")+" or "+allowed[last], shownText(value))
	}
}

func (v *validator) checkOptional(path string, a *Artifact) {
	if a == nil {
		return
	}
	v.checkPresent(path+"/ref", "the name of an artifact", a.Ref)
	v.checkProperties(path, a.Properties)
}

func (v *validator) checkRequired(path string, a *Artifact) {
	if a == nil {
		v.reportFault(path, "an artifact", "")
	}
	v.checkOptional(path, a)
}

func (v *validator) checkArtifacts(path string, artifacts []Artifact) {
	for i := range artifacts {
		v.checkOptional(itemPath(path, i), &artifacts[i])
	}
}

func (v *validator) checkProperties(path string, p Properties) {
	path += "/properties"
	seen := make(map[string]bool, len(p))
	for _, prop := range p {
		if seen[prop.Name] {
			v.reportFault(memberPath(path, prop.Name), "each name only once", quoteValue(prop.Name)+" again")
		}
		seen[prop.Name] = true
	}
}

func (v *validator) checkTransitions(path string, transitions []Transition) {
	for i, t := range transitions {
		place := itemPath(path+"/transitions", i)
		switch t.Action {
		case Next, End, Fail, Stop:
			// A pattern that substitution leaves empty matches no text (8.8.1.7).
			if v.stage == asWritten {
				v.checkPresent(memberPath(place, string(t.Action))+"/on", "an exit status pattern", t.On)
			}
		default:
			v.reportFault(place, "next, end, fail or stop", shownText(string(t.Action)))
		}
	}
}
