package jsl

import (
	"fmt"
	"strings"
)

// maxResolved is how much text all substitutions of a job may make, in bytes:
// properties that refer to each other twice would double it with each.
const maxResolved = 16 << 20

// Resolve returns a copy of the job with everything substituted but
// #{partitionPlan['x']} in what runs once a partition: see
// [Step.ResolvePartition]. The result is validated: its error is an [Errors].
//
// Ids and the dispatch attributes are taken as they are. An unknown name is the
// empty text. The attributes of an element see the properties of what is around
// it, its children see its own properties too, and a property sees those before
// it. An operator with a default that does not end runs to the end of the
// value. Parameters are data: operators in them are not replaced.
func (j *Job) Resolve(params, system map[string]string) (*Job, error) {
	r := &resolver{params: params, system: system, budget: maxResolved}
	n := objectFrom(j.writtenFields())
	r.resolveJob(n)
	c := &Job{}
	v := newValidator(asResolved)
	if err := r.readBack(n, c.writtenFields(), v); err != nil {
		return nil, err
	}
	c.fillDefaults()
	v.checkJob(c)
	if err := v.faultsOrNil(); err != nil {
		return nil, err
	}
	return c, nil
}

// readBack reads the substituted tree back.
func (r *resolver) readBack(n *node, fields []field, v *validator) error {
	if r.budget < 0 {
		return Errors{tooMuch}
	}
	d := &decoder{}
	d.readObject(n, "", fields)
	v.faults = d.faults
	return nil
}

var tooMuch = FieldError{Want: fmt.Sprintf("at most %d MiB after substitution", maxResolved>>20), Got: "more"}

// ResolvePartition returns a copy of a step of a resolved job as one partition
// runs it: with the properties of its plan in place of #{partitionPlan['x']}.
// Paths of its [Errors] begin at the step.
func (s *Step) ResolvePartition(plan Properties) (*Step, error) {
	r := &resolver{plan: make(map[string]string, len(plan)), budget: maxResolved}
	for _, p := range plan {
		r.plan[p.Name] = p.Value
	}
	n := objectFrom(s.writtenFields())
	r.resolveObject(n, nil)
	c := &Step{}
	v := newValidator(asPartition)
	if err := r.readBack(n, c.writtenFields(), v); err != nil {
		return nil, err
	}
	v.checkCharacters("", n)
	v.checkStep("", c)
	if err := v.faultsOrNil(); err != nil {
		return nil, err
	}
	return c, nil
}

// resolver substitutes in a tree.
type resolver struct {
	params, system map[string]string
	plan           map[string]string // not nil: this is the second pass, for one partition
	deferring      bool              // inside of what runs once a partition
	budget         int               // bytes that may still be made
}

// scope holds the properties that are defined so far at one level.
type scope struct {
	values map[string]string
	outer  *scope
}

func (s *scope) jobProperty(name string) string {
	for ; s != nil; s = s.outer {
		if v, ok := s.values[name]; ok {
			return v
		}
	}
	return ""
}

// resolveJob substitutes in a job but for the attributes that are ours.
func (r *resolver) resolveJob(n *node) {
	var ours, jsl []member
	for _, m := range n.members {
		switch m.name {
		case "exclusive", "pool", "priority", "on_agent_lost", "max_attempts", "log", "namespace":
			ours = append(ours, m)
		default:
			jsl = append(jsl, m)
		}
	}
	n.members = jsl
	r.resolveObject(n, nil)
	n.members = append(n.members, ours...)
}

// resolveObject substitutes in the attributes, then in the properties, then in
// the children of n.
func (r *resolver) resolveObject(n *node, s *scope) {
	for _, m := range n.members {
		if m.value.kind == text && m.name != "id" {
			m.value.text = r.resolveText(m.value.text, s)
		}
	}
	if p := n.memberValue("properties"); p != nil && p.kind == object {
		s = &scope{values: map[string]string{}, outer: s}
		restore := r.deferIf(n, "properties")
		r.resolveProperties(p, s)
		restore()
	}
	for _, m := range n.members {
		if m.value.kind == array || m.value.kind == object && m.name != "properties" {
			restore := r.deferIf(n, m.name)
			r.resolveChild(m.value, s)
			restore()
		}
	}
}

func (r *resolver) resolveChild(n *node, s *scope) {
	if n.kind == object {
		r.resolveObject(n, s)
		return
	}
	for _, item := range n.items {
		switch item.kind {
		case text:
			item.text = r.resolveText(item.text, s)
		case object:
			r.resolveObject(item, s)
		}
	}
}

func (r *resolver) resolveProperties(n *node, s *scope) {
	for i := range n.members {
		m := &n.members[i]
		m.name = r.resolveText(m.name, s)
		m.value.text = r.resolveText(m.value.text, s)
		s.values[m.name] = m.value.text
	}
}

// deferIf begins to defer partitionPlan if the member of n is run once a
// partition, and returns what ends that.
func (r *resolver) deferIf(n *node, name string) (restore func()) {
	before := r.deferring
	if p := n.memberValue("partition"); p != nil && p.kind == object { // n is a partitioned step
		switch name {
		case "properties", "listeners", "batchlet", "chunk":
			r.deferring = true
		}
	}
	if name == "collector" {
		r.deferring = true
	}
	return func() { r.deferring = before }
}

func (r *resolver) resolveText(value string, s *scope) string {
	if r.budget < 0 || !strings.Contains(value, "#{") {
		return value
	}
	var b strings.Builder
	substituteValue(value, func(operator, name string) (string, bool) {
		if b.Len() > r.budget {
			return "", false // too much already: the caller refuses the job
		}
		return r.lookUp(s, operator, name)
	}, &b)
	r.budget -= b.Len()
	return b.String()
}

func (r *resolver) lookUp(s *scope, operator, name string) (value string, deferred bool) {
	if r.plan != nil {
		if operator == partitionPlan {
			return r.plan[name], false
		}
		return "#{" + operator + "['" + name + "']}", false // data that looks like an operator
	}
	switch operator {
	case jobParameters:
		return r.params[name], false
	case systemProperties:
		return r.system[name], false
	case jobProperties:
		v := s.jobProperty(name)
		return v, isOperator(v, partitionPlan)
	}
	if r.deferring {
		return "#{" + operator + "['" + name + "']}", true
	}
	return "", false
}

// isOperator says that value is that operator and nothing else.
func isOperator(value, operator string) bool {
	if !strings.HasPrefix(value, "#{") {
		return false
	}
	p, ok, _ := operatorAt(value)
	return ok && p.operator == operator && p.text == value
}
