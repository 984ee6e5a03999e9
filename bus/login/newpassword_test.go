package login

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func TestNewPasswords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ id, password, refused string }{
		{"admin", "password", "most common"},
		{"admin", "Password123!", "most common"},
		{"admin", "12345678", "most common"},
		{"ann", "admin123", "most common"},
		{"ann", "aaaaaaaaaaaa", "most common"},
		{"ann", "12121212121212", "most common"},
		{"ann", "QWERTZUIOP", "most common"},
		{"petrosilius", "Petrosilius", "user's id"},
		{"petrosilius", "petrosilius2026!", "user's id"},
		{"petro_4711", "petro_4711", "user's id"},
		{"12345678", "90517263", ""},
		{"ann", "1234567", "at least 8"},
		{"ann", strings.Repeat("abcdefgh", 200), "at most 1024"},
		{"ann", password, ""},
		{"ann", "ann likes tea", ""},
		{"ann", "f4-91kx-77", ""},
		{"ann", RandomPassword(), ""},
	} {
		err := CheckNewPassword(c.id, c.password)
		if (err != nil) != (c.refused != "") || err != nil && (!strings.Contains(err.Error(), c.refused) || len(c.password) > 8 && strings.Contains(err.Error(), c.password)) {
			t.Errorf("%s, %s: %v, want %q", c.id, c.password, err, c.refused)
		}
	}
	var field *bus.FieldError
	s := New(Config{Bus: &bus.Bus{}})
	if err := s.Add(t.Context(), "ann", "password", nil); !errors.As(err, &field) {
		t.Errorf("Add: %v", err)
	}
	if err := s.SetPassword(t.Context(), "ann", "password", ""); !errors.As(err, &field) {
		t.Errorf("SetPassword: %v", err)
	}
}

// A new password ends all logins but the one that set it, at all buses. Keys
// stay.
func TestPasswordEndsLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := bustest.Server(t)
		one, _ := startService(t, srv, bus.Config{})
		two, _ := startService(t, srv, bus.Config{})
		addUser(t, one, "ann", bus.RoleWatcher)
		addUser(t, one, "bob", bus.RoleAdmin)
		synctest.Wait()
		key, _, err := one.NewKey(t.Context(), "ann", KeyLimits{})
		if err != nil {
			t.Fatal(err)
		}
		admin := logIn(t, one, "bob")
		for i, keep := range []func(Secrets) string{func(s Secrets) string { return s.Token }, func(s Secrets) string { return s.Session }, func(Secrets) string { return admin.Token }} {
			kept, other := logIn(t, one, "ann"), logIn(t, two, "ann")
			synctest.Wait()
			if err := one.SetPassword(t.Context(), "ann", password, keep(kept)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, s := range []*Service{one, two} {
				if session, token := isLoggedIn(t.Context(), s, kept); session != (i < 2) || token != (i < 2) {
					t.Errorf("%d: the login that set it: session %v, token %v", i, session, token)
				}
				if session, token := isLoggedIn(t.Context(), s, other); session || token {
					t.Errorf("%d: another login: session %v, token %v", i, session, token)
				}
				if session, token := isLoggedIn(t.Context(), s, admin); !session || !token {
					t.Errorf("%d: another user: session %v, token %v", i, session, token)
				}
				if s.ByToken(t.Context(), key) == nil {
					t.Errorf("%d: the key has ended", i)
				}
			}
			// What has ended cannot be kept.
			if err := one.SetPassword(t.Context(), "ann", password, other.Token); err != nil {
				t.Fatal(err)
			}
			if session, token := isLoggedIn(t.Context(), one, other); session || token {
				t.Errorf("%d: an ended login is valid again: session %v, token %v", i, session, token)
			}
		}
	})
}

// Logging out ends both secrets of the login, and no other login.
func TestLogoutEndsBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, "ann", bus.RoleWatcher)
		other := logIn(t, s, "ann")
		for _, secret := range []func(Secrets) string{func(s Secrets) string { return s.Token }, func(s Secrets) string { return s.Session }} {
			ended := logIn(t, s, "ann")
			if err := s.Logout(t.Context(), secret(ended)); err != nil {
				t.Fatal(err)
			}
			if session, token := isLoggedIn(t.Context(), s, ended); session || token {
				t.Errorf("session %v, token %v", session, token)
			}
		}
		if session, token := isLoggedIn(t.Context(), s, other); !session || !token {
			t.Errorf("another login: session %v, token %v", session, token)
		}
	})
}
