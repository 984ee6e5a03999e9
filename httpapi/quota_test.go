package httpapi

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
)

// The answer beyond the limit says how much is stored and what the limit is.
func TestJarQuota(t *testing.T) {
	e := newEnv(t)
	d, err := deploy.New(deploy.Config{Bus: e.bus, Objects: bustest.Artifacts(t, e.bus), TempDir: t.TempDir(), MaxBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	e.server.cfg.Deployments = d
	jar := string(jarOf(t, map[string][]byte{"a/B.class": class("a/B", "javax/batch/api/Batchlet")}))
	got := e.call("PUT", "/artifact/"+sha(jar), jar).code(507, "jar_quota")
	if !strings.Contains(string(got.body), "0 bytes of jars are stored") || !strings.Contains(string(got.body), "limit is 100 bytes") {
		t.Errorf("%s", got.body)
	}
}
