package jsl

import (
	"slices"
	"strings"
)

// The operators of substitution: #{operator['name']}.
const (
	jobParameters    = "jobParameters"
	jobProperties    = "jobProperties"
	systemProperties = "systemProperties"
	partitionPlan    = "partitionPlan"
)

// valuePart is a part of an attribute's value: an operator or text.
type valuePart struct {
	text     string // as written
	operator string // empty for text
	name     string
	fallback bool // of an operator: ?: and a default follow, up to the next ;
}

// splitOperators yields the operators of a value and the text between them.
// Anything that only begins like an operator is text. It looks at each byte a
// bounded number of times.
func splitOperators(value string) func(yield func(valuePart) bool) {
	return func(yield func(valuePart) bool) {
		start, i := 0, 0
		for {
			at := strings.Index(value[i:], "#{")
			if at < 0 {
				break
			}
			i += at
			p, ok, more := operatorAt(value[i:])
			if !more {
				break
			}
			if !ok {
				i += len("#{")
				continue
			}
			if start < i && !yield(valuePart{text: value[start:i]}) || !yield(p) {
				return
			}
			i += len(p.text)
			if p.fallback {
				i += len("?:")
			}
			start = i
		}
		if start < len(value) {
			yield(valuePart{text: value[start:]})
		}
	}
}

// operatorAt reads the operator at the beginning of value and reports whether
// there is one. If more is false, value has no end of an operator, so none can
// follow.
func operatorAt(value string) (p valuePart, ok, more bool) {
	operator, _, found := strings.Cut(value[len("#{"):min(len(value), 24)], "['")
	if !found || operator != jobParameters && operator != jobProperties &&
		operator != systemProperties && operator != partitionPlan {
		return valuePart{}, false, true
	}
	head := len("#{") + len(operator) + len("['")
	name, after, found := strings.Cut(value[head:], "']}")
	if !found {
		return valuePart{}, false, false
	}
	return valuePart{
		text:     value[:head+len(name)+len("']}")],
		operator: operator,
		name:     name,
		fallback: strings.HasPrefix(after, "?:"),
	}, true, true
}

// hasOperator reports whether value contains that operator, or any operator if
// it is empty.
func hasOperator(value, operator string) bool {
	for p := range splitOperators(value) {
		if p.operator != "" && (operator == "" || p.operator == operator) {
			return true
		}
	}
	return false
}

// Parameters returns the names of the job parameters that the job uses in
// #{jobParameters['...']}, sorted.
func (j *Job) Parameters() []string {
	var names []string
	var visit func(n *node)
	visit = func(n *node) {
		for p := range splitOperators(n.text) {
			if p.operator == jobParameters {
				names = append(names, p.name)
			}
		}
		for _, m := range n.members {
			visit(m.value)
		}
		for _, item := range n.items {
			visit(item)
		}
	}
	visit(objectFrom(j.writtenFields()))
	slices.Sort(names)
	return slices.Compact(names)
}

// lookupFunc returns the value of an operator. If deferred is true, the
// operator stays as it is, with its default.
type lookupFunc func(operator, name string) (value string, deferred bool)

// substituteValue replaces the operators of a value. It uses an operator's
// default if the value of the operator is empty. A default may contain
// operators with their own defaults, and ends at its ; or at the end of the
// value.
func substituteValue(value string, look lookupFunc, out *strings.Builder) {
	const (
		dropped = iota // the operator had a value
		used
		kept // the operator is deferred, and so is the choice
	)
	var defaults []int // the open defaults, the innermost last
	silent := 0        // how many open defaults are dropped
	write := func(s string) {
		if silent == 0 {
			out.WriteString(s)
		}
	}
	closeDefaults := func(s string) { // each ; in the text s ends a default
		for len(defaults) > 0 {
			before, after, found := strings.Cut(s, ";")
			write(before)
			if !found {
				return
			}
			last := len(defaults) - 1
			switch defaults[last] {
			case dropped:
				silent--
			case kept:
				write(";")
			}
			defaults, s = defaults[:last], after
		}
		write(s)
	}
	for p := range splitOperators(value) {
		if p.operator == "" {
			closeDefaults(p.text)
			continue
		}
		var v string
		var deferred bool
		if silent == 0 {
			v, deferred = look(p.operator, p.name)
			out.WriteString(v)
		}
		if !p.fallback {
			continue
		}
		switch {
		case deferred:
			write("?:")
			defaults = append(defaults, kept)
		case v != "":
			silent++
			defaults = append(defaults, dropped)
		default:
			defaults = append(defaults, used)
		}
	}
}
