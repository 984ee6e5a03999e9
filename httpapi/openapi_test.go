package httpapi

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
)

// described checks an answer against the document: what it says is what is
// sent.
func (e *env) described(method, path string, r *reply) {
	e.t.Helper()
	template, op := e.operation(method, path)
	if op == nil {
		return
	}
	status := strconv.Itoa(r.status)
	answer := op.Responses.Status(r.status)
	if answer == nil {
		status, answer = "default", op.Responses.Default()
	}
	if answer == nil {
		e.t.Errorf("%s = %d, which is not described", r.asked, r.status)
		return
	}
	media, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	content := answer.Value.Content[media]
	if content == nil {
		if len(r.body) > 0 {
			e.t.Errorf("%s = %d %s, which is not described", r.asked, r.status, media)
		}
		return
	}
	if !strings.HasSuffix(media, "json") || content.Schema == nil {
		return
	}
	var v any
	r.into(&v)
	if method == http.MethodHead {
		method = http.MethodGet
	}
	schema, err := schemaAt("paths", template, strings.ToLower(method), "responses", status, "content", media, "schema")
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		e.t.Errorf("%s = %s\nis not as described: %v", r.asked, r.body, err)
	}
}

// operation finds the operation of a path, with as many segments that are not
// parameters as possible.
func (e *env) operation(method, path string) (template string, found *openapi3.Operation) {
	path, _, _ = strings.Cut(path, "?")
	segments, best := strings.Split(path, "/"), -1
	for t, item := range e.doc.Paths.Map() {
		parts, same := strings.Split(t, "/"), 0
		if len(parts) != len(segments) {
			continue
		}
		for i, p := range parts {
			if p == segments[i] {
				same++
			} else if !strings.HasPrefix(p, "{") {
				same = -100
			}
		}
		if op := item.GetOperation(strings.ToUpper(method)); same > best && method != "HEAD" && method != "PATCH" && op != nil {
			best, template, found = same, t, op
		}
	}
	return template, found
}

// theDocument returns the document, read once for all tests: each server has
// the same one.
var theDocument = sync.OnceValues(func() (*openapi3.T, *jsonschema.Compiler) {
	s, _ := fakeServer()
	text := document(s.api)
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		panic(err)
	}
	values, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(documentURL, values); err != nil {
		panic(err)
	}
	return doc, compiler
})

const documentURL = "file:///openapi.json"

var compiling sync.Mutex

// schemaAt returns the schema at a place in the document. Compiling one takes
// much longer than validating an answer, and the compiler keeps those it has
// compiled.
func schemaAt(segments ...string) (*jsonschema.Schema, error) {
	_, compiler := theDocument()
	var at strings.Builder
	for _, s := range segments {
		at.WriteString("/" + url.PathEscape(codec.Escape(s)))
	}
	compiling.Lock()
	defer compiling.Unlock()
	return compiler.Compile(documentURL + "#" + at.String())
}

func TestOpenAPI(t *testing.T) {
	s, _ := fakeServer()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	if w.Code != 200 {
		t.Fatalf("GET /openapi.json = %d", w.Code)
	}
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	golden(t, "openapi.json", indent(t, w.Body.Bytes()))

	t.Run("every first segment is reserved", func(t *testing.T) {
		for path := range doc.Paths.Map() {
			first := strings.Split(path, "/")[1]
			if !strings.HasPrefix(first, "{") && !slices.Contains(reserved, first) {
				t.Errorf("%s: an application may be called %s", path, first)
			}
		}
	})
	t.Run("every operation has an id of its own", func(t *testing.T) {
		seen := map[string]string{}
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				if other := seen[op.OperationID]; other != "" || op.OperationID == "" {
					t.Errorf("%s %s: id %q is that of %s", method, path, op.OperationID, other)
				}
				if strings.ContainsAny(op.OperationID, "{}/") {
					t.Errorf("%s %s: id %q has a part of the path that varies", method, path, op.OperationID)
				}
				seen[op.OperationID] = path
			}
		}
	})
	t.Run("every parameter has a description", func(t *testing.T) {
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				for _, p := range op.Parameters {
					if p.Value.Description == "" {
						t.Errorf("%s %s: parameter %s has no description", method, path, p.Value.Name)
					}
				}
			}
		}
	})
}

// A route that only reads is declared as such in the table of routes, and
// everything that depends on it asks the declaration.
func TestRoutesThatOnlyRead(t *testing.T) {
	s, _ := fakeServer()
	readingPosts := []string{"/jobs/convert-xml", "/{app}/jobs/preview", "/schedule/preview"}
	for path, item := range s.api.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{get: item.Get, post: item.Post, put: item.Put, del: item.Delete} {
			if op == nil {
				continue
			}
			want := method == get || method == post && slices.Contains(readingPosts, path)
			if got := traitsOf(op).readsOnly; got != want {
				t.Errorf("%s %s: reads only %v, want %v", method, path, got, want)
			}
		}
	}
}

// What the other tests rely on: an answer that is not as described is found.
func TestSchemasOfAnswers(t *testing.T) {
	schema, err := schemaAt("paths", "/{app}/stats", "get", "responses", "200", "content", "application/json", "schema")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{`{"agents":1,"jobs":2}`: true, `{"agents":1}`: false, `{"agents":"1","jobs":2}`: false, `[]`: false} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != want {
			t.Errorf("%s: %v, want it valid %v", text, err, want)
		}
	}
}
