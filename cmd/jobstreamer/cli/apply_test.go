package cli

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestApplyAsksOnceForEachFile(t *testing.T) {
	e, _ := withBus(t)
	dir := t.TempDir()
	args := []string{"job", "apply"}
	for _, job := range []string{"one", "two", "three"} {
		file := filepath.Join(dir, job+".yaml")
		if err := os.WriteFile(file, []byte("id: "+job+"\nsteps:\n  - {id: s, batchlet: {ref: Gone}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if got := e.runOnce(t.Context(), args...); got.failed != nil || !strings.HasSuffix(got.out, "\n3 jobs: 3 created.\n") {
		t.Fatalf("%+v", got)
	}
	there, err := url.Parse(e.vars["JOBSTREAMER_SERVER"])
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]int{} // number of requests by the last element of the path
	proxy := httputil.NewSingleHostReverseProxy(there)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	e.vars["JOBSTREAMER_SERVER"] = s.URL
	got := e.runOnce(t.Context(), args...)
	if got.failed != nil || !strings.HasSuffix(got.out, "\n3 jobs: 3 unchanged.\n") || strings.Count(got.err, "Gone") != 3 {
		t.Errorf("%+v", got)
	}
	if asked["preview"] != 3 || len(asked) != 1 {
		t.Errorf("asked %v, want one request for each file", asked)
	}
}
