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

// readDiagram makes the tree of the job that is in a diagram.
func (r *bpmnReader) readDiagram(root *bpmnElement) (*node, error) {
	r.collectElements(root)
	if len(r.jobs) == 0 {
		return nil, FieldError{"", "a diagram with a job of the namespace " + bpmnSpaces["jsr352"], "none", root.line, root.col}
	}
	for _, more := range r.jobs[1:] {
		r.addFault(more.faultHere("", "one job", "more"))
	}
	r.collectFirstIDs()
	return r.jobNode(r.jobs[0]), nil
}

// collectElements finds what is referred to, wherever it is: a transition may
// be written before its target.
func (r *bpmnReader) collectElements(e *bpmnElement) {
	switch e.name {
	case "jsr352:job":
		r.jobs = append(r.jobs, e)
	case "jsr352:start":
		r.starts = append(r.starts, e)
	case "jsr352:step", "jsr352:flow", "jsr352:split", "jsr352:transition", "jsr352:end", "jsr352:fail", "jsr352:stop":
		if id := e.firstFilled("id"); id != nil && r.ids[id.text] != nil {
			r.addFault(FieldError{"", "an id that nothing else in the diagram has", quoteValue(id.text), id.line, id.col})
		} else if id != nil {
			r.ids[id.text] = e
		}
	}
	for _, c := range e.children {
		r.collectElements(c)
	}
}

// collectFirstIDs notes what the transitions from the starts lead to.
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

// elementList is the list of what a job, flow or split consists of. The editor
// writes them as they were drawn; what starts comes first here. Each start goes
// before those found so far, as it always did: of several the last one in the
// text is first.
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
	list := &node{kind: array, line: e.line, col: e.col} // even if it is empty: it is what makes a flow
	for i, c := range append(first, rest...) {
		list.items = append(list.items, r.elementNode(c, itemPath(path, i), e.name == "jsr352:job"))
	}
	return list
}

// jobParts returns the children that make the job. What is not known there
// would be lost silently.
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

// elementNode is a step, flow or split. Only at the top is what follows it the
// end of the job.
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
	n.addPlaced("properties", r.propertiesNode(e, path)) // which will be refused: chunks have none
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
	r.jobParts(e, path) // there are none
	return n
}

func (r *bpmnReader) listenerList(e *bpmnElement, path string) *node {
	var items []*node
	for c := range e.childrenNamed("jsr352:listener") {
		items = append(items, r.artifactNode(c, itemPath(path+"/listeners", len(items))))
	}
	return e.arrayOf(items)
}

// propertiesNode are all properties in the extension of an element, at any
// depth.
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

// appendProperty adds one. The editor leaves out an attribute that is empty,
// and writes a row of its table that nobody filled in.
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

// addPlaced adds a member at the place of its value, if there is one.
func (n *node) addPlaced(name string, value *node) {
	if value != nil {
		n.members = append(n.members, member{name, value, value.line, value.col})
	}
}

// copyAttributes adds attributes as they are.
func (n *node) copyAttributes(e *bpmnElement, names ...string) {
	for _, name := range names {
		n.addPlaced(strings.ReplaceAll(name, "-", "_"), e.attributeValue(name))
	}
}
