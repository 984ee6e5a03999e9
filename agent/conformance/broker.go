package conformance

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// broker is the NATS server that all rooms share.
type broker struct {
	addr  string
	nc    *nats.Conn
	js    jetstream.JetStream
	rooms atomic.Int64
	ids   atomic.Int64 // execution ids are unique in the whole system
}

// newBroker starts a broker. Each agent that may connect has a user there, with
// the permissions that the contract gives an agent.
func newBroker(t *testing.T, rooms int) *broker {
	t.Helper()
	users := []*server.User{{Username: "bus", Password: secret}}
	for n := range rooms {
		app, agent := roomNames(n + 1)
		users = append(users, agentUser(app, agent), agentUser(app, agent+"-b"))
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, Users: users,
	})
	if err != nil {
		t.Fatalf("broker: %v", err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(deadline) {
		t.Fatal("broker: not ready")
	}
	b := &broker{addr: s.Addr().String()}
	if b.nc, err = nats.Connect("", nats.InProcessServer(s), nats.UserInfo("bus", secret)); err != nil {
		t.Fatalf("broker: %v", err)
	}
	t.Cleanup(b.nc.Close)
	if b.js, err = jetstream.New(b.nc); err != nil {
		t.Fatalf("broker: %v", err)
	}
	for name, all := range map[string]string{subjects.ResultsStream: subjects.AllResults, subjects.LogsStream: subjects.AllLogs} {
		config := jetstream.StreamConfig{Name: name, Subjects: []string{all}, AllowDirect: true}
		if _, err := b.js.CreateStream(t.Context(), config); err != nil {
			t.Fatalf("stream %s: %v", name, err)
		}
	}
	return b
}

// secret is the password of all users.
const secret = "secret"

// agentUser returns the user of an agent of one application, with the
// permissions in the contract.
func agentUser(app, agent string) *server.User {
	stream := subjects.RequestStream(app)
	return &server.User{Username: agent, Password: secret, Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"jobstreamer.result." + app + ".*.*." + agent, "jobstreamer.log." + app + ".*.*." + agent,
			"jobstreamer.heartbeat." + agent, "jobstreamer.command." + agent + ".ping",
			"$JS.API.CONSUMER.MSG.NEXT." + stream + ".*", "$JS.ACK." + stream + ".>",
			"$JS.API.DIRECT.GET." + subjects.ResultsStream + ".jobstreamer.result." + app + ".>",
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{
			"jobstreamer.command." + agent + ".*", "jobstreamer.heartbeat." + agent, subjects.InboxPrefix(agent) + ".>",
		}},
		Response: &server.ResponsePermission{MaxMsgs: 1, Expires: time.Minute},
	}}
}

// roomNames returns the names of the nth room's application and agent.
func roomNames(n int) (app, agent string) {
	return fmt.Sprintf("app-%d", n), fmt.Sprintf("agent-%d", n)
}
