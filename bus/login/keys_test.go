package login

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func newKey(t testing.TB, s *Service, id string, limits KeyLimits) string {
	t.Helper()
	key, _, err := s.NewKey(t.Context(), id, limits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A key gives the lower one of its role and its user's, in its applications.
func TestKeysAreLimited(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	if err := s.Add(t.Context(), "robot", password, map[string]string{bus.DefaultApp: bus.RoleOperator, "billing": bus.RoleAdmin, "hr": bus.RoleWatcher}); err != nil {
		t.Fatal(err)
	}
	apps := []string{"", "billing", "hr", "shop", bus.DefaultApp}
	for _, c := range []struct {
		name   string
		limits KeyLimits
		want   []string // roles in apps
	}{
		{"without limits it is the user's", KeyLimits{}, []string{"operator", "admin", "watcher", "operator", "operator"}},
		{"a role limits all applications", KeyLimits{Role: bus.RoleOperator}, []string{"operator", "operator", "watcher", "operator", "operator"}},
		{"a higher role gives nothing", KeyLimits{Role: bus.RoleAdmin}, []string{"operator", "admin", "watcher", "operator", "operator"}},
		{"an application excludes others", KeyLimits{Apps: []string{"billing"}}, []string{"", "admin", "", "", ""}},
		{"both limits count", KeyLimits{Apps: []string{"billing", "shop"}, Role: bus.RoleWatcher}, []string{"", "watcher", "", "watcher", ""}},
		{"the default application is one of many", KeyLimits{Apps: []string{bus.DefaultApp}}, []string{"", "", "", "", "operator"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := newKey(t, s, "robot", c.limits)
			u := s.ByToken(t.Context(), key)
			if u == nil {
				t.Fatal("the key is not valid")
			}
			for i, app := range apps {
				if got := u.Role(app); got != c.want[i] {
					t.Errorf("the role in %q is %q, want %q", app, got, c.want[i])
				}
			}
		})
	}
	t.Run("a key shrinks with its user", func(t *testing.T) {
		key := newKey(t, s, "robot", KeyLimits{Apps: []string{"billing"}, Role: bus.RoleAdmin})
		if _, err := s.SetRoles(t.Context(), "robot", map[string]string{bus.DefaultApp: bus.RoleWatcher}); err != nil {
			t.Fatal(err)
		}
		if got := s.ByToken(t.Context(), key).Role("billing"); got != bus.RoleWatcher {
			t.Errorf("after the user became a watcher the key is %q", got)
		}
	})
	if u := s.userByID("robot"); u.SentKey != nil || u.Role("shop") != bus.RoleWatcher {
		t.Errorf("a key changed its user: %+v", u)
	}
}

func TestKeysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		storeUser(t, s, "robot", bus.RoleOperator)
		key, forever := newKey(t, s, "robot", KeyLimits{Name: "short", TTL: time.Hour}), newKey(t, s, "robot", KeyLimits{})
		time.Sleep(time.Hour - time.Millisecond)
		if s.ByToken(t.Context(), key) == nil {
			t.Error("the key expired early")
		}
		time.Sleep(time.Millisecond)
		if s.ByToken(t.Context(), key) != nil || s.ByToken(t.Context(), forever) == nil {
			t.Error("the key is still valid, or the other one is not")
		}
		if u, err := s.Peek(t.Context(), key); u != nil || err != nil {
			t.Errorf("for a stream the key is still valid: %v, %v", u, err)
		}
		newKey(t, s, "robot", KeyLimits{Name: "short"}) // the expired one gives its name away
		if keys, err := s.Keys("robot"); err != nil || len(keys) != 2 {
			t.Errorf("%+v, %v; want the expired one removed", keys, err)
		}
	})
}

func TestKeysHaveNames(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	storeUser(t, s, "robot", bus.RoleOperator)
	one, two := newKey(t, s, "robot", KeyLimits{Name: "one"}), newKey(t, s, "robot", KeyLimits{})
	if _, _, err := s.NewKey(t.Context(), "robot", KeyLimits{Name: "one"}); !bus.HasCode(err, CodeKeyExists) {
		t.Errorf("the same name: %v", err)
	}
	keys, err := s.Keys("robot")
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	if _, _, err := s.NewKey(t.Context(), "robot", KeyLimits{Name: keys[1].ShownName()}); !bus.HasCode(err, CodeKeyExists) {
		t.Errorf("the name that another key has without one: %v", err)
	}
	if err := s.RevokeKey(t.Context(), "robot", keys[1].ShownName()); err != nil {
		t.Fatal(err)
	}
	if s.ByToken(t.Context(), one) == nil || s.ByToken(t.Context(), two) != nil {
		t.Error("the wrong key was revoked")
	}
	if err := s.RevokeKey(t.Context(), "robot", "none"); !bus.HasCode(err, CodeNoSuchKey) {
		t.Errorf("a key that does not exist: %v", err)
	}
	if _, err := s.Keys("nobody"); !bus.HasCode(err, CodeNoSuchUser) {
		t.Errorf("of nobody: %v", err)
	}
	for _, l := range []KeyLimits{{Name: ".a"}, {Name: "a b"}, {Apps: []string{"a.b"}}, {Role: "boss"}, {TTL: -1}, {TTL: MaxKeyTTL + 1}, {Apps: slices.Repeat([]string{"a"}, maxKeyApps+1)}} {
		if _, _, err := s.NewKey(t.Context(), "robot", l); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
}
