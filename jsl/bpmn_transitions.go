package jsl

import "strings"

// This file resolves the transitions of a diagram. A transition has an id, and
// its target is an end or a part of the job.

// anyExitStatus is the pattern of a transition that has no pattern of its own.
const anyExitStatus = "*"

// outgoingTransitions returns the transitions that leave an element, in the
// order of the text.
func (r *bpmnReader) outgoingTransitions(e *bpmnElement, path string) []*bpmnElement {
	var all []*bpmnElement
	for c := range e.childrenNamed("bpmn:outgoing") {
		id := string(c.text)
		if t := r.ids[id]; t != nil && t.name == "jsr352:transition" {
			all = append(all, t)
		} else {
			r.addFault(c.faultHere(path, "the id of a transition of the diagram", quoteValue(id)))
		}
	}
	return all
}

// transitionList returns the transitions of an element in the job. A diagram
// does not show their order. Transitions for any exit status come last, because
// they would hide the others.
func (r *bpmnReader) transitionList(e *bpmnElement, path string) *node {
	var first, last []*node
	for _, t := range r.outgoingTransitions(e, path) {
		n := r.transitionNode(t)
		switch {
		case n == nil:
		case t.exitPattern().text == anyExitStatus:
			last = append(last, n)
		default:
			first = append(first, n)
		}
	}
	return e.arrayOf(append(first, last...))
}

// transitionNode returns the transition t as it is in the job, or nil if its
// target is neither a part of the job nor an end.
func (r *bpmnReader) transitionNode(t *bpmnElement) *node {
	target := r.transitionTarget(t)
	if target == nil {
		return nil
	}
	action, inner := Next, newObject(t.line, t.col)
	inner.addPlaced("on", t.exitPattern())
	if status := target.attributeValue("exit-status"); target.isEnd() {
		action = Action(strings.TrimPrefix(target.name, "jsr352:"))
		inner.addPlaced("exit_status", status)
	} else {
		inner.addPlaced("to", target.idInJob(t))
	}
	n := newObject(t.line, t.col)
	n.addPlaced(string(action), inner)
	return n
}

// fillNext adds the attribute next to a split. A split has no transitions,
// because it has no exit status to match.
func (r *bpmnReader) fillNext(n *node, e *bpmnElement, path string, top bool) {
	for _, t := range r.outgoingTransitions(e, path) {
		target := r.transitionTarget(t)
		switch {
		case target == nil:
		case t.exitPattern().text != anyExitStatus:
			r.addFault(t.faultHere(path, `a transition on "*", every exit status: a split has no exit status`, quoteValue(t.exitPattern().text)))
		case !target.isEnd():
			n.addPlaced("next", target.idInJob(t))
		case top && target.name == "jsr352:end" && target.firstFilled("exit-status") == nil:
			// The job ends here anyway.
		default:
			r.addFault(t.faultHere(path, "a transition to a step, flow or split: a split cannot end the job", quoteValue(target.name)))
		}
	}
}

// transitionTarget returns the element to which t leads, or nil if that is
// neither a part of the job nor an end.
func (r *bpmnReader) transitionTarget(t *bpmnElement) *bpmnElement {
	to := t.attributeValue("targetRef")
	if to == nil {
		return nil
	}
	if e := r.ids[to.text]; e != nil && e.name != "jsr352:transition" {
		return e
	}
	return nil
}

// exitPattern returns the pattern of exit statuses of a transition.
func (e *bpmnElement) exitPattern() *node {
	if on := e.attributeValue("on"); on != nil {
		return on
	}
	return &node{text: anyExitStatus, line: e.line, col: e.col}
}

// isEnd reports whether the element is an end of the job.
func (e *bpmnElement) isEnd() bool {
	return e.name == "jsr352:end" || e.name == "jsr352:fail" || e.name == "jsr352:stop"
}

// idInJob returns the id that the element has in the job, at the position where
// t refers to it.
func (e *bpmnElement) idInJob(t *bpmnElement) *node {
	to := t.attributeValue("targetRef")
	return &node{text: e.firstFilled("name", "id").text, line: to.line, col: to.col}
}
