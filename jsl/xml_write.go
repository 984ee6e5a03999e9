package jsl

import (
	"slices"
	"strings"
)

// element is an XML element to be written.
type element struct {
	name       string
	attributes []Property
	children   []*element
}

func (e *element) addAttribute(name, value string) {
	e.attributes = append(e.attributes, Property{name, value})
}

// formatXML writes the tree of a job as job XML in the job's namespace.
func formatXML(n *node) []byte {
	job := elementFrom("job", n)
	head := xmlRoot("")
	if i := slices.IndexFunc(job.attributes, func(a Property) bool { return a.Name == "namespace" }); i >= 0 {
		head = xmlRoot(job.attributes[i].Value)
		job.attributes = slices.Delete(job.attributes, i, i+1)
	}
	dispatch := slices.ContainsFunc(job.children, func(e *element) bool { return strings.HasPrefix(e.name, dispatchPrefix) })
	for i, a := range job.attributes {
		if slices.Contains(dispatchNames, a.Name) {
			dispatch = true
			job.attributes[i].Name = dispatchPrefix + a.Name
		}
	}
	if dispatch {
		head = append(head, Property{"xmlns:" + strings.TrimSuffix(dispatchPrefix, ":"), dispatchSpace})
	}
	job.attributes = append(head, job.attributes...)
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	job.writeTo(&b, "")
	return []byte(b.String())
}

// elementFrom returns the element of an object. Scalars become attributes.
func elementFrom(name string, n *node) *element {
	e := &element{name: name}
	for _, m := range n.members {
		switch m.name {
		case "properties":
			e.children = append(e.children, propertiesFrom(m.value)...)
		case "listeners":
			listeners := &element{name: "listeners"}
			for _, item := range m.value.items {
				listeners.children = append(listeners.children, elementFrom("listener", item))
			}
			e.children = append(e.children, listeners)
		case "steps", "flows":
			for _, item := range m.value.items {
				e.children = append(e.children, elementFrom(elementName(item), item))
			}
		case "retry":
			e.children = append(e.children, retryElement(m.value))
		case "limits":
			e.children = append(e.children, limitElements(m.value)...)
		case "decision":
			decider := elementFrom("", m.value)
			e.attributes = append(e.attributes, decider.attributes...)
			e.children = append(e.children, decider.children...)
		case "transitions":
			for _, item := range m.value.items {
				for _, t := range item.members {
					e.children = append(e.children, elementFrom(t.name, t.value))
				}
			}
		case "include", "exclude":
			for _, item := range m.value.items {
				e.children = append(e.children, &element{name: m.name, attributes: []Property{{"class", item.text}}})
			}
		default:
			if m.value.kind == object {
				e.children = append(e.children, elementFrom(withDashes(m.name), m.value))
			} else {
				e.addAttribute(withDashes(m.name), m.value.text)
			}
		}
	}
	return e
}

// propertiesFrom returns the properties element of an object. For a plan it
// returns one element for each partition.
func propertiesFrom(n *node) []*element {
	if n.kind == array {
		var all []*element
		for _, item := range n.items {
			e := &element{name: "properties"}
			if p := item.memberValue("properties"); p != nil {
				e = propertiesFrom(p)[0]
			}
			if p := item.memberValue("partition"); p != nil {
				e.addAttribute("partition", p.text)
			}
			all = append(all, e)
		}
		return all
	}
	e := &element{name: "properties"}
	for _, m := range n.members {
		e.children = append(e.children, &element{name: "property", attributes: []Property{{"name", m.name}, {"value", m.value.text}}})
	}
	return []*element{e}
}

// elementName returns the XML name of an entry of "steps" or "flows".
func elementName(n *node) string {
	switch elementOf(n).(type) {
	case *Split:
		return "split"
	case *Flow:
		return "flow"
	case *Decision:
		return "decision"
	}
	return "step"
}

// xmlEscaper escapes tabs and line breaks, too, because a reader would turn
// them into spaces (XML 1.0 section 3.3.3).
var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")

func (e *element) writeTo(b *strings.Builder, indent string) {
	b.WriteString(indent + "<" + e.name)
	for _, a := range e.attributes {
		b.WriteString(" " + a.Name + `="`)
		_, _ = xmlEscaper.WriteString(b, a.Value) // a Builder does not fail
		b.WriteString(`"`)
	}
	if len(e.children) == 0 {
		b.WriteString("/>\n")
		return
	}
	b.WriteString(">\n")
	for _, c := range e.children {
		c.writeTo(b, indent+"  ")
	}
	b.WriteString(indent + "</" + e.name + ">\n")
}
