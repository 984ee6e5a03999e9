package jsl

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
)

// bpmnReader reads a diagram into the same tree as the JSON of its job.
type bpmnReader struct {
	*xmlReader
	prefixes map[string]string       // by namespace
	jobs     []*bpmnElement          // a valid diagram has exactly one
	starts   []*bpmnElement          // their transitions lead to the first elements
	ids      map[string]*bpmnElement // of parts of the job, ends and transitions
	first    map[string]bool         // ids of the elements to which a start leads
}

// bpmnSpaces maps the prefixes that the editor writes to their namespaces.
var bpmnSpaces = map[string]string{
	"bpmn":    "http://www.omg.org/spec/BPMN/20100524/MODEL",
	"camunda": "http://camunda.org/schema/1.0/bpmn",
	"jsr352":  "http://jsr352/",
}

// bpmnAttributes are the attributes that this package reads. The reader drops
// all others, so that the cost of a search does not depend on the text.
var bpmnAttributes = []string{"id", "name", "bpmn:name", "ref", "value", "on", "targetRef", "exit-status", "start-limit",
	"allow-start-if-complete", "checkpoint-policy", "item-count", "time-limit", "skip-limit", "retry-limit"}

// readBPMN returns the tree of the job in a diagram, with the faults found so
// far. Without a job the tree is nil, and the faults say why.
func readBPMN(data []byte) (*node, Errors) {
	parsed.Add(1)
	r := &bpmnReader{
		xmlReader: newXMLReader(data),
		prefixes:  map[string]string{},
		ids:       map[string]*bpmnElement{},
		first:     map[string]bool{},
	}
	for prefix, space := range bpmnSpaces {
		r.prefixes[space] = prefix
		r.prefixes[prefix] = prefix // encoding/xml gives an undeclared prefix as the namespace
	}
	return r.readTree(r.readDocument)
}

func (r *bpmnReader) readDocument() (*node, error) {
	var root *bpmnElement
	for {
		t, err := r.nextTag("")
		if errors.Is(err, io.EOF) && root != nil {
			return r.readDiagram(root)
		}
		if err != nil {
			return nil, err
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
			continue
		case root != nil:
			return nil, r.faultHere("", "nothing after the diagram", quoteValue(start.Name.Local))
		}
		if root, err = r.readElement(start, 1); err != nil {
			return nil, err
		}
	}
}

// readElement reads an element up to its end tag.
func (r *bpmnReader) readElement(start xml.StartElement, depth int) (*bpmnElement, error) {
	if depth > maxDepth {
		return nil, r.faultHere("", wantDepth, "more")
	}
	r.declarePrefixes(start)
	e := &bpmnElement{name: r.prefixedName(start.Name), line: r.line, col: r.col}
	if e.name != "" {
		r.keepAttributes(e, start)
	}
	for {
		t, err := r.tokenOrText("")
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			child, err := r.readElement(t, depth+1)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, child)
		case xml.CharData:
			e.text = append(e.text, t...)
		case xml.EndElement:
			return e, nil
		}
	}
}

// declarePrefixes gives the editor's prefixes their usual meaning, whatever
// namespace they are declared for: versions of the editor differ in it. A known
// namespace keeps its meaning under any prefix.
func (r *bpmnReader) declarePrefixes(start xml.StartElement) {
	for _, a := range start.Attr {
		_, ours := bpmnSpaces[a.Name.Local]
		if _, known := r.prefixes[a.Value]; ours && !known && a.Name.Space == "xmlns" {
			r.prefixes[a.Value] = a.Name.Local
		}
	}
}

// prefixedName returns a name with the editor's prefix, or an empty string if
// the name is of an unknown namespace.
func (r *bpmnReader) prefixedName(name xml.Name) string {
	if prefix, ok := r.prefixes[name.Space]; ok {
		return prefix + ":" + name.Local
	}
	return ""
}

// keepAttributes adds the attributes in bpmnAttributes and reports duplicates.
func (r *bpmnReader) keepAttributes(e *bpmnElement, start xml.StartElement) {
	for a, p := range r.placedAttributes(start) {
		name := a.Name.Local
		if a.Name.Space != "" {
			name = r.prefixedName(a.Name)
		}
		switch {
		case !slices.Contains(bpmnAttributes, name):
		case e.attributeValue(name) != nil:
			r.addFault(FieldError{"", "each attribute only once", quoteValue(name) + " again", p.name.line, p.name.col})
		default:
			e.attributes = append(e.attributes, p.memberNamed(name, a.Value))
		}
	}
}
