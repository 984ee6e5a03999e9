package login

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// guess tries a wrong password, and returns how long the throttle makes it
// wait: 0 if the password was checked.
func guess(ctx context.Context, t *testing.T, s *Service, id, address string) time.Duration {
	t.Helper()
	_, err := s.Login(ctx, Attempt{id, "wrong", address})
	var paused *PausedError
	if !errors.As(err, &paused) {
		if err != ErrWrong {
			t.Fatalf("%s from %s: %v", id, address, err)
		}
		return 0
	}
	return paused.Wait
}

// pausedService is a service in fake time with the user ann.
func pausedService(t *testing.T, test func(t *testing.T, s *Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, "ann", bus.RoleAdmin)
		test(t, s)
	})
}

// Users who do not exist, and ids that no user can have, are treated alike.
func TestGuessesArePaused(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		for i, id := range []string{"ann", "nobody", "no id!"} {
			address := fmt.Sprintf("192.0.2.%d", i)
			for n := range freeTries {
				if got := guess(t.Context(), t, s, id, address); got != 0 {
					t.Fatalf("%s: try %d waits %v", id, n+1, got)
				}
			}
			const sec = time.Second
			for _, want := range []time.Duration{sec, 2 * sec, 4 * sec, 8 * sec, 16 * sec, 32 * sec, 64 * sec, 128 * sec, 256 * sec, maxPause, maxPause} {
				for range 2 { // a refused try prolongs nothing
					if got := guess(t.Context(), t, s, id, address); got != want {
						t.Fatalf("%s: waits %v, want %v", id, got, want)
					}
				}
				time.Sleep(want)
				if got := guess(t.Context(), t, s, id, address); got != 0 {
					t.Fatalf("%s: after its pause of %v it waits %v", id, want, got)
				}
			}
			time.Sleep(forgetTime)
			for n := range freeTries {
				if got := guess(t.Context(), t, s, id, address); got != 0 {
					t.Fatalf("%s: an hour later try %d waits %v", id, n+1, got)
				}
			}
		}
	})
}

// The right password waits like a wrong one, and ends the pauses.
func TestRightPasswordEndsPauses(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		right := Attempt{"ann", password, "192.0.2.1"}
		for range freeTries {
			guess(t.Context(), t, s, "ann", right.Address)
		}
		var paused *PausedError
		if _, err := s.Login(t.Context(), right); !errors.As(err, &paused) || paused.Seconds() != 1 {
			t.Errorf("in the pause: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := s.Login(t.Context(), right); err != nil {
			t.Errorf("after the pause: %v", err)
		}
		for n := range freeTries {
			if got := guess(t.Context(), t, s, "ann", right.Address); got != 0 {
				t.Errorf("after the right password try %d waits %v", n+1, got)
			}
		}
	})
}

// The failures of an attacker with one or many addresses lock nobody out who
// tries from another address for the first time.
func TestNobodyIsLockedOut(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		for i := range 100 {
			s.throttle.fail(&Attempt{"ann", "", fmt.Sprintf("198.51.100.%d", i)})
		}
		if got := guess(t.Context(), t, s, "ann", "198.51.100.7"); got != maxPause {
			t.Errorf("one of many attackers waits %v at their second try, want %v", got, maxPause)
		}
		for range 2 {
			if _, err := s.Login(t.Context(), Attempt{"ann", password, "192.0.2.1"}); err != nil {
				t.Errorf("from another address: %v", err)
			}
			for i := range 100 {
				s.throttle.fail(&Attempt{"ann", "", fmt.Sprintf("203.0.113.%d", i)})
			}
			// A known address may be mistaken too.
			if got := guess(t.Context(), t, s, "ann", "192.0.2.1"); got != 0 {
				t.Errorf("from the known address: %v", got)
			}
		}
	})
}

// An attacker with any number of addresses has few first tries of a user in an
// hour. Then new addresses wait like others, but known addresses do not.
func TestNewAddressesAreLimited(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		if _, err := s.Login(t.Context(), Attempt{"ann", password, "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		next := 0
		guessOften := func(id string) (checked int) {
			for range 2 * freeNew {
				next++
				if guess(t.Context(), t, s, id, fmt.Sprintf("198.51.%d.%d", next/250, next%250)) == 0 {
					checked++
				}
			}
			return checked
		}
		for _, id := range []string{"nobody", "ann"} {
			if n := guessOften(id); n != freeNew {
				t.Errorf("%s: %d passwords were checked, want %d", id, n, freeNew)
			}
		}
		// Known addresses do not wait, though new ones do.
		if got := guess(t.Context(), t, s, "ann", "192.0.2.1"); got != 0 {
			t.Errorf("a known address waits %v", got)
		}
		for range 10 {
			time.Sleep(maxPause)
			if n := guessOften("ann"); n != 1 {
				t.Errorf("after a pause %d passwords were checked, want 1", n)
			}
		}
		time.Sleep(2 * time.Hour)
		if n := guessOften("ann"); n != freeNew {
			t.Errorf("hours later %d passwords were checked, want %d", n, freeNew)
		}
	})
}

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
		"127.0.0.1": "loopback", "127.66.5.4": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback", "::ffff:7f42:1": "loopback",
		"128.0.0.1": "128.0.0.1", "unix socket": "unix socket", "": "",
	} {
		if got := NetworkOf(address); got != want {
			t.Errorf("NetworkOf(%q) = %q, want %q", address, got, want)
		}
	}
}

// One address that tries many users is paused, also if it has a user of its
// own; so are all addresses of an IPv6 network.
func TestAddressesArePaused(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		for i := range freeOthers {
			if wait := s.throttle.admit(&Attempt{fmt.Sprintf("user%d", i), "", fmt.Sprintf("2001:db8::%x", i)}); wait != 0 {
				t.Fatalf("user %d waits %v", i, wait)
			}
			s.throttle.fail(&Attempt{fmt.Sprintf("user%d", i), "", fmt.Sprintf("2001:db8::%x", i)})
			s.throttle.succeed(&Attempt{"eve", "", "2001:db8::1"})
		}
		if got := guess(t.Context(), t, s, "ann", "2001:db8::ffff"); got != 0 {
			t.Errorf("the first after the free ones waits %v", got)
		}
		if got := guess(t.Context(), t, s, "bob", "2001:db8::1:1"); got != 2*time.Second {
			t.Errorf("one more waits %v", got)
		}
		if got := guess(t.Context(), t, s, "ann", "2001:db8:0:1::"); got != 0 {
			t.Errorf("from another network: %v", got)
		}
	})
}

// After the free tries only one password is checked for each pause, however
// many come at the same time.
func TestPausesHoldForParallelTries(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		for range freeTries {
			guess(t.Context(), t, s, "ann", "192.0.2.1")
		}
		time.Sleep(time.Second)
		var wg sync.WaitGroup
		var mu sync.Mutex
		checked := 0
		for range 20 {
			wg.Go(func() {
				if guess(t.Context(), t, s, "ann", "192.0.2.1") == 0 {
					mu.Lock()
					checked++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if checked != 1 {
			t.Errorf("%d passwords were checked, want 1", checked)
		}
	})
}

// Passwords that are being checked count as wrong ones until they are known to
// be right, so parallel tries have no more free tries than one after the other.
func TestFreeTriesHoldForParallelTries(t *testing.T) {
	throttle := newThrottle(freeNew)
	admitAll := func(n int) (admitted []*Attempt) {
		for range n {
			if a := (&Attempt{"ann", "", "192.0.2.1"}); throttle.admit(a) == 0 {
				admitted = append(admitted, a)
			}
		}
		return admitted
	}
	all := admitAll(3 * freeTries)
	if len(all) != freeTries {
		t.Fatalf("%d are checked at the same time, want %d", len(all), freeTries)
	}
	for _, a := range all { // NATS did not answer
		throttle.release(a)
	}
	if all = admitAll(3 * freeTries); len(all) != freeTries {
		t.Fatalf("after none was checked %d are admitted, want %d", len(all), freeTries)
	}
	for _, a := range all[1:] {
		throttle.fail(a)
	}
	throttle.succeed(all[0])
	if all = admitAll(3 * freeTries); len(all) != freeTries {
		t.Errorf("after the right password %d are admitted, want %d", len(all), freeTries)
	}
}

// An attempt that NATS kept from being checked is no failed one.
func TestUncheckedAttemptsAreReleased(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for n := range 2 * freeTries {
			if _, err := s.Login(ended, Attempt{"ann", "wrong", "192.0.2.1"}); !errors.Is(err, context.Canceled) {
				t.Fatalf("try %d: %v", n+1, err)
			}
		}
	})
}

func TestThrottleIsBounded(t *testing.T) {
	throttle := newThrottle(freeNew)
	for i := range 3 * maxTracked {
		throttle.fail(&Attempt{fmt.Sprint("user", i), "", fmt.Sprint("address", i)})
	}
	for _, m := range []*failureMap{throttle.pairs, throttle.addresses, throttle.users} {
		if m.Len() != maxTracked {
			t.Errorf("%d are kept", m.Len())
		}
	}
}

// A failed login is a line in the log: who and from where, not the password.
func TestFailedLoginsAreLogged(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	var lines bytes.Buffer
	s.log = slog.New(slog.NewJSONHandler(&lines, nil))
	for _, id := range []string{"ann", "an\x1b[2Jn\n\xff", strings.Repeat("x", 500)} {
		if _, err := s.Login(t.Context(), Attempt{id, "my secret", "192.0.2.1"}); err != ErrWrong {
			t.Fatal(err)
		}
	}
	got := lines.String()
	for _, want := range []string{`"msg":"login failed","user":"ann","address":"192.0.2.1"`, `"user":"an�[2Jn��"`, `"user":"` + strings.Repeat("x", 40) + `"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in the log:\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 3 || strings.Contains(got, "secret") {
		t.Errorf("log:\n%s", got)
	}
}

// Refused tries with other ids do not make the throttle forget a pause.
func TestRefusedTriesPushNothingOut(t *testing.T) {
	pausedService(t, func(t *testing.T, s *Service) {
		for range freeOthers {
			guess(t.Context(), t, s, "ann", "192.0.2.1")
			time.Sleep(maxPause)
		}
		guess(t.Context(), t, s, "ann", "192.0.2.1")
		want := guess(t.Context(), t, s, "ann", "192.0.2.1")
		if want == 0 {
			t.Fatal("there is no pause")
		}
		for i := range maxTracked + 10 {
			guess(t.Context(), t, s, fmt.Sprint("user-", i), "192.0.2.1")
		}
		if got := guess(t.Context(), t, s, "ann", "192.0.2.1"); got != want {
			t.Errorf("after refused tries: it waits %v, want %v", got, want)
		}
		if n := s.throttle.pairs.Len(); n > 1 {
			t.Errorf("%d pairs are stored, want the one whose password was checked", n)
		}
	})
}
