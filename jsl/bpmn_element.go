package jsl

// bpmnElement is an element of a diagram.
type bpmnElement struct {
	name       string // with its prefix in bpmnSpaces: jsr352:step; empty if its namespace is another
	attributes []member
	children   []*bpmnElement
	text       []byte
	line, col  int
}

// attribute returns the value of an attribute, nil if there is none.
func (e *bpmnElement) attribute(name string) *node {
	for _, a := range e.attributes {
		if a.name == name {
			return a.value
		}
	}
	return nil
}

// filled returns the first of the attributes that has a value that is not
// empty, or nil.
func (e *bpmnElement) filled(names ...string) *node {
	for _, name := range names {
		if v := e.attribute(name); v != nil && v.text != "" {
			return v
		}
	}
	return nil
}

// inside yields the children of that name.
func (e *bpmnElement) inside(name string) func(yield func(*bpmnElement) bool) {
	return func(yield func(*bpmnElement) bool) {
		for _, c := range e.children {
			if c.name == name && !yield(c) {
				return
			}
		}
	}
}

func (e *bpmnElement) has(name string) bool {
	for range e.inside(name) {
		return true
	}
	return false
}

// fault is one at the place of the element.
func (e *bpmnElement) fault(path, want, got string) FieldError {
	return FieldError{path, want, got, e.line, e.col}
}

// list is an array at the place of the element, nil if nothing is in it.
func (e *bpmnElement) list(items []*node) *node {
	if len(items) == 0 {
		return nil
	}
	return &node{kind: array, items: items, line: e.line, col: e.col}
}
