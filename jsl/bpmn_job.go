package jsl

import (
	"slices"
	"strings"
)

// What a diagram means as a job.

const bpmnElements = "jsr352:step jsr352:flow jsr352:split"

// bpmnParts says which elements make a part of the job, by where they are.
var bpmnParts = map[string][]string{
	"jsr352:job":   strings.Fields(bpmnElements),
	"jsr352:flow":  strings.Fields(bpmnElements),
	"jsr352:split": {"jsr352:flow"},
	"jsr352:step":  {"jsr352:batchlet", "jsr352:chunk"},
	"jsr352:chunk": {"jsr352:reader", "jsr352:processor", "jsr352:writer"},
}

// bpmnBeside says what may be anywhere. Listeners mean something in jobs and
// steps only.
var bpmnBeside = strings.Fields("jsr352:start jsr352:end jsr352:fail jsr352:stop jsr352:transition jsr352:listener")

// diagram makes the tree of the job that is in a diagram.
func (r *bpmnReader) diagram(root *bpmnElement) (*node, error) {
	r.collect(root)
	if len(r.jobs) == 0 {
		return nil, FieldError{"", "a diagram with a job of the namespace " + bpmnSpaces["jsr352"], "none", root.line, root.col}
	}
	for _, more := range r.jobs[1:] {
		r.fault(more.fault("", "one job", "more"))
	}
	r.begin()
	return r.job(r.jobs[0]), nil
}

// collect finds what is referred to, wherever it is: a transition may be
// written before its target.
func (r *bpmnReader) collect(e *bpmnElement) {
	switch e.name {
	case "jsr352:job":
		r.jobs = append(r.jobs, e)
	case "jsr352:start":
		r.starts = append(r.starts, e)
	case "jsr352:step", "jsr352:flow", "jsr352:split", "jsr352:transition", "jsr352:end", "jsr352:fail", "jsr352:stop":
		if id := e.filled("id"); id != nil && r.ids[id.text] != nil {
			r.fault(FieldError{"", "an id that nothing else in the diagram has", quote(id.text), id.line, id.col})
		} else if id != nil {
			r.ids[id.text] = e
		}
	}
	for _, c := range e.children {
		r.collect(c)
	}
}

// begin notes what the transitions from the starts lead to.
func (r *bpmnReader) begin() {
	for _, start := range r.starts {
		for _, t := range r.outgoing(start, "/steps") {
			if to := t.attribute("targetRef"); to != nil {
				r.first[to.text] = true
			}
		}
	}
}

func (r *bpmnReader) job(e *bpmnElement) *node {
	n := newObject(e.line, e.col)
	n.set("id", e.filled("name", "bpmn:name", "id"))
	n.set("properties", r.properties(e, ""))
	n.set("listeners", r.listeners(e, ""))
	n.set("steps", r.elements(e, "/steps"))
	return n
}

// elements is the list of what a job, flow or split consists of. The editor
// writes them as they were drawn; what starts comes first here. Each start goes
// before those found so far, as it always did: of several the last one in the
// text is first.
func (r *bpmnReader) elements(e *bpmnElement, path string) *node {
	var first, rest []*bpmnElement
	for _, c := range r.parts(e, path) {
		id := c.attribute("id")
		if id != nil && r.first[id.text] || e.name == "jsr352:flow" && !c.has("bpmn:incoming") {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	slices.Reverse(first)
	list := &node{kind: array, line: e.line, col: e.col} // even if it is empty: it is what makes a flow
	for i, c := range append(first, rest...) {
		list.items = append(list.items, r.component(c, atIndex(path, i), e.name == "jsr352:job"))
	}
	return list
}

// parts returns the children that make the job. What is not known there would
// be lost silently.
func (r *bpmnReader) parts(e *bpmnElement, path string) []*bpmnElement {
	var parts []*bpmnElement
	kinds := bpmnParts[e.name]
	for _, c := range e.children {
		switch {
		case slices.Contains(kinds, c.name):
			parts = append(parts, c)
		case strings.HasPrefix(c.name, "jsr352:") && !slices.Contains(bpmnBeside, c.name):
			r.fault(c.fault(path, oneOfNames(kinds), quote(c.name)))
		}
	}
	return parts
}

// component is a step, flow or split. Only at the top is what follows it the
// end of the job.
func (r *bpmnReader) component(e *bpmnElement, path string, top bool) *node {
	n := newObject(e.line, e.col)
	n.set("id", e.filled("name", "id"))
	switch e.name {
	case "jsr352:step":
		r.step(n, e, path)
	case "jsr352:flow":
		n.set("steps", r.elements(e, path+"/steps"))
		n.set("transitions", r.transitions(e, path+"/transitions"))
	case "jsr352:split":
		n.set("flows", r.elements(e, path+"/flows"))
		r.next(n, e, path+"/next", top)
	}
	return n
}

func (r *bpmnReader) step(n *node, e *bpmnElement, path string) {
	n.copy(e, "start-limit", "allow-start-if-complete")
	n.set("properties", r.properties(e, path))
	n.set("listeners", r.listeners(e, path))
	for _, c := range r.parts(e, path) {
		if c.name == "jsr352:batchlet" {
			n.set("batchlet", r.artifact(c, path+"/batchlet"))
		} else {
			n.set("chunk", r.chunk(c, path+"/chunk"))
		}
	}
	n.set("transitions", r.transitions(e, path+"/transitions"))
}

func (r *bpmnReader) chunk(e *bpmnElement, path string) *node {
	n := newObject(e.line, e.col)
	n.copy(e, "checkpoint-policy", "item-count", "time-limit", "skip-limit", "retry-limit")
	n.set("properties", r.properties(e, path)) // which will be refused: chunks have none
	for _, c := range r.parts(e, path) {
		name := strings.TrimPrefix(c.name, "jsr352:")
		n.set(name, r.artifact(c, at(path, name)))
	}
	return n
}

func (r *bpmnReader) artifact(e *bpmnElement, path string) *node {
	n := newObject(e.line, e.col)
	n.copy(e, "ref")
	n.set("properties", r.properties(e, path))
	r.parts(e, path) // there are none
	return n
}

func (r *bpmnReader) listeners(e *bpmnElement, path string) *node {
	var items []*node
	for c := range e.inside("jsr352:listener") {
		items = append(items, r.artifact(c, atIndex(path+"/listeners", len(items))))
	}
	return e.list(items)
}

// properties are all properties in the extension of an element, at any depth.
func (r *bpmnReader) properties(e *bpmnElement, path string) *node {
	var all []member
	for c := range e.inside("bpmn:extensionElements") {
		all = r.extension(all, c, path+"/properties")
	}
	if len(all) == 0 {
		return nil
	}
	return &node{kind: object, members: all, line: e.line, col: e.col}
}

func (r *bpmnReader) extension(all []member, e *bpmnElement, path string) []member {
	for _, c := range e.children {
		if c.name == "camunda:property" {
			all = r.property(all, c, path)
		}
		all = r.extension(all, c, path)
	}
	return all
}

// property adds one. The editor leaves out an attribute that is empty, and
// writes a row of its table that nobody filled in.
func (r *bpmnReader) property(all []member, e *bpmnElement, path string) []member {
	name, value := e.filled("name"), e.filled("value")
	switch {
	case name == nil && value == nil:
		return all
	case name == nil:
		r.fault(e.fault(path, "a property with a name", ""))
		return all
	case value == nil:
		value = &node{line: name.line, col: name.col}
	}
	return append(all, member{name.text, value, name.line, name.col})
}

// set adds a member at the place of its value, if there is one.
func (n *node) set(name string, value *node) {
	if value != nil {
		n.members = append(n.members, member{name, value, value.line, value.col})
	}
}

// copy adds attributes as they are.
func (n *node) copy(e *bpmnElement, names ...string) {
	for _, name := range names {
		n.set(strings.ReplaceAll(name, "-", "_"), e.attribute(name))
	}
}
