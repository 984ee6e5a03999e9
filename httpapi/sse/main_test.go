package sse

import (
	"os"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }
