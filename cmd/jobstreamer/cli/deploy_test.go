package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// depot imitates a control bus that stores jars.
type depot struct {
	mu          sync.Mutex
	jars        map[string]int64 // sizes by SHA-256
	deployments []rest.Deployment
	busy, most  int
	want        int           // number of concurrent uploads to wait for
	together    chan struct{} // closed when that number has been reached
	refuse      bool          // refuse all jars
	warnings    []string
	faults      []string
}

func (d *depot) startServer(t *testing.T) *httptest.Server {
	d.jars = map[string]int64{}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /app/{app}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "*" {
			d.faults = append(d.faults, "an application was overwritten")
		}
		if len(d.deployments) > 0 {
			writeAnswer(w, 409, rest.Problem{Status: 409, Code: "conflict", Detail: "the resource already exists"})
			return
		}
		writeAnswer(w, 201, rest.AppInfo{Name: r.PathValue("app")})
	})
	mux.HandleFunc("POST /{app}/deployments", d.deployPaths)
	mux.HandleFunc("PUT /artifact/{sum}", d.putArtifact)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func writeAnswer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the command reports an incomplete answer
}

func (d *depot) deployPaths(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var want rest.NewDeployment
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		d.faults = append(d.faults, err.Error())
	}
	p := rest.Problem{Status: 409, Code: "artifacts_missing", Detail: "some artifacts are not stored"}
	is := rest.Deployment{Revision: len(d.deployments) + 1, Current: true, Components: 2, Classes: 7, CreateTime: subjects.Now(), Warnings: d.warnings}
	for _, a := range want.Artifacts {
		n, ok := d.jars[a.SHA256]
		if !ok {
			p.Errors = append(p.Errors, rest.Fault{Detail: "not stored", Got: a.SHA256})
		}
		is.Artifacts = append(is.Artifacts, rest.Artifact{ArtifactRef: a, Size: n})
	}
	if len(p.Errors) > 0 {
		d.want, d.together = min(len(p.Errors), 3), make(chan struct{})
		writeAnswer(w, 409, p)
		return
	}
	d.deployments = append(d.deployments, is)
	writeAnswer(w, 201, is)
}

func (d *depot) putArtifact(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.busy++
	d.most = max(d.most, d.busy)
	if d.busy == d.want {
		close(d.together)
		d.want = 0
	}
	refuse, together := d.refuse, d.together
	d.mu.Unlock()
	select {
	case <-together:
	case <-r.Context().Done(): // the test reports the number of uploads
	}
	data, err := io.ReadAll(r.Body)
	sum := sha256.Sum256(data)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	switch {
	case refuse:
		writeAnswer(w, 507, rest.Problem{Status: 507, Code: "storage_full", Detail: "there is no room"})
		return
	case err != nil || hex.EncodeToString(sum[:]) != r.PathValue("sum"):
		d.faults = append(d.faults, "a body that is not what its path says")
	case r.ContentLength != int64(len(data)) || r.Header.Get("Content-Type") != "application/java-archive":
		d.faults = append(d.faults, "headers "+r.Header.Get("Content-Type"))
	}
	if _, there := d.jars[r.PathValue("sum")]; there {
		d.faults = append(d.faults, "a jar was sent twice")
	}
	d.jars[r.PathValue("sum")] = int64(len(data))
	w.WriteHeader(201)
}

func TestDeploy(t *testing.T) {
	d := &depot{warnings: []string{"a.jar: X.class: was passed over"}}
	e := newEnv(t)
	e.vars["JOBSTREAMER_SERVER"] = d.startServer(t).URL
	lib := makeTree(t, "a.jar", "b.jar", "c.jar", "d.jar", "e.jar", "f.jar")
	classes := makeTree(t, "a/A.class")
	first := e.runOnce(t.Context(), "app", "deploy", "shop", classes, lib)
	if first.failed != nil || strings.Count(first.out, "  new\n") != 7 || !strings.Contains(first.out, "Revision 1 of shop is deployed: 2 components in 7 classes (took ") {
		t.Errorf("%+v", first)
	}
	if !strings.Contains(first.err, "warning: a.jar: X.class: was passed over") || strings.Contains(first.out+first.err, "\x1b") {
		t.Errorf("said %q", first.err)
	}
	if d.most != 3 {
		t.Errorf("%d jars were sent at a time, want 3", d.most)
	}
	second := e.runOnce(t.Context(), "app", "deploy", "shop", classes, lib, filepath.Join(makeTree(t, "g.jar"), "g.jar"))
	if second.failed != nil || strings.Count(second.out, "  new\n") != 1 || strings.Count(second.out, "  unchanged\n") != 7 {
		t.Errorf("%+v", second)
	}
	var is rest.Deployment
	raw := e.runOnce(t.Context(), "app", "deploy", "shop", lib, "-o", "json")
	if err := json.Unmarshal([]byte(raw.out), &is); err != nil || is.Revision != 3 {
		t.Errorf("%+v, %v", raw, err)
	}
	d.refuse = true
	full := e.runOnce(t.Context(), "app", "deploy", "shop", makeTree(t, "h.class"))
	if full.failed == nil || !strings.Contains(full.err, "there is no room") {
		t.Errorf("%+v", full)
	}
	if len(d.faults) > 0 {
		t.Error(d.faults)
	}
}

func TestDeploySaysTheFirstWarnings(t *testing.T) {
	d := &depot{}
	for i := range 40 {
		d.warnings = append(d.warnings, fmt.Sprintf("a.jar: X%d.class: was passed over", i))
	}
	e := newEnv(t)
	e.vars["JOBSTREAMER_SERVER"] = d.startServer(t).URL
	lib := makeTree(t, "a.jar")
	got := e.runOnce(t.Context(), "app", "deploy", "shop", lib)
	if strings.Count(got.err, "warning: ") != 10 || !strings.HasSuffix(got.err, "X9.class: was passed over\nand 30 more; list all with `jobstreamer app revisions shop -o json`\n") {
		t.Errorf("said %q", got.err)
	}
	if got := e.runOnce(t.Context(), "app", "deploy", "shop", lib, "--verbose"); strings.Count(got.err, "warning: ") != 40 || strings.Contains(got.err, "more") {
		t.Errorf("--verbose said %q", got.err)
	}
	if got := e.runOnce(t.Context(), "app", "deploy", "shop", lib, "-o", "json"); strings.Count(got.out, "was passed over") != 40 || got.err != "" {
		t.Errorf("JSON is %+v", got)
	}
}

func TestUploadShowsHowFarItIs(t *testing.T) {
	var b strings.Builder
	p := &uploadProgress{total: 2000}
	name := "a.jar"
	p.name.Store(&name)
	p.sent.Store(1000)
	stop := p.showProgress(&statusLine{&b, true, 80})
	stop()
	if got := b.String(); !strings.Contains(got, "1.0 kB of 2.0 kB  a.jar") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
	b.Reset()
	p.showProgress(&statusLine{&b, false, 80})()
	if b.Len() > 0 {
		t.Errorf("without a terminal %q", b.String())
	}
}
