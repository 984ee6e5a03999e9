package httpapi

import (
	"flag"
	"os"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }
