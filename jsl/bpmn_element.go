package jsl

// bpmnElement is an XML element of a diagram.
type bpmnElement struct {
	name       string // with its prefix in bpmnSpaces: jsr352:step; empty for any other namespace
	attributes []member
	children   []*bpmnElement
	text       []byte
	line, col  int
}

// attributeValue returns the value of an attribute, or nil if there is none.
func (e *bpmnElement) attributeValue(name string) *node {
	for _, a := range e.attributes {
		if a.name == name {
			return a.value
		}
	}
	return nil
}

// firstFilled returns the first of the named attributes whose value is not
// empty, or nil.
func (e *bpmnElement) firstFilled(names ...string) *node {
	for _, name := range names {
		if v := e.attributeValue(name); v != nil && v.text != "" {
			return v
		}
	}
	return nil
}

// childrenNamed yields the children with that name.
func (e *bpmnElement) childrenNamed(name string) func(yield func(*bpmnElement) bool) {
	return func(yield func(*bpmnElement) bool) {
		for _, c := range e.children {
			if c.name == name && !yield(c) {
				return
			}
		}
	}
}

func (e *bpmnElement) hasChild(name string) bool {
	for range e.childrenNamed(name) {
		return true
	}
	return false
}

// faultHere returns a fault at the position of the element.
func (e *bpmnElement) faultHere(path, want, got string) FieldError {
	return FieldError{path, want, got, e.line, e.col}
}

// arrayOf returns an array at the position of the element, or nil if there are
// no items.
func (e *bpmnElement) arrayOf(items []*node) *node {
	if len(items) == 0 {
		return nil
	}
	return &node{kind: array, items: items, line: e.line, col: e.col}
}
