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

// valuePart is a part of an attribute's value.
type valuePart struct {
	text     string // as written
	operator string // empty: the text stands for itself
	name     string
	fallback bool // of an operator: ?: follows, with a default up to the next ;
}

// splitOperators yields the parts of a value: operators, and the text between
// them. What begins like an operator but is none is text. Each byte is looked
// at a bounded number of times.
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

// operatorAt reads the operator with which value begins, if it does. Without
// more there is no end of an operator in value, so none can follow either.
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

// hasOperator says whether value holds that operator, or any if it is empty.
func hasOperator(value, operator string) bool {
	for p := range splitOperators(value) {
		if p.operator != "" && (operator == "" || p.operator == operator) {
			return true
		}
	}
	return false
}

// Parameters are the names of the job parameters that the job asks for by
// #{jobParameters['...']}, in order of their names.
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

// lookupFunc returns the value of an operator. If it is deferred the operator
// is left as it is, with its default.
type lookupFunc func(operator, name string) (value string, deferred bool)

// substituteValue replaces the operators of a value. An operator's default is
// used if its value is empty; it may hold operators with defaults of their own,
// and ends at its ; or with the value.
func substituteValue(value string, look lookupFunc, out *strings.Builder) {
	const (
		dropped = iota // the operator had a value
		used
		kept // the operator is deferred, and so is the choice
	)
	var defaults []int // those we are inside of, the innermost last
	silent := 0        // how many of them are dropped
	write := func(s string) {
		if silent == 0 {
			out.WriteString(s)
		}
	}
	closeDefaults := func(s string) { // s is text: each ; ends a default
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
