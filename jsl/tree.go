package jsl

import (
	"strconv"
	"strings"
)

// node is a value of a definition with its place. Each written form is read
// into such a tree and written from it, so all know the same names.
type node struct {
	kind      kind
	text      string   // of a scalar: a string's value, a number as written, true, false
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
	other // what has no place in a job: dates, symbols, tagged values; text is how it was written
)

func (k kind) String() string {
	return [...]string{"a string", "a number", "true or false", "null", "an array", "an object", "something else"}[k]
}

func newText(s string) *node { return &node{kind: text, text: s} }

func newObject(line, col int) *node { return &node{kind: object, line: line, col: col} }

func (n *node) addMember(name string, value *node) {
	n.members = append(n.members, member{name: name, value: value})
}

// memberValue returns the member of that name, nil if there is none.
func (n *node) memberValue(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// countValues is how many values n is, with those in it.
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

// shownValue is the node as an error shows it. Of objects and arrays only what
// they are.
func (n *node) shownValue() string {
	switch n.kind {
	case text:
		return quoteValue(n.text)
	case number, truth, other:
		return firstRunes(n.text, maxGot)
	}
	return n.kind.String()
}

// pointerChild returns what a token of a JSON pointer leads to, or nil.
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

// placeOf returns the place of a JSON pointer, or of the innermost thing around
// it that is there.
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

// maxToken is how much of a name a path shows, in characters.
const maxToken = 256

func memberPath(path, name string) string {
	return path + "/" + escaper.Replace(firstRunes(name, maxToken))
}

func itemPath(path string, i int) string { return path + "/" + strconv.Itoa(i) }

// maxGot is how much of a wrong value an error shows, in characters.
const maxGot = 80

// firstRunes returns the first characters of s.
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
