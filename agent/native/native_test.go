package native_test

import (
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestFirst(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: native.New(native.Config{})})
	end := room.Run(`{"id":"job","steps":[{"id":"one","batchlet":{"ref":"org.jobstreamer.batch.ShellBatchlet","properties":{"command":"echo hello"}}}]}`)
	if end.BatchStatus != subjects.Completed {
		t.Errorf("end %+v", end)
	}
	t.Log(room.Results(1))
	t.Log(room.Lines(1))
}
