package login

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

const issuer = "https://login.example.com"

// trusting runs a service that trusts the issuer.
func trusting(t *testing.T) *Service {
	t.Helper()
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	s.issuer = issuer
	return s
}

func external(subject, name string, roles map[string]string) External {
	return External{Provider: "sso", Issuer: issuer, Subject: subject, Name: name, Roles: roles}
}

var operators = map[string]string{bus.DefaultApp: bus.RoleOperator}

func enter(t *testing.T, s *Service, x External) (*bus.User, Secrets) {
	t.Helper()
	secrets, err := s.LoginExternal(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	u := s.ByToken(t.Context(), secrets.Token)
	if u == nil || s.BySession(t.Context(), secrets.Session) == nil {
		t.Fatal("the login is not valid")
	}
	return u, secrets
}

// Users of a provider are known by issuer and subject; names only label them,
// and none is a user of this control bus.
func TestExternalUsers(t *testing.T) {
	s := trusting(t)
	storeUser(t, s, "ann", bus.RoleAdmin)
	ann, _ := enter(t, s, external("u-1", "ann", operators))
	if ann.ID != "sso.ann" || ann.Role("") != bus.RoleOperator || ann.Subject != "u-1" {
		t.Errorf("%+v", ann)
	}
	if u := s.userByID("ann"); u.Role("") != bus.RoleAdmin || u.Issuer != "" {
		t.Errorf("the local user became %+v", u)
	}
	if other, _ := enter(t, s, external("u-2", "Ann", operators)); other.ID != "sso.Ann-2" {
		t.Errorf("another ann is %s", other.ID)
	}
	if renamed, _ := enter(t, s, external("u-1", "anne", map[string]string{bus.DefaultApp: bus.RoleWatcher})); renamed.ID != "sso.ann" || renamed.Name != "anne" || renamed.Role("") != bus.RoleWatcher {
		t.Errorf("after a change of name and groups: %+v", renamed)
	}
	if err := s.Remove(t.Context(), "sso.ann"); err != nil {
		t.Fatal(err)
	}
	if heir, _ := enter(t, s, external("u-3", "ann", operators)); heir.ID != "sso.ann" || heir.Subject != "u-3" {
		t.Errorf("%+v", heir)
	}
	for name, want := range map[string]string{"": "sso.user", "…": "sso.user", "bob@example.com": "sso.bob-example-com", "a.b/../c*>": "sso.a-b----c", "ADMIN": "sso.ADMIN"} {
		if u, _ := enter(t, s, external("named "+name, name, operators)); u.ID != want && u.ID != want+"-2" || !isStored(u.ID) || ValidID(u.ID) {
			t.Errorf("%q is %s, want %s", name, u.ID, want)
		}
	}
	if err := s.Add(t.Context(), "sso.eve", password, operators); err == nil {
		t.Error("a local user has the id of a provider's")
	}
}

// What a provider decides cannot be changed here.
func TestProviderDecides(t *testing.T) {
	s := trusting(t)
	storeUser(t, s, "root", bus.RoleAdmin)
	enter(t, s, external("u-1", "ann", map[string]string{bus.DefaultApp: bus.RoleAdmin}))
	for _, guess := range []string{"", password, "ann"} {
		if _, err := s.Login(t.Context(), Attempt{ID: "sso.ann", Password: guess}); err != ErrWrong {
			t.Errorf("by the password %q: %v", guess, err)
		}
	}
	if err := s.SetPassword(t.Context(), "sso.ann", "a long new one", ""); !bus.HasCode(err, CodeProviderUser) {
		t.Errorf("a new password: %v", err)
	}
	if _, err := s.SetRoles(t.Context(), "sso.ann", operators); !bus.HasCode(err, CodeProviderUser) {
		t.Errorf("other roles: %v", err)
	}
	// If the provider goes away, somebody must be able to log in.
	if err := s.Remove(t.Context(), "root"); !bus.HasCode(err, CodeLastAdmin) {
		t.Errorf("the last admin with a password: %v", err)
	}
}

// The logins and keys of a provider's user depend on the provider.
func TestWithdrawnUsers(t *testing.T) {
	s := trusting(t)
	x := external("u-1", "ann", operators)
	_, secrets := enter(t, s, x)
	key := newKey(t, s, "sso.ann", KeyLimits{})
	valid := func() string {
		session, token := isLoggedIn(t.Context(), s, secrets)
		return fmt.Sprint(session, token, s.ByToken(t.Context(), key) != nil)
	}
	s.issuer = "https://another.example.com"
	if got := valid(); got != "false false false" {
		t.Errorf("of a provider that is not trusted: %s", got)
	}
	s.issuer = issuer
	if got := valid(); got != "true true true" {
		t.Errorf("trusted again: %s", got)
	}
	if err := s.Withdraw(t.Context(), issuer, "u-2"); err != nil || valid() != "true true true" {
		t.Errorf("after another user lost their roles: %v, %s", err, valid())
	}
	if err := s.Withdraw(t.Context(), issuer, "u-1"); err != nil || valid() != "false false false" {
		t.Errorf("without a role: %v, %s", err, valid())
	}
	enter(t, s, x)
	if got := valid(); got != "false false true" {
		t.Errorf("with a role again: %s", got)
	}
}

func TestCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := trusting(t)
		const verifier = "a verifier"
		sum := sha256.Sum256([]byte(verifier))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		newCode := func() string {
			code, err := s.NewCode(t.Context(), external("u-1", "ann", operators), challenge)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s.ByToken(t.Context(), code) != nil || s.BySession(t.Context(), code) != nil {
				t.Error("a code is a login")
			}
			if u, _ := s.Peek(t.Context(), code); u != nil {
				t.Error("a code is a login")
			}
			return code
		}
		refused := func(what, code, verifier string) {
			t.Helper()
			if secrets, err := s.RedeemCode(t.Context(), code, verifier); !bus.HasCode(err, CodeNoSuchCode) || secrets != (Secrets{}) {
				t.Errorf("%s: %v", what, err)
			}
		}
		code := newCode()
		secrets, err := s.RedeemCode(t.Context(), code, verifier)
		if err != nil || s.ByToken(t.Context(), secrets.Token) == nil {
			t.Fatal(err)
		}
		refused("a used code", code, verifier)
		refused("no code", "x", verifier)
		refused("a token", secrets.Token, verifier)
		if s.ByToken(t.Context(), secrets.Token) == nil {
			t.Error("the token ended as if it was a code")
		}
		code = newCode()
		refused("another verifier", code, "x")
		refused("after another verifier", code, verifier)
		code = newCode()
		time.Sleep(CodeLife)
		refused("an old code", code, verifier)
		code = newCode()
		if err := s.Withdraw(t.Context(), issuer, "u-1"); err != nil {
			t.Fatal(err)
		}
		refused("of a user without a role", code, verifier)
	})
}

// A login that creates the user is valid at another bus at once.
func TestExternalUserIsNewElsewhere(t *testing.T) {
	srv := bustest.Server(t)
	one, _ := startService(t, srv, bus.Config{})
	two, stop := startService(t, srv, bus.Config{})
	one.issuer, two.issuer = issuer, issuer
	stop() // it sees nothing from now on
	_, secrets := enter(t, one, external("u-1", "ann", operators))
	if session, token := isLoggedIn(t.Context(), two, secrets); !session || !token {
		t.Errorf("at the other bus: session %v, token %v", session, token)
	}
	two.forgetUsers(two.round + 1) // it does not know who has the id
	if bob, _ := enter(t, two, external("u-2", "ann", operators)); bob.ID != "sso.ann-2" || bob.Subject != "u-2" {
		t.Errorf("another ann became %s, who is %s", bob.ID, bob.Subject)
	}
	if e, err := one.b.Users.Get(t.Context(), "sso.ann"); err != nil || e.Value.Subject != "u-1" {
		t.Errorf("sso.ann became %+v, %v", e.Value, err)
	}
}
