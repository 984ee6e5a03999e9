package deploy

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Uploads that nobody deploys fill the store only up to its limit, and only
// until they are swept.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		large := func(name string) []byte { return writeJar(0, []jarEntry{{name, make([]byte, 40<<10)}}) }
		w.maxBytes = 100 << 10
		kept := w.storeJar("a.jar", large("a"))
		if _, err := w.Deploy(t.Context(), "default", []ArtifactRef{kept}); err != nil {
			t.Fatal(err)
		}
		w.storeJar("b.jar", large("b"))
		_, _, err := w.Store(t.Context(), ArtifactRef{Name: "c.jar"}, bytes.NewReader(large("c")))
		var quota *QuotaError
		if !errors.As(err, &quota) || quota.Stored < 80<<10 || quota.Size < 40<<10 || quota.Limit != 100<<10 {
			t.Fatalf("error %v, want a QuotaError", err)
		}
		w.storeJar("a.jar", large("a")) // takes no space
		time.Sleep(2 * time.Hour)
		if err := w.sweepStore(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.storeJar("c.jar", large("c"))

		w.maxAppBytes = 60 << 10
		_, err = w.Deploy(t.Context(), "default", []ArtifactRef{kept, {"c.jar", w.storeJar("c.jar", large("c")).SHA256}})
		if !errors.As(err, &quota) || quota.App != "default" || !strings.Contains(err.Error(), "--max-app-jar-bytes") {
			t.Errorf("error %v, want a QuotaError", err)
		}
	})
}
