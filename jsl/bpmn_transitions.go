package jsl

import "strings"

// Where the transitions of a diagram lead, which have an id, and an end or a
// part of the job as target.

// always is the pattern of a transition that has none.
const always = "*"

// outgoing returns the transitions of the diagram that leave an element, in the
// order of the text.
func (r *bpmnReader) outgoing(e *bpmnElement, path string) []*bpmnElement {
	var all []*bpmnElement
	for c := range e.inside("bpmn:outgoing") {
		id := string(c.text)
		if t := r.ids[id]; t != nil && t.name == "jsr352:transition" {
			all = append(all, t)
		} else {
			r.fault(c.fault(path, "the id of a transition of the diagram", quote(id)))
		}
	}
	return all
}

// transitions is the list of them in the job. Nobody sees an order in a
// diagram: those for any exit status come last, or they would hide the others.
func (r *bpmnReader) transitions(e *bpmnElement, path string) *node {
	var first, last []*node
	for _, t := range r.outgoing(e, path) {
		n := r.transition(t)
		switch {
		case n == nil:
		case t.on().text == always:
			last = append(last, n)
		default:
			first = append(first, n)
		}
	}
	return e.list(append(first, last...))
}

// transition is what t is in the job, nil if its target is nothing that a job
// can go on with.
func (r *bpmnReader) transition(t *bpmnElement) *node {
	target := r.target(t)
	if target == nil {
		return nil
	}
	action, inner := Next, newObject(t.line, t.col)
	inner.set("on", t.on())
	if status := target.attribute("exit-status"); target.ends() {
		action = Action(strings.TrimPrefix(target.name, "jsr352:"))
		inner.set("exit_status", status)
	} else {
		inner.set("to", target.named(t))
	}
	n := newObject(t.line, t.col)
	n.set(string(action), inner)
	return n
}

// next adds the attribute of a split, which has no transitions: it has no exit
// status that they could be matched with.
func (r *bpmnReader) next(n *node, e *bpmnElement, path string, top bool) {
	for _, t := range r.outgoing(e, path) {
		target := r.target(t)
		switch {
		case target == nil:
		case t.on().text != always:
			r.fault(t.fault(path, `a transition for any exit status, "*": a split has none`, quote(t.on().text)))
		case !target.ends():
			n.set("next", target.named(t))
		case top && target.name == "jsr352:end" && target.filled("exit-status") == nil: // is what happens anyhow
		default:
			r.fault(t.fault(path, "a transition to a step, flow or split: a split does not end the job", quote(target.name)))
		}
	}
}

// target is what t leads to, nil if that is neither a part of the job nor an
// end.
func (r *bpmnReader) target(t *bpmnElement) *bpmnElement {
	to := t.attribute("targetRef")
	if to == nil {
		return nil
	}
	if e := r.ids[to.text]; e != nil && e.name != "jsr352:transition" {
		return e
	}
	return nil
}

// on is the pattern of a transition.
func (e *bpmnElement) on() *node {
	if on := e.attribute("on"); on != nil {
		return on
	}
	return &node{text: always, line: e.line, col: e.col}
}

// ends says that the element is an end of the job.
func (e *bpmnElement) ends() bool {
	return e.name == "jsr352:end" || e.name == "jsr352:fail" || e.name == "jsr352:stop"
}

// named is the id that the element has in the job, at the place where t refers
// to it.
func (e *bpmnElement) named(t *bpmnElement) *node {
	to := t.attribute("targetRef")
	return &node{text: e.filled("name", "id").text, line: to.line, col: to.col}
}
