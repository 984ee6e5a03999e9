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

// malformedJSON returns an error if err is about the JSON itself.
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
	f := rest.Fault{Detail: "want JSON", Got: got, Line: 1 + bytes.Count(data[:offset], []byte("\n"))}
	f.Column = offset - bytes.LastIndexByte(data[:offset], '\n')
	if syntax != nil {
		f.Pointer = Cut(string(syntax.JSONPointer))
	}
	return &MalformedError{Fault: f}
}

// ReadJSON reads an object into the struct that v points to. It returns all
// faults, not only the first one. A member that is null counts as absent.
func ReadJSON(data []byte, v any) error { return (&reader{}).read(data, v) }

// ReadEDN does the same with the JSON that EDN stands for, whose names are
// keywords. An unknown keyword is no fault if ignores returns true.
func ReadEDN(data []byte, v any, ignores func(keyword string) bool) error {
	return (&reader{edn: true, ignores: ignores}).read(data, v)
}

// ReadLeniently reads what an object has of the struct that v points to, by the
// names that EDN has.
func ReadLeniently(data []byte, v any) error {
	return (&reader{edn: true, lenient: true}).read(data, v)
}

func (r *reader) read(data []byte, v any) error {
	r.Decoder = jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	err := r.object(reflect.ValueOf(v).Elem(), "")
	if err == nil {
		if _, err = r.ReadToken(); errors.Is(err, io.EOF) {
			return r.faults.Err()
		} else if err == nil {
			r.faults.Add("", "nothing after the object", "more")
			return r.faults
		}
	}
	if m := malformedJSON(data, err); m != nil {
		return m
	}
	return fmt.Errorf("read JSON: %w", err)
}

// reader reads JSON and collects what is wrong.
type reader struct {
	*jsontext.Decoder
	edn     bool
	lenient bool // unknown names are no faults
	ignores func(keyword string) bool
	faults  Faults
}

// wrong passes over a value in whose place something else belongs.
func (r *reader) wrong(at, want string) error {
	raw, err := r.ReadValue()
	if err == nil {
		r.faults.Add(at, want, string(raw))
	}
	return err
}

func (r *reader) value(v reflect.Value, at string) error {
	kind := r.PeekKind()
	switch {
	case kind == 'n':
		return r.SkipValue()
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return r.value(v.Elem(), at)
	case v.Kind() == reflect.Struct:
		return r.object(v, at)
	case v.Kind() == reflect.Map:
		return r.texts(v, at)
	case v.Kind() == reflect.Slice:
		return r.list(v, at)
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
	return r.wrong(at, map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Int64: "a whole number"}[v.Kind()])
}

// members reads the members of an object, each by read.
func (r *reader) members(at string, read func(name, at string) error) error {
	if r.PeekKind() != '{' {
		return r.wrong(at, "an object")
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
			r.faults.Add(place, "a name once", strconv.Quote(name))
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

func (r *reader) object(v reflect.Value, at string) error {
	fields := fieldsOf(v.Type())
	read := make([]bool, len(fields))
	return r.members(at, func(name, at string) error {
		for i := range fields {
			if f := &fields[i]; r.names(f, name) {
				if read[i] { // by another of its names
					r.faults.Add(at, "a name once", strconv.Quote(name))
					return r.SkipValue()
				}
				read[i] = true
				return r.field(v.FieldByIndex(f.index), f, at)
			}
		}
		return r.unknown(v, fields, name, at)
	})
}

// names says whether a field goes by the name: by the keyword with its
// namespace in JSON too, without it in EDN.
func (r *reader) names(f *ednField, name string) bool {
	if r.edn && f.as == "inline" && r.PeekKind() != '{' {
		return false
	}
	return f.json == name || slices.ContainsFunc(f.keywords, func(keyword string) bool {
		_, local, spaced := strings.Cut(keyword, "/")
		return keyword == name && (spaced || r.edn) || r.edn && spaced && local == name
	})
}

// field reads the value of a field; one that is named by an object may be that
// object.
func (r *reader) field(v reflect.Value, f *ednField, at string) error {
	switch {
	case f.as == "keyword" && r.edn:
		err := r.named(v, "db/ident", at)
		v.SetString(strings.ReplaceAll(strings.TrimPrefix(v.String(), f.arg+"/"), "-", "_"))
		return err
	case f.as == "in":
		return r.named(v, f.arg, at)
	}
	return r.value(v, at)
}

// named reads a value, or that of the member key of an object in its place.
func (r *reader) named(v reflect.Value, key, at string) error {
	if r.PeekKind() != '{' {
		return r.value(v, at)
	}
	return r.members(at, func(name, at string) error {
		if name == key {
			return r.value(v, at)
		}
		return r.SkipValue()
	})
}

// unknown reports a member that the type does not have as a fault. In EDN it may
// belong to the map that is inline, or be a keyword that the caller ignores.
func (r *reader) unknown(v reflect.Value, fields []ednField, name, at string) error {
	if r.lenient {
		return r.SkipValue()
	}
	if r.edn {
		for i := range fields {
			if f := &fields[i]; f.as == "inline" {
				return r.textOf(v.FieldByIndex(f.index), name, at)
			}
		}
		if r.ignores(name) {
			return r.SkipValue()
		}
	}
	var names []string
	for i := range fields {
		names = append(names, fields[i].json)
	}
	slices.Sort(names)
	r.faults.Add(at, "one of "+strings.Join(names, ", "), strconv.Quote(name))
	return r.SkipValue()
}

// texts reads an object of scalars, each as its text. Without members it is an
// empty map, not nil.
func (r *reader) texts(v reflect.Value, at string) error {
	if v.IsNil() && r.PeekKind() == '{' {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return r.members(at, func(name, at string) error { return r.textOf(v, name, at) })
}

// textOf reads a scalar into a map of texts.
func (r *reader) textOf(v reflect.Value, name, at string) error {
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
	return r.wrong(at, "a string, a number, true or false")
}

func (r *reader) list(v reflect.Value, at string) error {
	if r.PeekKind() != '[' {
		return r.wrong(at, "an array")
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for i := 0; r.PeekKind() != ']'; i++ {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := r.value(item, at+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	}
	_, err := r.ReadToken()
	return err
}
