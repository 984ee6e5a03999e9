package jsl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// xmlReader reads job XML into the same tree as the job's JSON.
type xmlReader struct {
	dec    *xml.Decoder
	faults Errors
	space  string // namespace of the job
	tokens int    // start and end tags so far
	place         // of the token read last

	input *attributeText // what dec reads
}

// readXML returns the tree of a job, with the faults found so far. If the text
// is not job XML, the tree is nil.
func readXML(data []byte) (*node, Errors) {
	parsed.Add(1)
	r := newXMLReader(data)
	return r.readTree(r.readDocument)
}

func newXMLReader(data []byte) *xmlReader {
	a := normalizeAttributes(data)
	r := &xmlReader{dec: xml.NewDecoder(bytes.NewReader(a.text)), place: newPlace(data), input: a}
	// decodeXML was before us.
	r.dec.CharsetReader = func(_ string, text io.Reader) (io.Reader, error) { return text, nil }
	return r
}

// originalOffset returns how far the decoder has read, as an offset in the
// original text.
func (r *xmlReader) originalOffset() int { return r.input.originalOffset(int(r.dec.InputOffset())) }

// readTree calls document to read the text, and adds the error that stopped it
// to the faults.
func (r *xmlReader) readTree(document func() (*node, error)) (*node, Errors) {
	if r.input.count > maxTokens { // the decoder would read all attributes of an element at once
		return nil, Errors{r.faultHere("", wantValues, "more")}
	}
	n, err := document()
	if err != nil {
		return nil, append(r.faults[:min(len(r.faults), maxFaults-1)], r.faultFrom(err))
	}
	return n, r.faults
}

func (r *xmlReader) readDocument() (*node, error) {
	var root *node
	for {
		t, err := r.nextTag("")
		if errors.Is(err, io.EOF) && root != nil {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
			continue
		case root != nil:
			return nil, r.faultHere("", "nothing after the job", quoteValue(start.Name.Local))
		case start.Name.Local != "job" || !slices.Contains([]string{"", javaee, jakartaee}, start.Name.Space):
			return nil, r.faultHere("", "a job element in the namespace "+javaee+" or "+jakartaee+", or in none", quoteValue(start.Name.Space+" "+start.Name.Local))
		}
		r.space = start.Name.Space
		root = newObject(r.line, r.col)
		r.readAttributes(root, "", start, xmlShapes["job"])
		if r.space == jakartaee {
			root.members = append(root.members, member{"namespace", newText(JakartaEE), r.line, r.col})
		}
		if err := r.readChildren(root, "", "job", xmlShapes["job"], 1); err != nil {
			return nil, err
		}
	}
}

// nextTag returns the next start or end tag. It reports text, because job XML
// has none.
func (r *xmlReader) nextTag(path string) (xml.Token, error) {
	for {
		t, err := r.tokenOrText(path)
		if err != nil {
			return nil, err
		}
		s, ok := t.(xml.CharData)
		if !ok {
			return t, nil
		}
		r.addFault(r.faultHere(path, "only elements, no text", quoteValue(string(s))))
	}
}

// tokenOrText returns the next start tag, end tag or text. It trims text and
// skips white space.
func (r *xmlReader) tokenOrText(path string) (xml.Token, error) {
	for {
		r.moveTo(r.originalOffset())
		t, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement, xml.EndElement:
			if r.tokens++; r.tokens > maxTokens {
				return nil, r.faultHere(path, wantValues, "more")
			}
			return t, nil
		case xml.CharData:
			if s := bytes.TrimSpace(t); len(s) > 0 {
				return xml.CharData(s), nil
			}
		case xml.Directive:
			return nil, r.faultHere(path, "no document type declaration", quoteValue("<!"+string(t)))
		}
	}
}

func (r *xmlReader) faultHere(path, want, got string) FieldError {
	return FieldError{path, want, got, r.line, r.col}
}

func (r *xmlReader) addFault(f FieldError) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// readAttributes adds the attributes of an element to n.
func (r *xmlReader) readAttributes(n *node, path string, start xml.StartElement, shape xmlShape) {
	var seen []xml.Name // only known names, so that
	for a, p := range r.placedAttributes(start) {
		known := a.Name.Space == "" && slices.Contains(shape.attributes, a.Name.Local) ||
			a.Name.Space == dispatchSpace && start.Name.Local == "job" && slices.Contains(dispatchNames, a.Name.Local)
		switch {
		case known && slices.Contains(seen, a.Name):
			r.addFault(FieldError{memberPath(path, a.Name.Local), "each name only once", quoteValue(a.Name.Local) + " again", p.name.line, p.name.col})
		case known:
			seen = append(seen, a.Name)
			if a.Name.Local != "version" {
				n.members = append(n.members, p.memberNamed(strings.ReplaceAll(a.Name.Local, "-", "_"), a.Value))
			}
		case a.Name.Space == dispatchSpace:
			r.addFault(FieldError{memberPath(path, a.Name.Local), oneOfNames(dispatchNames), quoteValue(a.Name.Local), p.name.line, p.name.col})
		case a.Name.Space == "":
			r.addFault(FieldError{memberPath(path, a.Name.Local), oneOfNames(shape.attributes), quoteValue(a.Name.Local), p.name.line, p.name.col})
		}
	}
}

// readChildren reads the content of the element n.
func (r *xmlReader) readChildren(n *node, path, name string, shape xmlShape, depth int) error {
	if depth > maxDepth {
		return r.faultHere(path, wantDepth, "more")
	}
	r.addEmptyContent(n, name)
	for {
		t, err := r.nextTag(path)
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			return nil // the end
		}
		child := start.Name.Local
		if start.Name.Space == dispatchSpace && name == "job" {
			if err := r.readDispatch(n, path, start, dispatchChildren); err != nil {
				return err
			}
			continue
		}
		if start.Name.Space != r.space || !slices.Contains(shape.children, child) {
			r.addFault(r.faultHere(memberPath(path, child), oneOfNames(shape.children), quoteValue(child)))
			if err := r.dec.Skip(); err != nil {
				return err
			}
			continue
		}
		if err := r.readChild(n, path, name, start, depth+1); err != nil {
			return err
		}
	}
}

// addEmptyContent adds the array that makes a flow a flow and a split a split,
// even if it stays empty.
func (r *xmlReader) addEmptyContent(n *node, name string) {
	switch name {
	case "flow":
		r.listNamed(n, "steps")
	case "split":
		r.listNamed(n, "flows")
	}
}

// readChild reads an element and adds it to its parent in the way of the JSON
// form.
func (r *xmlReader) readChild(parent *node, path, parentName string, start xml.StartElement, depth int) error {
	name := start.Name.Local
	shape := xmlShapes[name]
	n := newObject(r.line, r.col)
	list := ""
	if parentName == "decision" && name == "properties" {
		path += "/decision"
	}
	switch {
	case name == "property":
		return r.readProperty(parent, path, start, depth)
	case name == "listeners":
		r.listNamed(parent, name)
		return r.readChildren(parent, path, name, shape, depth)
	case name == "decision":
		return r.readDecision(parent, path, start, depth)
	case parentName == "plan":
		return r.planProperties(parent, path, start, depth)
	case name == "include" || name == "exclude":
		return r.readClass(parent, path, start, depth)
	case isTransition(name):
		list = "transitions"
	case name == "listener":
		list = "listeners"
	case parentName == "split":
		list = "flows"
	case name == "step" || name == "flow" || name == "split":
		list = "steps"
	}
	key := strings.ReplaceAll(name, "-", "_")
	if list == "" {
		parent.members = append(parent.members, member{key, n, r.line, r.col})
		path = memberPath(path, key)
	} else {
		path = r.appendToList(parent, path, list, n, name)
	}
	r.readAttributes(n, path, start, shape)
	return r.readChildren(n, path, name, shape, depth)
}

// listNamed returns the array of that name in n, and adds it if it is missing.
func (r *xmlReader) listNamed(n *node, name string) *node {
	a := n.memberValue(name)
	if a == nil {
		a = &node{kind: array, line: r.line, col: r.col}
		n.members = append(n.members, member{name, a, r.line, r.col})
	}
	return a
}

// appendToList adds n to a list of its parent, and returns the path of n. A
// transition is wrapped in an object with its name.
func (r *xmlReader) appendToList(parent *node, path, list string, n *node, name string) string {
	a := r.listNamed(parent, list)
	path = itemPath(memberPath(path, list), len(a.items))
	if list == "transitions" {
		t := newObject(r.line, r.col)
		t.members = []member{{name, n, r.line, r.col}}
		n, path = t, memberPath(path, name)
	}
	a.items = append(a.items, n)
	return path
}

// faultFrom converts an error of the XML decoder into a fault.
func (r *xmlReader) faultFrom(err error) FieldError {
	f := FieldError{Want: XML.WantSyntax()}
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, io.EOF):
		f.Got = "the end of the text"
	case errors.As(err, &syntax):
		f.Got = firstRunes(syntax.Msg, maxGot)
	default: // an XML declaration that is not one
		f.Got = firstRunes(fmt.Sprint(err), maxGot)
	}
	r.moveTo(r.originalOffset())
	f.Line, f.Column = r.line, r.col
	return f
}
