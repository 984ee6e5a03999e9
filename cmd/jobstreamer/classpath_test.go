package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// The data directory of the bus is closed to class paths, and a root that
// cannot be used is a usage error.
func TestClassPathsOfTheMachine(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := startDev(t, data, "--classpath-root", t.TempDir())
	for _, path := range []string{data, filepath.Join(data, "nats"), "/dev"} {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", d.rest+"/app/shop", strings.NewReader(fmt.Sprintf(`{"classpath":[%q]}`, path)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 422 {
			t.Errorf("%s: %s, want 422", path, res.Status)
		}
	}
	for _, root := range []string{filepath.Join(data, "none"), "/proc/self"} {
		got := runCaptured(t.Context(), testEnv, "serve", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--classpath-root", root)
		if got.code != exitUsage || !strings.Contains(got.err, "--classpath-root: want an existing folder") {
			t.Errorf("%+v", got)
		}
	}
}
