package jsl

import (
	"fmt"
	"slices"
	"strings"
)

// What single attributes must be.

// open says that text holds a substitution that is still to be made.
func (v *validator) open(text string) bool {
	switch v.stage {
	case asWritten:
		return hasOperator(text, "")
	case asResolved:
		return hasOperator(text, partitionPlan)
	}
	return false
}

// shown is a value as an error shows it: numbers as they are, the rest quoted,
// nothing for nothing.
func shown(value string) string {
	if value == "" || isInt(value) {
		return value
	}
	return quote(value)
}

func (v *validator) present(path, want, value string) {
	if value == "" {
		v.fault(path, want, "")
	}
}

func (v *validator) int(path string, i Int, least int) {
	if i == "" || v.open(string(i)) {
		return
	}
	if !isInt(string(i)) || i.Or(least) < least {
		v.fault(path, fmt.Sprintf("a whole number from %d", least), shown(string(i)))
	}
}

func (v *validator) bool(path string, b Bool) {
	v.oneOf(path, string(b), "true", "false")
}

// oneOf judges an attribute of the job language, in which a substitution may
// stand.
func (v *validator) oneOf(path, value string, allowed ...string) {
	if !v.open(value) {
		v.fixed(path, value, allowed...)
	}
}

// fixed judges an attribute that is taken as it is written.
func (v *validator) fixed(path, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		last := len(allowed) - 1
		v.fault(path, strings.Join(allowed[:last], ", ")+" or "+allowed[last], shown(value))
	}
}

func (v *validator) artifact(path string, a *Artifact) {
	if a == nil {
		return
	}
	v.present(path+"/ref", "the name of an artifact", a.Ref)
	v.properties(path, a.Properties)
}

func (v *validator) required(path string, a *Artifact) {
	if a == nil {
		v.fault(path, "an artifact", "")
	}
	v.artifact(path, a)
}

func (v *validator) artifacts(path string, artifacts []Artifact) {
	for i := range artifacts {
		v.artifact(atIndex(path, i), &artifacts[i])
	}
}

func (v *validator) properties(path string, p Properties) {
	path += "/properties"
	seen := make(map[string]bool, len(p))
	for _, prop := range p {
		if seen[prop.Name] {
			v.fault(at(path, prop.Name), "a name once", quote(prop.Name))
		}
		seen[prop.Name] = true
	}
}

func (v *validator) transitions(path string, transitions []Transition) {
	for i, t := range transitions {
		place := atIndex(path+"/transitions", i)
		switch t.Action {
		case Next, End, Fail, Stop:
			v.present(at(place, string(t.Action))+"/on", "a pattern of exit statuses", t.On)
		default:
			v.fault(place, "one of next, end, fail and stop", shown(string(t.Action)))
		}
	}
}
