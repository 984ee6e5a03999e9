package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// malformedJSON returns an error if err is about the syntax of the JSON.
func malformedJSON(data []byte, err error) error {
	var syntax *jsontext.SyntacticError
	offset, got := len(data), "the end of the body"
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF):
		offset, got = min(int(syntax.ByteOffset), len(data)), Cut(syntax.Err.Error())
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	}
	f := rest.Fault{Detail: "want valid JSON", Got: got, Line: 1 + bytes.Count(data[:offset], []byte("\n"))}
	f.Column = offset - bytes.LastIndexByte(data[:offset], '\n')
	if syntax != nil {
		f.Pointer = Cut(string(syntax.JSONPointer))
	}
	return &MalformedError{Fault: f}
}

// ReadJSON reads an object into the struct that v points to. It returns all
// faults, not only the first one. A member that is null counts as absent.
func ReadJSON(data []byte, v any) error { return (&reader{}).readAll(data, v) }

// ReadEDN does the same with the JSON of an EDN value, in which names are
// keywords. An unknown keyword is no fault if ignores returns true.
func ReadEDN(data []byte, v any, ignores func(keyword string) bool) error {
	return (&reader{edn: true, ignores: ignores}).readAll(data, v)
}

// ReadLeniently reads the members of an object that the struct behind v has, by
// their names in EDN. It ignores all others.
func ReadLeniently(data []byte, v any) error {
	return (&reader{edn: true, lenient: true}).readAll(data, v)
}

func (r *reader) readAll(data []byte, v any) error {
	r.Decoder = jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	err := r.readObject(reflect.ValueOf(v).Elem(), "")
	if err == nil {
		if _, err = r.ReadToken(); errors.Is(err, io.EOF) {
			return r.faults.Err()
		} else if err == nil {
			r.faults.Add("", "one object and nothing after it", "more")
			return r.faults
		}
	}
	if m := malformedJSON(data, err); m != nil {
		return m
	}
	return fmt.Errorf("read JSON: %w", err)
}

// reader reads JSON and collects faults.
type reader struct {
	*jsontext.Decoder
	edn     bool
	lenient bool // unknown names are no faults
	ignores func(keyword string) bool
	faults  Faults
}

// addWrong skips a value of the wrong kind, and adds a fault.
func (r *reader) addWrong(at, want string) error {
	raw, err := r.ReadValue()
	if err == nil {
		r.faults.Add(at, want, string(raw))
	}
	return err
}

func (r *reader) readValue(v reflect.Value, at string) error {
	kind := r.PeekKind()
	switch {
	case kind == 'n':
		return r.SkipValue()
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return r.readValue(v.Elem(), at)
	case v.Kind() == reflect.Struct && kind == '"':
		return r.readAlone(v, at)
	case v.Kind() == reflect.Struct:
		return r.readObject(v, at)
	case v.Kind() == reflect.Map:
		return r.readTexts(v, at)
	case v.Kind() == reflect.Slice:
		return r.readList(v, at)
	case v.Kind() == reflect.String && kind == '"':
		t, err := r.ReadToken()
		if err == nil {
			v.SetString(t.String())
		}
		return err
	case v.Kind() == reflect.Bool && (kind == 't' || kind == 'f'):
		t, err := r.ReadToken()
		if err == nil {
			v.SetBool(t.Bool())
		}
		return err
	}
	if (v.Kind() == reflect.Int || v.Kind() == reflect.Int64) && kind == '0' {
		raw, err := r.ReadValue()
		if err != nil {
			return err
		}
		bits := 32
		if v.Kind() == reflect.Int64 {
			bits = 64
		}
		n, err := strconv.ParseInt(string(raw), 10, bits)
		if err != nil {
			r.faults.Add(at, "a whole number", string(raw))
		}
		v.SetInt(n)
		return nil
	}
	return r.addWrong(at, map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Int64: "a whole number"}[v.Kind()])
}

// readMembers reads an object. It calls read for each member.
func (r *reader) readMembers(at string, read func(name, at string) error) error {
	if r.PeekKind() != '{' {
		return r.addWrong(at, "an object")
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for r.PeekKind() != '}' {
		t, err := r.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		place := at + "/" + Escape(name)
		if seen[name] {
			r.faults.Add(place, "each name only once", strconv.Quote(name)+" again")
			err = r.SkipValue()
		} else {
			seen[name] = true
			err = read(name, place)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

func (r *reader) readObject(v reflect.Value, at string) error {
	fields := fieldsOf(v.Type())
	read := make([]bool, len(fields))
	return r.readMembers(at, func(name, at string) error {
		for i := range fields {
			if f := &fields[i]; r.isNamed(f, name) {
				if read[i] { // by another of its names
					r.faults.Add(at, "each name only once", strconv.Quote(name)+" again")
					return r.SkipValue()
				}
				read[i] = true
				return r.readField(v.FieldByIndex(f.index), f, at)
			}
		}
		return r.skipUnknown(v, fields, name, at)
	})
}

// readAlone reads a string that stands in place of an object with one member.
func (r *reader) readAlone(v reflect.Value, at string) error {
	for _, f := range fieldsOf(v.Type()) {
		if f.as == "alone" {
			return r.readValue(v.FieldByIndex(f.index), at)
		}
	}
	return r.readObject(v, at)
}

// isNamed reports whether a field has this name. In JSON too a keyword with its
// namespace is a name of the field; in EDN the keyword without it as well.
func (r *reader) isNamed(f *ednField, name string) bool {
	if r.edn && f.as == "inline" && r.PeekKind() != '{' {
		return false
	}
	return f.json == name && name != "-" || slices.ContainsFunc(f.keywords, func(keyword string) bool {
		_, local, spaced := strings.Cut(keyword, "/")
		return keyword == name && (spaced || r.edn) || r.edn && spaced && local == name
	})
}

// readField reads the value of a field. Some fields may also be sent as an
// object that names the value.
func (r *reader) readField(v reflect.Value, f *ednField, at string) error {
	switch {
	case f.as == "keyword" && r.edn:
		err := r.readNamed(v, "db/ident", at)
		v.SetString(strings.ReplaceAll(strings.TrimPrefix(v.String(), f.arg+"/"), "-", "_"))
		return err
	case f.as == "in":
		return r.readNamed(v, f.arg, at)
	case f.as == "switch" && (r.PeekKind() == 't' || r.PeekKind() == 'f'):
		t, err := r.ReadToken()
		v.SetString(map[bool]string{true: "true", false: "none"}[err == nil && t.Bool()])
		return err
	}
	return r.readValue(v, at)
}

// readNamed reads a value, or the member key of an object that stands in its
// place. In EDN that object may have other members, and lack this one.
func (r *reader) readNamed(v reflect.Value, key, at string) error {
	if r.PeekKind() != '{' {
		return r.readValue(v, at)
	}
	found := r.edn || r.lenient
	err := r.readMembers(at, func(name, at string) error {
		switch {
		case name == key:
			found = true
			return r.readValue(v, at)
		case !r.edn && !r.lenient:
			r.faults.Add(at, key, strconv.Quote(name))
		}
		return r.SkipValue()
	})
	if !found {
		r.faults.Add(at, "a string, or an object with "+key, "{}")
	}
	return err
}

// skipUnknown reports a member that the type does not have as a fault. In EDN
// it may belong to the map that is inline, or be a keyword that the caller
// ignores.
func (r *reader) skipUnknown(v reflect.Value, fields []ednField, name, at string) error {
	if r.lenient {
		return r.SkipValue()
	}
	if r.edn {
		for i := range fields {
			if f := &fields[i]; f.as == "inline" {
				return r.readText(v.FieldByIndex(f.index), name, at)
			}
		}
		if r.ignores(name) {
			return r.SkipValue()
		}
	}
	var names []string
	for i := range fields {
		if fields[i].json != "-" {
			names = append(names, fields[i].json)
		}
	}
	slices.Sort(names)
	r.faults.Add(at, "one of "+strings.Join(names, ", "), strconv.Quote(name))
	return r.SkipValue()
}

// readTexts reads an object of scalars as a map of texts. An empty object
// becomes an empty map, not nil.
func (r *reader) readTexts(v reflect.Value, at string) error {
	if v.IsNil() && r.PeekKind() == '{' {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return r.readMembers(at, func(name, at string) error { return r.readText(v, name, at) })
}

// readText reads a scalar into a map of texts.
func (r *reader) readText(v reflect.Value, name, at string) error {
	switch r.PeekKind() {
	case 'n':
		if r.edn { // nil is as good as absent
			return r.SkipValue()
		}
	case '"', '0', 't', 'f':
		t, err := r.ReadToken()
		if err == nil {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(t.String()))
		}
		return err
	}
	return r.addWrong(at, "a string, a number, true or false")
}

func (r *reader) readList(v reflect.Value, at string) error {
	if r.PeekKind() != '[' {
		return r.addWrong(at, "an array")
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for i := 0; r.PeekKind() != ']'; i++ {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := r.readValue(item, at+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	}
	_, err := r.ReadToken()
	return err
}
