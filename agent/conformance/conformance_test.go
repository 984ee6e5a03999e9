package conformance_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent/conformance"
)

const examples = "../examples"

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "16") // the subtests mostly wait
	os.Exit(m.Run())
}

// TestGo runs the suite with package agent.
func TestGo(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "goagent")
	if out, err := exec.Command("go", "build", "-o", program, "./goagent").CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	conformance.Run(t, func(t *testing.T, o conformance.Options) *conformance.Process {
		return conformance.Start(t, exec.Command(program, "--nats-url", o.URL,
			"--name", o.Name, "--apps", strings.Join(o.Apps, ","), "--pools", strings.Join(o.Pools, ","),
			"--slots", strconv.Itoa(o.Slots), "--data", o.Data, "--heartbeat", o.Heartbeat.String()))
	})
}

// TestPython runs the suite with the example agent in Python.
func TestPython(t *testing.T) {
	t.Parallel()
	python := virtualEnvironment(t)
	conformance.Run(t, func(t *testing.T, o conformance.Options) *conformance.Process {
		seconds := strconv.FormatFloat(o.Heartbeat.Seconds(), 'f', -1, 64)
		return conformance.Start(t, exec.Command(python, filepath.Join(examples, "agent.py"), "--nats-url", o.URL,
			"--name", o.Name, "--apps", strings.Join(o.Apps, ","), "--pools", strings.Join(o.Pools, ","),
			"--slots", strconv.Itoa(o.Slots), "--data", o.Data, "--heartbeat", seconds))
	})
}

// virtualEnvironment returns the Python of a virtual environment that has the
// example's requirements. It is cached for each content of requirements.txt.
func virtualEnvironment(t *testing.T) (python string) {
	t.Helper()
	requirements := filepath.Join(examples, "requirements.txt")
	wanted, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	python3, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("no Python here: %v", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "jobstreamer-test", fmt.Sprintf("venv-%x", sha256.Sum256(wanted))[:21])
	python = filepath.Join(dir, "bin", "python")
	if exec.Command(python, "-c", "import nats").Run() == nil {
		return python
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, args := range [][]string{
		{python3, "-m", "venv", "--clear", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("cannot get what %s asks for: %s: %v\n%s", requirements, strings.Join(args, " "), err, out)
		}
	}
	return python
}
