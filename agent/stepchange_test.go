package agent

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A NATS server accepts messages of 1 MiB unless it is configured.
func TestDataThatTheServerDoesNotAccept(t *testing.T) {
	half := []byte(`"` + strings.Repeat("x", 600<<10) + `"`)
	d := subjects.StepData{ReaderCheckpoint: half, WriterCheckpoint: half}
	if err := checkData(&d, 8<<20-resultRoom); err != nil {
		t.Errorf("max_payload of 8 MiB: %v", err)
	}
	err := checkData(&d, 1<<20-resultRoom)
	want := "persistent data and checkpoints of 1228804 bytes together: the NATS server accepts at most 983040 (its max_payload, less 65536)"
	if err == nil || err.Error() != want {
		t.Errorf("max_payload of 1 MiB: %v, want %s", err, want)
	}
}
