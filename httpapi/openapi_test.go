package httpapi

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

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
				seen[op.OperationID] = path
			}
		}
	})
}
