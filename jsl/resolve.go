package jsl

import (
	"fmt"
	"strings"
)

// maxResolved is how many bytes all substitutions of a job may produce
// together. Without it, a list of properties that each refer twice to the one
// before would double the text with every property.
const maxResolved = 16 << 20

// Resolve returns a copy of the job with everything substituted except
// #{partitionPlan['x']} in the parts that run once for each partition: see
// [Step.ResolvePartition]. It validates the result, so its error is an
// [Errors].
//
// Nothing is substituted in ids and dispatch attributes. An unknown name
// becomes empty text. The attributes of an element see the properties of the
// elements around it, its children also see its own, and a property sees the
// properties before it. A default without an end runs to the end of the value.
// Parameters are data: operators in them are not replaced.
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

// CanRestart returns the attribute restartable, with these parameters
// substituted. It is what [Job.Resolve] would return, without the rest of the
// job. System properties are those of an agent, so they are unknown here.
func (j *Job) CanRestart(params map[string]string) bool {
	r := &resolver{params: params, budget: maxResolved}
	return Bool(r.resolveText(string(j.Restartable), nil)).Or(true)
}

// readBack reads the substituted tree into the fields.
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

// ResolvePartition returns a copy of a step of a resolved job for one
// partition: the partition's properties replace #{partitionPlan['x']}. Paths in
// its [Errors] begin at the step.
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

// resolver substitutes the operators in a tree.
type resolver struct {
	params, system map[string]string
	plan           map[string]string // not nil in the second pass, which is for one partition
	deferring      bool              // inside a part that runs once for each partition
	budget         int               // bytes that substitutions may still produce
}

// scope holds the properties defined so far at one level.
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

// resolveJob substitutes in a job, except in the dispatch attributes.
func (r *resolver) resolveJob(n *node) {
	var ours, jsl []member
	for _, m := range n.members {
		switch m.name {
		case "exclusive", "pool", "priority", "on_agent_lost", "max_attempts", "retry", "limits", "timeout", "timeout_grace", "log", "unsafe_substitution", "namespace":
			ours = append(ours, m)
		default:
			jsl = append(jsl, m)
		}
	}
	n.members = jsl
	r.resolveObject(n, nil)
	n.members = append(n.members, ours...)
}

// resolveObject substitutes in the attributes of n, then in its properties,
// then in its children.
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

// deferIf starts to defer partitionPlan if that member of n runs once for each
// partition. The returned function restores the state before.
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
			return "", false // the limit is exceeded: the caller refuses
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

// isOperator reports whether value is exactly one such operator.
func isOperator(value, operator string) bool {
	if !strings.HasPrefix(value, "#{") {
		return false
	}
	p, ok, _ := operatorAt(value)
	return ok && p.operator == operator && p.text == value
}
