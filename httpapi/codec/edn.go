package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// writeEDN writes a value according to its edn tags, which package rest
// describes.
func writeEDN(w io.Writer, v any) error {
	if done, err := writeDefinition(w, v, jsl.EDN); done {
		return err
	}
	var e ednWriter
	e.writeValue(reflect.ValueOf(v), ednHow{})
	if e.err != nil {
		return fmt.Errorf("write EDN: %w", e.err)
	}
	_, err := io.WriteString(w, e.String())
	return err
}

// ednHow says how a value is written. The words are those of the edn tags.
type ednHow struct{ as, arg string }

// ednField is a field of a struct, or of a struct embedded in it.
type ednField struct {
	index    []int
	json     string
	omit     bool // when it is empty
	keywords []string
	ednHow
}

var ednFields sync.Map // reflect.Type to []ednField

// fieldsOf returns the fields of a struct type that EDN shows.
func fieldsOf(t reflect.Type) []ednField {
	if known, ok := ednFields.Load(t); ok {
		return known.([]ednField)
	}
	var all []ednField
	for _, f := range reflect.VisibleFields(t) {
		keyword, how, _ := strings.Cut(f.Tag.Get("edn"), ",")
		if f.Anonymous || !f.IsExported() || keyword == "-" {
			continue
		}
		if keyword == "" {
			keyword = strings.ReplaceAll(jsonName(f), "_", "-")
		}
		as, arg, _ := strings.Cut(how, "=")
		all = append(all, ednField{f.Index, jsonName(f), strings.Contains(f.Tag.Get("json"), ",omit") || as == "id", strings.Split(keyword, "|"), ednHow{as, arg}})
	}
	ednFields.Store(t, all)
	return all
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// ednWriter writes the API's types. Only its first error counts.
type ednWriter struct {
	jsl.EDNWriter
	refs bool // keywords with a namespace are references here
	err  error
}

func (e *ednWriter) writeValue(v reflect.Value, how ednHow) {
	if v.IsValid() && v.CanInterface() {
		switch x := v.Interface().(type) {
		case subjects.Time:
			e.writeInstant(x)
			return
		case json.RawMessage:
			e.writeDefinition(rest.Definition{JSON: x}.Parse())
			return
		case rest.Definition:
			e.writeDefinition(x.Parse())
			return
		case interface{ EDN() any }:
			e.writeValue(reflect.ValueOf(x.EDN()), how)
			return
		}
	}
	switch v.Kind() {
	case reflect.Invalid:
		e.WriteLiteral("nil")
	case reflect.Pointer, reflect.Interface:
		e.writeValue(v.Elem(), how)
	case reflect.Struct:
		e.writeObject(v)
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Struct {
			e.writeObjects(v)
		} else {
			e.writeTexts(v, how)
		}
	case reflect.Slice, reflect.Array:
		e.writeList(v, how)
	case reflect.String:
		e.writeText(v.String(), how)
	case reflect.Bool:
		e.WriteLiteral(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		e.WriteLiteral(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint64:
		e.WriteLiteral(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float64:
		e.WriteLiteral(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	default:
		e.err = fmt.Errorf("no EDN for %v", v.Type())
	}
}

// writeObject writes a struct as a map without its null fields.
func (e *ednWriter) writeObject(v reflect.Value) {
	e.Open("{")
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		if isNull(value) || f.omit && isEmpty(value) {
			continue
		}
		within := e.refs
		e.refs = within || f.as == "refs"
		for _, keyword := range f.keywords {
			e.WriteLiteral(":" + keyword)
			e.writeValue(value, f.ednHow)
		}
		e.refs = within
	}
	e.Close("}")
}

func isNull(v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case subjects.Time:
		return x.IsZero()
	case rest.Definition:
		return x.IsZero()
	case json.RawMessage:
		return len(x) == 0
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil()
	}
	return false
}

func isEmpty(v reflect.Value) bool {
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

func (e *ednWriter) writeList(v reflect.Value, how ednHow) {
	if how.as == "set" {
		e.Open("#{")
		defer e.Close("}")
	} else {
		e.Open("[")
		defer e.Close("]")
	}
	for i := range v.Len() {
		e.writeValue(v.Index(i), ednHow{})
	}
}

// writeObjects writes a map of structs, sorted by name. The names are strings:
// a v1 client looks for one.
func (e *ednWriter) writeObjects(v reflect.Value) {
	e.Open("{")
	names := slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, name := range names {
		e.WriteText(name.String())
		e.writeValue(v.MapIndex(name), ednHow{})
	}
	e.Close("}")
}

// writeTexts writes a map of strings, sorted by name.
func (e *ednWriter) writeTexts(v reflect.Value, how ednHow) {
	texts, ok := v.Interface().(map[string]string)
	if !ok {
		e.err = fmt.Errorf("no EDN for %v", v.Type())
		return
	}
	w := &e.EDNWriter
	if how.as == "text" {
		w = &jsl.EDNWriter{}
	}
	w.Open("{")
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		w.WriteLiteral(jsl.EDNKeyword(name))
		w.WriteText(texts[name])
	}
	w.Close("}")
	if how.as == "text" {
		e.WriteText(w.String())
	}
}

func (e *ednWriter) writeText(s string, how ednHow) {
	if (how.as == "keyword" || how.as == "ref") && !jsl.IsEDNKeyword(s) {
		how.as = "" // what an agent of somebody else's says
	}
	if how.as == "keyword" && how.arg != "" && e.refs {
		how.as = "ref"
	}
	switch {
	case how.as == "keyword" && how.arg != "":
		e.WriteLiteral(":" + how.arg + "/" + s)
	case how.as == "keyword":
		e.WriteLiteral(":" + strings.ReplaceAll(s, "_", "-"))
	case how.as == "ref":
		e.WriteLiteral("{:db/ident :" + how.arg + "/" + s + "}")
	case how.as == "in":
		e.Open("{")
		e.WriteLiteral(":" + how.arg)
		e.WriteText(s)
		e.Close("}")
	case how.as == "uuid":
		e.WriteLiteral(`#uuid "` + s + `"`)
	default:
		e.WriteText(s)
	}
}

func (e *ednWriter) writeInstant(t subjects.Time) {
	if t.IsZero() {
		e.WriteLiteral("nil")
		return
	}
	e.WriteLiteral(t.Std().UTC().Format(`#inst "2006-01-02T15:04:05.000-00:00"`))
}

func (e *ednWriter) writeDefinition(j *jsl.Job) {
	text, err := j.Format(jsl.EDN)
	if err != nil {
		e.err = err
		return
	}
	e.WriteLiteral(string(bytes.TrimSpace(text)))
}
