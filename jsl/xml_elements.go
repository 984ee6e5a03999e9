package jsl

import "encoding/xml"

// Elements that are not one object in JSON.

// property adds a name and a value to the properties.
func (r *xmlReader) property(properties *node, path string, start xml.StartElement, depth int) error {
	n := newObject(r.line, r.col)
	shape := xmlShapes["property"]
	r.attributes(n, path, start, shape)
	name, value := n.get("name"), n.get("value")
	if name == nil || value == nil {
		r.fault(r.here(path, "a property with the attributes name and value", ""))
	} else {
		properties.members = append(properties.members, member{name.text, value, n.line, n.col})
	}
	return r.children(n, path, "property", shape, depth)
}

// class adds the name of an exception class to a list.
func (r *xmlReader) class(classes *node, path string, start xml.StartElement, depth int) error {
	name := start.Name.Local
	n := newObject(r.line, r.col)
	a := r.list(classes, name)
	path = atIndex(at(path, name), len(a.items))
	r.attributes(n, path, start, xmlShapes[name])
	class := n.get("class")
	if class == nil {
		class = &node{line: n.line, col: n.col} // its emptiness will be reported
	}
	a.items = append(a.items, class)
	return r.children(n, path, name, xmlShapes[name], depth)
}

// decision splits the element in two: what decides, and where it leads.
func (r *xmlReader) decision(parent *node, path string, start xml.StartElement, depth int) error {
	n, decider := newObject(r.line, r.col), newObject(r.line, r.col)
	path = r.put(parent, path, "steps", n, start.Name.Local)
	r.attributes(decider, path, start, xmlShapes["decision"])
	if err := r.children(decider, path, "decision", xmlShapes["decision"], depth); err != nil {
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
	path = r.put(plan, path, "properties", n, start.Name.Local)
	r.attributes(n, path, start, planPropertiesShape)
	n.members = append(n.members, member{"properties", properties, n.line, n.col})
	return r.children(properties, at(path, "properties"), "properties", planPropertiesShape, depth)
}
