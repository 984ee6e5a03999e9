package jsl

import (
	"slices"
	"strings"
)

// This file turns the elements of a diagram into the tree of a job.

const bpmnElements = "jsr352:step jsr352:flow jsr352:split"

// bpmnParts lists, by parent, the elements that become parts of the job.
var bpmnParts = map[string][]string{
	"jsr352:job":   strings.Fields(bpmnElements),
	"jsr352:flow":  strings.Fields(bpmnElements),
	"jsr352:split": {"jsr352:flow"},
	"jsr352:step":  {"jsr352:batchlet", "jsr352:chunk"},
	"jsr352:chunk": {"jsr352:reader", "jsr352:processor", "jsr352:writer"},
}

// bpmnBeside lists the elements that are allowed anywhere. Listeners have an
// effect only in jobs and steps.
var bpmnBeside = strings.Fields("jsr352:start jsr352:end jsr352:fail jsr352:stop jsr352:transition jsr352:listener")

// readDiagram returns the tree of the job in a diagram.
func (r *bpmnReader) readDiagram(root *bpmnElement) (*node, error) {
	r.collectElements(root)
	if len(r.jobs) == 0 {
		return nil, FieldError{"", "a diagram with a job element in the namespace " + bpmnSpaces["jsr352"], "none", root.line, root.col}
	}
	for _, more := range r.jobs[1:] {
		r.addFault(more.faultHere("", "only one job", "a second job"))
	}
	r.collectFirstIDs()
	return r.jobNode(r.jobs[0]), nil
}

// collectElements registers everything that other elements refer to. It runs
// before the job is read, because a transition may be written before its
// target.
func (r *bpmnReader) collectElements(e *bpmnElement) {
	switch e.name {
	case "jsr352:job":
		r.jobs = append(r.jobs, e)
	case "jsr352:start":
		r.starts = append(r.starts, e)
	case "jsr352:step", "jsr352:flow", "jsr352:split", "jsr352:transition", "jsr352:end", "jsr352:fail", "jsr352:stop":
		if id := e.firstFilled("id"); id != nil && r.ids[id.text] != nil {
			r.addFault(FieldError{"", "an id that is unique in the diagram", quoteValue(id.text), id.line, id.col})
		} else if id != nil {
			r.ids[id.text] = e
		}
	}
	for _, c := range e.children {
		r.collectElements(c)
	}
}

// collectFirstIDs registers the targets of the transitions that leave a start.
func (r *bpmnReader) collectFirstIDs() {
	for _, start := range r.starts {
		for _, t := range r.outgoingTransitions(start, "/steps") {
			if to := t.attributeValue("targetRef"); to != nil {
				r.first[to.text] = true
			}
		}
	}
}

func (r *bpmnReader) jobNode(e *bpmnElement) *node {
	n := newObject(e.line, e.col)
	n.addPlaced("id", e.firstFilled("name", "bpmn:name", "id"))
	n.addPlaced("properties", r.propertiesNode(e, ""))
	n.addPlaced("listeners", r.listenerList(e, ""))
	n.addPlaced("steps", r.elementList(e, "/steps"))
	return n
}

// elementList returns the elements of a job, a flow or a split. The editor
// writes them in the order in which they were drawn, but in a job the starting
// element must come first. If there are several, the last one in the text comes
// first, as in the original control bus.
func (r *bpmnReader) elementList(e *bpmnElement, path string) *node {
	var first, rest []*bpmnElement
	for _, c := range r.jobParts(e, path) {
		id := c.attributeValue("id")
		if id != nil && r.first[id.text] || e.name == "jsr352:flow" && !c.hasChild("bpmn:incoming") {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	slices.Reverse(first)
	// Even if it is empty: the array makes the element a flow.
	list := &node{kind: array, line: e.line, col: e.col}
	for i, c := range append(first, rest...) {
		list.items = append(list.items, r.elementNode(c, itemPath(path, i), e.name == "jsr352:job"))
	}
	return list
}

// jobParts returns the children that become parts of the job. It reports every
// other element of the job's namespace, which would otherwise be lost silently.
func (r *bpmnReader) jobParts(e *bpmnElement, path string) []*bpmnElement {
	var parts []*bpmnElement
	kinds := bpmnParts[e.name]
	for _, c := range e.children {
		switch {
		case slices.Contains(kinds, c.name):
			parts = append(parts, c)
		case strings.HasPrefix(c.name, "jsr352:") && !slices.Contains(bpmnBeside, c.name):
			r.addFault(c.faultHere(path, oneOfNames(kinds), quoteValue(c.name)))
		}
	}
	return parts
}

// elementNode returns a step, a flow or a split. If top is true, the parent is
// the job, so a transition to an end ends the job.
func (r *bpmnReader) elementNode(e *bpmnElement, path string, top bool) *node {
	n := newObject(e.line, e.col)
	n.addPlaced("id", e.firstFilled("name", "id"))
	switch e.name {
	case "jsr352:step":
		r.fillStep(n, e, path)
	case "jsr352:flow":
		n.addPlaced("steps", r.elementList(e, path+"/steps"))
		n.addPlaced("transitions", r.transitionList(e, path+"/transitions"))
	case "jsr352:split":
		n.addPlaced("flows", r.elementList(e, path+"/flows"))
		r.fillNext(n, e, path+"/next", top)
	}
	return n
}

func (r *bpmnReader) fillStep(n *node, e *bpmnElement, path string) {
	n.copyAttributes(e, "start-limit", "allow-start-if-complete")
	n.addPlaced("properties", r.propertiesNode(e, path))
	n.addPlaced("listeners", r.listenerList(e, path))
	for _, c := range r.jobParts(e, path) {
		if c.name == "jsr352:batchlet" {
			n.addPlaced("batchlet", r.artifactNode(c, path+"/batchlet"))
		} else {
			n.addPlaced("chunk", r.chunkNode(c, path+"/chunk"))
		}
	}
	n.addPlaced("transitions", r.transitionList(e, path+"/transitions"))
}

func (r *bpmnReader) chunkNode(e *bpmnElement, path string) *node {
	n := newObject(e.line, e.col)
	n.copyAttributes(e, "checkpoint-policy", "item-count", "time-limit", "skip-limit", "retry-limit")
	// The decoder refuses them: a chunk has no properties.
	n.addPlaced("properties", r.propertiesNode(e, path))
	for _, c := range r.jobParts(e, path) {
		name := strings.TrimPrefix(c.name, "jsr352:")
		n.addPlaced(name, r.artifactNode(c, memberPath(path, name)))
	}
	return n
}

func (r *bpmnReader) artifactNode(e *bpmnElement, path string) *node {
	n := newObject(e.line, e.col)
	n.copyAttributes(e, "ref")
	n.addPlaced("properties", r.propertiesNode(e, path))
	r.jobParts(e, path) // only to report parts: an artifact has none
	return n
}

func (r *bpmnReader) listenerList(e *bpmnElement, path string) *node {
	var items []*node
	for c := range e.childrenNamed("jsr352:listener") {
		items = append(items, r.artifactNode(c, itemPath(path+"/listeners", len(items))))
	}
	return e.arrayOf(items)
}

// propertiesNode returns all properties in the extension elements of an
// element, at any depth.
func (r *bpmnReader) propertiesNode(e *bpmnElement, path string) *node {
	var all []member
	for c := range e.childrenNamed("bpmn:extensionElements") {
		all = r.appendProperties(all, c, path+"/properties")
	}
	if len(all) == 0 {
		return nil
	}
	return &node{kind: object, members: all, line: e.line, col: e.col}
}

func (r *bpmnReader) appendProperties(all []member, e *bpmnElement, path string) []member {
	for _, c := range e.children {
		if c.name == "camunda:property" {
			all = r.appendProperty(all, c, path)
		}
		all = r.appendProperties(all, c, path)
	}
	return all
}

// appendProperty adds one property. The editor leaves out an attribute with an
// empty value, and it writes a row of its table even if the user left the row
// empty.
func (r *bpmnReader) appendProperty(all []member, e *bpmnElement, path string) []member {
	name, value := e.firstFilled("name"), e.firstFilled("value")
	switch {
	case name == nil && value == nil:
		return all
	case name == nil:
		r.addFault(e.faultHere(path, "a property with a name", ""))
		return all
	case value == nil:
		value = &node{line: name.line, col: name.col}
	}
	return append(all, member{name.text, value, name.line, name.col})
}

// addPlaced adds a member at the position of its value, unless value is nil.
func (n *node) addPlaced(name string, value *node) {
	if value != nil {
		n.members = append(n.members, member{name, value, value.line, value.col})
	}
}

// copyAttributes adds attributes unchanged, under their names in the model.
func (n *node) copyAttributes(e *bpmnElement, names ...string) {
	for _, name := range names {
		n.addPlaced(strings.ReplaceAll(name, "-", "_"), e.attributeValue(name))
	}
}
