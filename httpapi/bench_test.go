package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The hot path without what is behind it.
func BenchmarkPostExecution(b *testing.B) {
	for name, body := range map[string]string{"empty": "", "parameters": `{"parameters":{"date":"2026-11-24","count":"100"}}`} {
		b.Run(name, func(b *testing.B) {
			s, _ := fakeServer()
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/default/job/JOB-1/executions", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != 201 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
