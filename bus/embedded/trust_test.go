package embedded_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
)

// A server that restarts itself knows the accounts again: clients with
// credentials come back, and the accounts share what they shared.
func TestRestartWithAccounts(t *testing.T) {
	keys, err := accounts.OpenKeys(t.TempDir())
	check(t, err)
	trust, err := keys.Trust()
	check(t, err)
	s, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Trust: trust})
	check(t, err)
	defer s.Stop()
	asBus, err := keys.ConnectBus()
	check(t, err)
	credentials, err := keys.LookCredentials(false)
	check(t, err)
	file := filepath.Join(t.TempDir(), "look.creds")
	check(t, os.WriteFile(file, credentials, 0o600))
	quick := []nats.Option{nats.Timeout(time.Minute), nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond)}
	sender, err := s.Connect(append(quick, asBus)...)
	check(t, err)
	defer sender.Close()
	reader, err := nats.Connect(s.URL(), append(quick, nats.UserCredentials(file))...)
	check(t, err)
	defer reader.Close()
	seen, err := reader.SubscribeSync("jobstreamer.>")
	check(t, err)
	check(t, reader.Flush())
	for range 3 {
		within(t, "a message of the bus arrives", func() bool {
			_ = sender.Publish("jobstreamer.event.x", nil) // an error while it reconnects
			_, err := seen.NextMsg(100 * time.Millisecond)
			return err == nil
		})
		check(t, embedded.RestartServer(s))
		if nc, err := nats.Connect(s.URL(), nats.Timeout(time.Minute)); err == nil {
			nc.Close()
			t.Error("the restarted server accepts clients without credentials")
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
