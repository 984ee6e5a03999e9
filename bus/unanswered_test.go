package bus_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A nats-server elsewhere whose disk is full answers everything but writes.
// Health names the streams, and forgets after a while.
func TestWritesWithoutAnswer(t *testing.T) {
	dir := bustest.SmallDisk(t, "16m")
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.ServerIn(t, dir), bus.Config{})
		if err := b.Healthy(t.Context()); err != nil {
			t.Fatal(err)
		}
		// As much as there is room for.
		_ = os.WriteFile(filepath.Join(dir, "other"), make([]byte, 32<<20), 0o600)
		write := func(subject string) error {
			_, err := b.Pub.Do(t.Context(), &nats.Msg{Subject: subject, Data: make([]byte, 1<<20)}, "", -1)
			return err
		}
		if err := write(subjects.ResultSubject("shop", "j", 1, "a1")); !errors.Is(err, bus.ErrUnknown) {
			t.Errorf("write = %v, want ErrUnknown", err)
		}
		err := b.Healthy(t.Context())
		if !errors.Is(err, bus.ErrAway) || !strings.Contains(err.Error(), "does not answer writes to jobstreamer.result; is its disk full?") {
			t.Errorf("Healthy() = %v", err)
		}
		time.Sleep(31 * time.Second)
		if err := b.Healthy(t.Context()); err != nil {
			t.Errorf("half a minute later Healthy() = %v", err)
		}
	})
}
