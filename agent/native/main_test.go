package native_test

import (
	"os"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
)

func TestMain(m *testing.M) { os.Exit(agenttest.Main(m)) }
