package jsl

import (
	"strconv"
	"strings"
)

// node is a value of a definition with its position. Every written form is read
// into such a tree and written from one, so all forms know the same names.
type node struct {
	kind      kind
	text      string   // of a scalar: the value of a string, a number as written, true, false
	members   []member // of an object
	items     []*node  // of an array
	line, col int
}

type member struct {
	name      string
	value     *node
	line, col int // of the name
}

type kind uint8

const (
	text kind = iota
	number
	truth
	null
	array
	object
	other // dates, symbols and tagged values, which no job can hold; text is how it was written
)

func (k kind) String() string {
	return [...]string{"a string", "a number", "true or false", "null", "an array", "an object", "something else"}[k]
}

func newText(s string) *node { return &node{kind: text, text: s} }

func newObject(line, col int) *node { return &node{kind: object, line: line, col: col} }

func (n *node) addMember(name string, value *node) {
	n.members = append(n.members, member{name: name, value: value})
}

// memberValue returns the value of a member, or nil if n does not have it.
func (n *node) memberValue(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// countValues returns the number of values in n, including n.
func (n *node) countValues() int {
	size := 1
	for _, m := range n.members {
		size += m.value.countValues()
	}
	for _, item := range n.items {
		size += item.countValues()
	}
	return size
}

// shownValue returns the node as a message shows it. For an object or array it
// is only the kind.
func (n *node) shownValue() string {
	switch n.kind {
	case text:
		return quoteValue(n.text)
	case number, truth, other:
		return firstRunes(n.text, maxGot)
	}
	return n.kind.String()
}

// pointerChild returns the child that a reference token of a JSON pointer
// names, or nil.
func (n *node) pointerChild(token string) *node {
	switch n.kind {
	case object:
		return n.memberValue(unescaper.Replace(token))
	case array:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(n.items) {
			return n.items[i]
		}
	}
	return nil
}

// valueAt returns the value at a JSON pointer, or nil.
func (n *node) valueAt(pointer string) *node {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if n = n.pointerChild(token); n == nil {
			return nil
		}
	}
	return n
}

// placeOf returns the position of the value at a JSON pointer, or of the
// innermost value around it that exists.
func (n *node) placeOf(pointer string) (line, col int) {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		child := n.pointerChild(token)
		if child == nil {
			break
		}
		n = child
	}
	return n.line, n.col
}

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901 section 3
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// maxToken is how many characters of a name a path shows.
const maxToken = 256

func memberPath(path, name string) string {
	return path + "/" + escaper.Replace(firstRunes(name, maxToken))
}

func itemPath(path string, i int) string { return path + "/" + strconv.Itoa(i) }

// maxGot is how many characters of a wrong value a message shows.
const maxGot = 80

// firstRunes returns at most that many characters of s, followed by ... if it
// cuts s.
func firstRunes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "..."
		}
		n++
	}
	return s
}

func quoteValue(s string) string { return strconv.Quote(firstRunes(s, maxGot)) }
