package login

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// isLoggedIn reports which of the secrets of a login are still valid.
func isLoggedIn(ctx context.Context, s *Service, secrets Secrets) (session, token bool) {
	return s.BySession(ctx, secrets.Session) != nil, s.ByToken(ctx, secrets.Token) != nil
}

func TestWhatALoginLeavesEnds(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name           string
		used           []time.Duration // times after the login at which the session is used
		at             time.Duration
		session, token bool
	}{
		{"at once it is good", nil, 0, true, true},
		{"a moment before half an hour both are", nil, 30*time.Minute - s, true, true},
		{"after half an hour without use neither is", nil, 30 * time.Minute, false, false},
		{"use keeps the session, not the token", []time.Duration{20 * time.Minute}, 40 * time.Minute, true, false},
		{"use within a minute counts to the second", []time.Duration{20 * time.Minute, 20*time.Minute + 50*s}, 50*time.Minute + 49*s, true, false},
		{"use keeps it for half an hour", []time.Duration{20 * time.Minute}, 50 * time.Minute, false, false},
		{"use after the end brings nothing back", []time.Duration{31 * time.Minute}, 32 * time.Minute, false, false},
		{"use all day keeps it all day", repeatedly(20*time.Minute, 30), 10*time.Hour + 29*time.Minute, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, _ := startService(t, bustest.Server(t), bus.Config{})
				addUser(t, svc, "ann", bus.RoleWatcher)
				secrets, begin := logIn(t, svc, "ann"), time.Now()
				for _, at := range c.used {
					time.Sleep(time.Until(begin.Add(at)))
					svc.BySession(t.Context(), secrets.Session)
				}
				time.Sleep(time.Until(begin.Add(c.at)))
				if session, token := isLoggedIn(t.Context(), svc, secrets); session != c.session || token != c.token {
					t.Errorf("session %v, token %v; want %v, %v", session, token, c.session, c.token)
				}
			})
		})
	}
}

func repeatedly(every time.Duration, n int) (all []time.Duration) {
	for i := range n {
		all = append(all, time.Duration(i+1)*every)
	}
	return all
}

func TestOneIsNotTheOther(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	addUser(t, s, "ann", bus.RoleWatcher)
	secrets := logIn(t, s, "ann")
	if s.ByToken(t.Context(), secrets.Session) != nil || s.BySession(t.Context(), secrets.Token) != nil {
		t.Error("a session passes as a token, or a token as a session")
	}
	stored := digestOfSecret(secrets.Token).String()
	if s.ByToken(t.Context(), stored) != nil || s.BySession(t.Context(), digestOfSecret(secrets.Session).String()) != nil {
		t.Error("what is stored lets somebody in")
	}
	for _, wrong := range []string{"", "x", secrets.Token[1:], NewSecrets().Token, NewSecrets().Session} {
		if s.ByToken(t.Context(), wrong) != nil || s.BySession(t.Context(), wrong) != nil {
			t.Errorf("%q lets somebody in", wrong)
		}
	}
}

func TestBusesShareSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := bustest.Server(t)
		one, stop := startService(t, srv, bus.Config{})
		two, _ := startService(t, srv, bus.Config{})
		addUser(t, one, "ann", bus.RoleWatcher)
		synctest.Wait()
		secrets := logIn(t, one, "ann")
		if session, token := isLoggedIn(t.Context(), two, secrets); !session || !token {
			t.Fatalf("at the other bus: session %v, token %v", session, token)
		}
		for range 4 { // two sees it used at one only
			time.Sleep(20 * time.Minute)
			if one.BySession(t.Context(), secrets.Session) == nil {
				t.Fatal("it ended where it was used")
			}
		}
		synctest.Wait()
		time.Sleep(28 * time.Minute)
		if session, _ := isLoggedIn(t.Context(), two, secrets); !session {
			t.Error("the other bus did not see that it was used")
		}
		stop()
		three, _ := startService(t, srv, bus.Config{})
		if session, _ := isLoggedIn(t.Context(), three, secrets); !session {
			t.Error("a new bus does not know it")
		}
		if err := three.Logout(t.Context(), secrets.Session); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if session, _ := isLoggedIn(t.Context(), two, secrets); session {
			t.Error("the other bus did not see that it was ended")
		}
		if err := three.Logout(t.Context(), secrets.Session); err != nil {
			t.Errorf("logging out twice: %v", err)
		}
	})
}

// A session that another bus issued this moment is not known yet, and is good
// all the same.
func TestAskedWhereItIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := bustest.Server(t)
		one, _ := startService(t, srv, bus.Config{})
		two, stop := startService(t, srv, bus.Config{})
		addUser(t, one, "ann", bus.RoleWatcher)
		synctest.Wait()
		stop() // it sees nothing from now on
		secrets := logIn(t, one, "ann")
		if session, token := isLoggedIn(t.Context(), two, secrets); !session || !token {
			t.Errorf("session %v, token %v", session, token)
		}
		if err := one.Logout(t.Context(), secrets.Session); err != nil {
			t.Fatal(err)
		}
		if session, _ := isLoggedIn(t.Context(), two, secrets); session {
			t.Error("it is good after its end")
		}
	})
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, "ann", bus.RoleWatcher)
		secrets := logIn(t, s, "ann")
		before := lastSequence(t, s, subjects.SessionsBucket)
		for range 600 {
			time.Sleep(time.Second)
			s.BySession(t.Context(), secrets.Session)
		}
		synctest.Wait()
		if n := lastSequence(t, s, subjects.SessionsBucket) - before; n < 9 || n > 10 {
			t.Errorf("%d writes in ten minutes, want one a minute", n)
		}
	})
}

func lastSequence(t testing.TB, s *Service, bucket string) uint64 {
	t.Helper()
	stream, err := s.b.JS.Stream(t.Context(), jetio.BucketStream(bucket))
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.LastSeq
}

// What is noted late does not bring back what was ended meanwhile.
func TestUseAfterTheEndIsNotNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, "ann", bus.RoleWatcher)
		secrets := logIn(t, s, "ann")
		synctest.Wait()
		d := digestOfSecret(secrets.Session)
		e := s.sessions[d]
		if err := s.Logout(t.Context(), secrets.Session); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		s.recordUse(d, e, subjects.Now())
		synctest.Wait()
		if _, err := s.b.Sessions.Get(t.Context(), d.String()); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A change that the watch delivers late does not replace a later one, and does
// not bring back a session that this bus has ended.
func TestLateChangesChangeNothing(t *testing.T) {
	s, stop := startService(t, bustest.Server(t), bus.Config{})
	addUser(t, s, "ann", bus.RoleWatcher)
	secrets := logIn(t, s, "ann")
	stop() // the test plays the watch
	key := digestOfSecret(secrets.Session).String()
	stored, err := s.b.Sessions.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	earlier := stored.Value
	earlier.User = "bob"
	s.putSession(key, &earlier, stored.Revision-1)
	if u := s.BySession(t.Context(), secrets.Session); u == nil {
		t.Error("an earlier change replaced a later one")
	}
	if err := s.Logout(t.Context(), secrets.Session); err != nil {
		t.Fatal(err)
	}
	s.putSession(key, &stored.Value, stored.Revision)
	if u := s.BySession(t.Context(), secrets.Session); u != nil {
		t.Error("the session is back after its end")
	}
	s.putSession(key, nil, stored.Revision+1)
	if s.sessions[parseDigest(key)] != nil {
		t.Error("the mark stays after the deletion")
	}
}

// Whether a login is valid is unknown while NATS does not answer; it is not
// invalid.
func TestPeekTellsUnknownFromInvalid(t *testing.T) {
	srv := bustest.Server(t)
	s, stop := startService(t, srv, bus.Config{})
	secrets := NewSecrets() // of another bus: not in memory
	if u, err := s.Peek(t.Context(), secrets.Token); u != nil || err != nil {
		t.Errorf("an invalid token: %v, %v", u, err)
	}
	stop()
	for range maxLookups {
		s.lookups <- struct{}{}
	}
	if _, err := s.Peek(t.Context(), secrets.Token); !errors.Is(err, ErrBusy) {
		t.Errorf("while too many ask: %v", err)
	}
	for range maxLookups {
		<-s.lookups
	}
	srv.Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Peek(ctx, secrets.Token); err == nil {
		t.Error("without NATS the token is invalid")
	}
}

// NATS takes away what has ended, and then it is out of memory too.
func TestEndedSessionsGo(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{Retention: bus.Retention{Sessions: time.Second}})
	addUser(t, s, "ann", bus.RoleWatcher)
	logIn(t, s, "ann")
	eventually(t, "nothing is left", func() bool {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return len(s.sessions) == 0
	})
}

// What ended while the connection was away is not known any more when it is
// back, whether its marker is there or not.
func TestForgottenWhenReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, "ann", bus.RoleWatcher)
		addUser(t, s, "bob", bus.RoleWatcher)
		key, _, err := s.NewKey(t.Context(), "bob", KeyLimits{})
		if err != nil {
			t.Fatal(err)
		}
		secrets := logIn(t, s, "ann")
		synctest.Wait()
		s.round++
		s.rememberUser("ann", s.userByID("ann"), s.users["ann"].rev)
		s.forgetUsers(s.round)
		s.forgetSessions(s.round)
		if len(s.sessions) != 0 || s.userByID("ann") == nil || s.userByID("bob") != nil || s.ByToken(t.Context(), key) != nil {
			t.Errorf("%d sessions, ann %v, bob %v; want ann alone", len(s.sessions), s.userByID("ann"), s.userByID("bob"))
		}
		if session, _ := isLoggedIn(t.Context(), s, secrets); !session {
			t.Error("what is in the bucket is not asked for")
		}
	})
}

// Whoever reads the buckets gets in with nothing of it.
func TestNoSecretIsStored(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	addUser(t, s, "ann", bus.RoleAdmin)
	secrets := logIn(t, s, "ann")
	key, _, err := s.NewKey(t.Context(), "ann", KeyLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if s.ByToken(t.Context(), key) == nil {
		t.Fatal("the key is not good")
	}
	for _, bucket := range []string{subjects.UsersBucket, subjects.SessionsBucket} {
		stream, err := s.b.JS.Stream(t.Context(), jetio.BucketStream(bucket))
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
			m, err := stream.GetMsg(t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			all := append([]byte(m.Subject), m.Data...)
			for _, secret := range []string{password, secrets.Token, secrets.Session, key} {
				if bytes.Contains(all, []byte(secret)) {
					t.Errorf("%s", all)
				}
			}
		}
	}
}

// How long a session may rest is a setting; a token has its own time.
func TestLongSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		s.timeout = 2 * time.Hour
		addUser(t, s, "ann", bus.RoleWatcher)
		secrets := logIn(t, s, "ann")
		for _, c := range []struct {
			after          time.Duration
			session, token bool
		}{{29 * time.Minute, true, true}, {time.Minute, true, false}, {2*time.Hour - time.Second, true, false}, {2 * time.Hour, false, false}} {
			time.Sleep(c.after)
			if session, token := isLoggedIn(t.Context(), s, secrets); session != c.session || token != c.token {
				t.Errorf("%v later: session %v, token %v; want %v, %v", c.after, session, token, c.session, c.token)
			}
		}
	})
}

// What another bus noted of an earlier use does not take away a later one.
func TestAnEarlierUseChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, "ann", bus.RoleWatcher)
		secrets := logIn(t, s, "ann")
		synctest.Wait()
		d := digestOfSecret(secrets.Session)
		v := s.sessions[d].Session
		time.Sleep(20 * time.Minute)
		s.BySession(t.Context(), secrets.Session)
		synctest.Wait()
		s.putSession(d.String(), &v, s.sessions[d].rev+1)
		time.Sleep(29 * time.Minute)
		if session, _ := isLoggedIn(t.Context(), s, secrets); !session {
			t.Error("it ended before its time")
		}
	})
}
