package login

import (
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }

// startService runs the service of one more bus on srv, until stop or the end
// of the test.
func startService(t testing.TB, srv *server.Server, cfg bus.Config) (s *Service, stop func()) {
	t.Helper()
	s = New(Config{Bus: bustest.Open(t, srv, cfg)})
	stop = bustest.RunBackground(t, s.Run)
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, stop
}

const password = "correct horse"

// addUser creates a user with a role for all applications.
func addUser(t testing.TB, s *Service, id, role string) {
	t.Helper()
	if err := s.Add(t.Context(), id, password, map[string]string{bus.DefaultApp: role}); err != nil {
		t.Fatal(err)
	}
}

// storeUser creates a user without a password, which takes less time.
func storeUser(t testing.TB, s *Service, id, role string) {
	t.Helper()
	u := bus.User{ID: id, Roles: map[string]string{bus.DefaultApp: role}, CreateTime: subjects.Now()}
	rev, err := s.b.Users.Create(t.Context(), id, u)
	if err != nil {
		t.Fatal(err)
	}
	s.rememberUser(id, &u, rev)
}

func logIn(t testing.TB, s *Service, id string) Secrets {
	t.Helper()
	secrets, err := s.Login(t.Context(), Attempt{ID: id, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

// eventually blocks until another bus has done something.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
