package jsl

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ednNumber matches an allowed number. The suffixes N and M and long numbers
// are refused, because computing with them may take seconds.
var ednNumber = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$`)

const maxNumber = 40

// ednReader reads EDN (github.com/edn-format/edn) into a tree. A keyword
// becomes text without the colon, a list becomes an array. A value that no job
// can hold gets the kind other.
type ednReader struct {
	data   string
	pos    int
	values int // so far
	place
}

// parseEDN returns the tree of a text. The tree has the names as they are
// written.
func parseEDN(data []byte) (*node, Errors) {
	parsed.Add(1)
	r := &ednReader{data: string(data), place: newPlace(data)}
	n, err := r.readDocument()
	if err != nil {
		return nil, Errors{*err}
	}
	return n, nil
}

func (r *ednReader) readDocument() (*node, *FieldError) {
	if !utf8.ValidString(r.data) {
		return nil, r.faultHere("text in UTF-8", "invalid bytes")
	}
	n, err := r.readValue(1)
	if err != nil {
		return nil, err
	}
	if err := r.skipBlanks(1); err != nil {
		return nil, err
	}
	if r.pos < len(r.data) {
		return nil, r.faultHere("nothing after the definition", "more text")
	}
	return n, nil
}

// faultHere returns a fault at the current position.
func (r *ednReader) faultHere(want, got string) *FieldError {
	r.moveTo(r.pos)
	return &FieldError{Want: want, Got: got, Line: r.line, Column: r.col}
}

const ednSpace = " \t\r\n\f\v,"

// skipBlanks skips white space, comments and discarded values.
func (r *ednReader) skipBlanks(depth int) *FieldError {
	for r.pos < len(r.data) {
		switch rest := r.data[r.pos:]; {
		case strings.IndexByte(ednSpace, rest[0]) >= 0:
			r.pos++
		case rest[0] == ';':
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			r.pos += end
		case strings.HasPrefix(rest, "#_"):
			r.pos += 2
			if _, err := r.readValue(depth + 1); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (r *ednReader) readValue(depth int) (*node, *FieldError) {
	if depth > maxDepth {
		return nil, r.faultHere(wantDepth, "more")
	}
	if r.values++; r.values > maxTokens { // keys are values too
		return nil, r.faultHere(wantValues, "more")
	}
	if err := r.skipBlanks(depth); err != nil {
		return nil, err
	}
	if r.pos == len(r.data) {
		return nil, r.faultHere(EDN.WantSyntax(), "the end of the text")
	}
	r.moveTo(r.pos)
	n := &node{line: r.line, col: r.col}
	var err *FieldError
	switch c := r.data[r.pos]; c {
	case '{':
		err = r.readMap(n, "", depth)
	case '[':
		n.kind = array
		err = r.readItems(n, ']', depth)
	case '(':
		n.kind = array
		err = r.readItems(n, ')', depth)
	case '"':
		n.text, err = r.readString()
	case '#':
		err = r.readDispatch(n, depth)
	case '}', ']', ')':
		err = r.faultHere(EDN.WantSyntax(), quoteValue(string(c)))
	default:
		err = r.readAtom(n)
	}
	return n, err
}

// readItems reads values up to the closing bracket.
func (r *ednReader) readItems(n *node, closing byte, depth int) *FieldError {
	r.pos++
	for {
		if err := r.skipBlanks(depth); err != nil {
			return err
		}
		if r.pos < len(r.data) && r.data[r.pos] == closing {
			r.pos++
			return nil
		}
		item, err := r.readValue(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
}

// readMap reads a map. Keywords without a namespace get the namespace of the
// map, if it has one.
func (r *ednReader) readMap(n *node, namespace string, depth int) *FieldError {
	all := &node{}
	if err := r.readItems(all, '}', depth); err != nil {
		return err
	}
	if len(all.items)%2 != 0 {
		return r.faultHere("a value for each key", "a key without a value")
	}
	n.kind = object
	for i := 0; i < len(all.items); i += 2 {
		key := all.items[i]
		if key.kind != text {
			return &FieldError{Want: "a keyword or a string as a key", Got: key.shownValue(), Line: key.line, Column: key.col}
		}
		name := key.text
		if namespace != "" && !strings.Contains(name, "/") {
			name = namespace + "/" + name
		}
		n.members = append(n.members, member{name, all.items[i+1], key.line, key.col})
	}
	return nil
}

// readDispatch reads a value that begins with #, except for the discard #_.
func (r *ednReader) readDispatch(n *node, depth int) *FieldError {
	start := r.pos
	r.pos++
	switch next := r.peekByte(); {
	case next == '{':
		err := r.readItems(n, '}', depth)
		*n = node{kind: other, text: "a set", line: n.line, col: n.col}
		return err
	case next == ':': // #:job{:name "x"}
		r.pos++
		namespace := r.readSymbol()
		if r.peekByte() != '{' {
			return r.faultHere("a map after #:namespace", "something else")
		}
		return r.readMap(n, namespace, depth)
	case next == '#': // ##Inf
		r.pos++
		n.kind, n.text = other, "##"+r.readSymbol()
		return nil
	case next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z':
		tag := r.readSymbol()
		value, err := r.readValue(depth + 1)
		n.kind, n.text, n.items = other, "#"+tag, []*node{value}
		return err
	}
	r.pos = start
	return r.faultHere(EDN.WantSyntax(), quoteValue("#"))
}

// peekByte returns the next byte, or 0 at the end of the text.
func (r *ednReader) peekByte() byte {
	if r.pos == len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

// readSymbol returns the text up to the next white space or bracket.
func (r *ednReader) readSymbol() string {
	end := strings.IndexAny(r.data[r.pos:], ednSpace+`{}[]()";`)
	if end < 0 {
		end = len(r.data) - r.pos
	}
	t := r.data[r.pos : r.pos+end]
	r.pos += end
	return t
}

// readAtom reads a number, a keyword, a character or a symbol.
func (r *ednReader) readAtom(n *node) *FieldError {
	start := r.pos
	if r.peekByte() == '\\' { // a character may be a bracket
		_, size := utf8.DecodeRuneInString(r.data[r.pos+1:])
		r.pos += 1 + size
		r.readSymbol()
		n.kind, n.text = other, r.data[start:r.pos]
		return nil
	}
	t := r.readSymbol()
	digits := strings.TrimLeft(t, "+-")
	switch {
	case t == "nil":
		n.kind = null
	case t == "true" || t == "false":
		n.kind, n.text = truth, t
	case t[0] == ':':
		n.text = t[1:]
		if n.text == "" {
			r.pos = start
			return r.faultHere("a keyword", quoteValue(t))
		}
	case digits != "" && digits[0] >= '0' && digits[0] <= '9':
		if len(t) > maxNumber || !ednNumber.MatchString(t) {
			r.pos = start
			return r.faultHere(fmt.Sprintf("a number of at most %d characters, without N, M or /", maxNumber), quoteValue(t))
		}
		n.kind, n.text = number, t
	default:
		n.kind, n.text = other, t
	}
	return nil
}
