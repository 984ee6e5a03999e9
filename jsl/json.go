package jsl

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// ParseJSON reads a job. Its error is an [Errors] with all faults of the text.
func ParseJSON(data []byte) (*Job, error) { return Parse(JSON, data) }

// Restore reads a job that was stored or that a control bus returned: the
// output of MarshalJSON, perhaps of another version. The limits and rules for
// new jobs do not apply; [Job.Resolve] checks the job when it is to run. The
// returned job is never nil. If the error, an [Errors], is not nil, the job
// holds only what Restore understood. The caller must not write it back,
// because the rest would be lost.
func Restore(data []byte) (*Job, error) {
	j := &Job{}
	n, faults := newJSONReader(data, 0).readWhole()
	if n != nil {
		d := &decoder{}
		d.readObject(n, "", j.writtenFields())
		faults = append(faults, d.faults...)
	}
	j.fillDefaults()
	if len(faults) > 0 {
		return j, faults
	}
	return j, nil
}

// UnmarshalJSON is [ParseJSON].
func (j *Job) UnmarshalJSON(data []byte) error {
	parsed, err := ParseJSON(data)
	if err != nil {
		return err
	}
	*j = *parsed
	return nil
}

// MarshalJSON writes the canonical form: the names in the order of the package
// comment, without empty values and without defaults of dispatch attributes.
// ParseJSON returns the same job for it.
func (j Job) MarshalJSON() ([]byte, error) {
	return appendJSON(nil, objectFrom(j.writtenFields()))
}

func appendJSON(b []byte, n *node) ([]byte, error) {
	var err error
	switch n.kind {
	case text:
		return appendString(b, n.text)
	case object:
		b = append(b, '{')
		for i, m := range n.members {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendString(b, m.name); err != nil {
				return nil, err
			}
			if b, err = appendJSON(append(b, ':'), m.value); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case array:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return append(b, cmp.Or(n.text, "null")...), nil
}

func appendString(b []byte, s string) ([]byte, error) {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", quoteValue(s), err)
	}
	return b, nil
}

// jsonReader reads JSON into a tree.
type jsonReader struct {
	dec    *jsontext.Decoder
	data   []byte
	values int // so far
	most   int // maximum of values; 0 for a stored job, which was counted before
	place
}

// parseJSON returns the tree of a text. It keeps duplicate names, so that the
// decoder can report them and go on.
func parseJSON(data []byte) (*node, Errors) {
	return newJSONReader(data, maxTokens).readWhole()
}

func newJSONReader(data []byte, most int) *jsonReader {
	return &jsonReader{
		dec:  jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true)),
		data: data, most: most, place: newPlace(data),
	}
}

// readWhole reads the text to its end.
func (r *jsonReader) readWhole() (*node, Errors) {
	parsed.Add(1)
	n, err := r.readValue(1)
	if err == nil {
		r.skipToToken()
		if _, err = r.dec.ReadToken(); errors.Is(err, io.EOF) {
			return n, nil
		}
		if err == nil {
			err = FieldError{"", "nothing after the definition", "more text", r.line, r.col}
		}
	}
	return nil, Errors{r.faultFrom(err)}
}

func (r *jsonReader) readValue(depth int) (*node, error) {
	kind := r.dec.PeekKind()
	r.skipToToken()
	n := &node{line: r.line, col: r.col}
	if r.values++; r.most > 0 && r.values > r.most {
		return nil, FieldError{string(r.dec.StackPointer()), wantValues, "more", r.line, r.col}
	}
	switch kind {
	case '{', '[':
		if r.most > 0 && depth > maxDepth {
			return nil, FieldError{string(r.dec.StackPointer()), wantDepth, "more", r.line, r.col}
		}
		if kind == '{' {
			return n, r.readObject(n, depth)
		}
		return n, r.readArray(n, depth)
	}
	t, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	n.text = t.String()
	switch kind {
	case '0':
		n.kind = number
	case 't', 'f':
		n.kind = truth
	case 'n':
		n.kind = null
	}
	return n, nil
}

func (r *jsonReader) readObject(n *node, depth int) error {
	n.kind = object
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		r.skipToToken()
		m := member{line: r.line, col: r.col}
		t, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		m.name = t.String()
		if m.value, err = r.readValue(depth + 1); err != nil {
			return err
		}
		n.members = append(n.members, m)
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *jsonReader) readArray(n *node, depth int) error {
	n.kind = array
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != ']' {
		item, err := r.readValue(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := r.dec.ReadToken()
	return err
}

// skipToToken moves to the beginning of the next token.
func (r *jsonReader) skipToToken() {
	i := int(r.dec.InputOffset())
	for i < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[i]) >= 0 {
		i++
	}
	r.moveTo(i)
}

// faultFrom converts an error of the JSON decoder into a fault.
func (r *jsonReader) faultFrom(err error) FieldError {
	f := FieldError{Want: JSON.WantSyntax(), Line: r.line, Column: r.col}
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &f):
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.moveTo(len(r.data))
		f.Got, f.Line, f.Column = "the end of the text", r.line, r.col
	case errors.As(err, &syntax):
		r.moveTo(int(syntax.ByteOffset))
		f.Path, f.Got = string(syntax.JSONPointer), firstRunes(syntax.Err.Error(), maxGot)
		f.Line, f.Column = r.line, r.col
	default:
		f.Got = firstRunes(err.Error(), maxGot)
	}
	return f
}

func formatJSON(n *node) ([]byte, error) {
	b, err := appendJSON(nil, n)
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(b)
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, err
	}
	return append(v, '\n'), nil
}
