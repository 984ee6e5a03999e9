package accounts_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// TestReconnect holds that an agent takes requests at once after it has lost its
// connection. Pulls of the lost connection must not get any: the broker could
// not deliver them, and would wait for 30 seconds.
func TestReconnect(t *testing.T) { onBothServers(t, testReconnect) }

func testReconnect(w *world) {
	nc, err := nats.Connect(w.url, nats.Timeout(time.Minute), nats.UserCredentials(w.createToken("a1", bus.DefaultApp)), nats.CustomInboxPrefix(subjects.InboxPrefix("a1")),
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	w.check(err)
	w.Cleanup(nc.Close)
	a, err := agent.New(agent.Config{
		Conn: nc, Name: "a1", Apps: []string{bus.DefaultApp}, Slots: 4, Runtime: native.New(native.Config{}),
		DataDir: w.TempDir(), Interval: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	w.check(err)
	bustest.RunBackground(w, a.Run)
	w.runJob(bus.DefaultApp, "true")
	redelivered := 0
	for range 5 {
		reconnected := nc.StatusChanged(nats.CONNECTED)
		w.check(nc.ForceReconnect())
		<-reconnected
		nc.RemoveStatusListener(reconnected)
		if e := w.runJob(bus.DefaultApp, "true"); e.BatchStatus != subjects.Completed {
			w.Fatalf("it ended as %s: %s", e.BatchStatus, e.Exception)
		} else if e.StartTime.Std().Sub(e.CreateTime.Std()) > 25*time.Second {
			redelivered++
		}
	}
	// The broker may send a request to a connection that is just closing.
	if redelivered > 2 {
		w.Errorf("%d of 5 requests had to be delivered again", redelivered)
	}
}
