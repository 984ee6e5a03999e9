package jsl

import "encoding/xml"

// This file reads the elements that are not exactly one object in JSON.

// readProperty adds a name and a value to the properties.
func (r *xmlReader) readProperty(properties *node, path string, start xml.StartElement, depth int) error {
	n := newObject(r.line, r.col)
	shape := xmlShapes["property"]
	r.readAttributes(n, path, start, shape)
	name, value := n.memberValue("name"), n.memberValue("value")
	if name == nil || value == nil {
		r.addFault(r.faultHere(path, "a property with the attributes name and value", ""))
	} else {
		properties.members = append(properties.members, member{name.text, value, n.line, n.col})
	}
	return r.readChildren(n, path, "property", shape, depth)
}

// readClass adds the name of an exception class to a list.
func (r *xmlReader) readClass(classes *node, path string, start xml.StartElement, depth int) error {
	name := start.Name.Local
	n := newObject(r.line, r.col)
	a := r.listNamed(classes, name)
	path = itemPath(memberPath(path, name), len(a.items))
	r.readAttributes(n, path, start, xmlShapes[name])
	class := n.memberValue("class")
	if class == nil {
		class = &node{line: n.line, col: n.col} // the validator reports the empty name
	}
	a.items = append(a.items, class)
	return r.readChildren(n, path, name, xmlShapes[name], depth)
}

// readDecision makes two objects of a decision: the decider, and the element
// with its transitions.
func (r *xmlReader) readDecision(parent *node, path string, start xml.StartElement, depth int) error {
	n, decider := newObject(r.line, r.col), newObject(r.line, r.col)
	path = r.appendToList(parent, path, "steps", n, start.Name.Local)
	r.readAttributes(decider, path, start, xmlShapes["decision"])
	if err := r.readChildren(decider, path, "decision", xmlShapes["decision"], depth); err != nil {
		return err
	}
	n.members = []member{{"decision", decider, n.line, n.col}}
	inner := decider.members
	decider.members = nil
	for _, m := range inner {
		if m.name == "id" || m.name == "transitions" {
			n.members = append(n.members, m)
		} else {
			decider.members = append(decider.members, m)
		}
	}
	return nil
}

// planProperties adds the properties of one partition to a plan.
func (r *xmlReader) planProperties(plan *node, path string, start xml.StartElement, depth int) error {
	n, properties := newObject(r.line, r.col), newObject(r.line, r.col)
	path = r.appendToList(plan, path, "properties", n, start.Name.Local)
	r.readAttributes(n, path, start, planPropertiesShape)
	n.members = append(n.members, member{"properties", properties, n.line, n.col})
	return r.readChildren(properties, memberPath(path, "properties"), "properties", planPropertiesShape, depth)
}
