package native_test

import (
	"os"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

// runAsAgent is an environment variable that makes the test program run a
// command in the way an agent does.
const runAsAgent = "JOBSTREAMER_TEST_COMMAND"

func TestMain(m *testing.M) {
	if command := os.Getenv(runAsAgent); command != "" {
		native.RunShell(command)
		return
	}
	if url := os.Getenv(crashAgent); url != "" {
		runCrashAgent(url)
		return
	}
	os.Exit(agenttest.Main(m))
}
