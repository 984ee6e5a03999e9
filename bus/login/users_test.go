package login

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func TestLogin(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	addUser(t, s, "ann", bus.RoleWatcher)
	for _, c := range []struct {
		name, id, password string
		want               error
	}{
		{"right", "ann", password, nil},
		{"another password", "ann", password + "x", ErrWrong},
		{"none", "ann", "", ErrWrong},
		{"one of a megabyte", "ann", strings.Repeat("x", 1<<20), ErrWrong},
		{"nobody", "bob", password, ErrWrong},
		{"an id that is no key", "a.*.>", password, ErrWrong},
	} {
		if _, err := s.Login(t.Context(), Attempt{ID: c.id, Password: c.password}); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := s.Add(t.Context(), "ann", password, nil); !errors.Is(err, bus.ErrExists) {
		t.Errorf("a second ann: %v", err)
	}
}

func TestHashes(t *testing.T) {
	one, two := newHash("x"), newHash("x")
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%s, %s", one, two)
	}
	// Of the reference implementation: echo -n password | argon2 somesalt -id
	// -t 2 -m 16 -p 1
	vector := "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for hash, want := range map[string]bool{one: true, two: true, unknownUser: false} {
		if ok, err := matchesHash("x", hash); ok != want || err != nil {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
	}
	if ok, err := matchesHash("password", vector); !ok || err != nil {
		t.Errorf("%s: %v, %v", vector, ok, err)
	}
	for _, bad := range []string{"", "x", strings.Replace(one, "v=19", "v=16", 1), strings.Replace(one, "t=2", "t=0", 1), one[:40], one + "$x", strings.Replace(one, "argon2id", "argon2i", 1)} {
		if ok, err := matchesHash("x", bad); ok || err == nil {
			t.Errorf("%s: %v, %v", bad, ok, err)
		}
	}
}

// The time of a login does not show whether there is such a user: each login
// computes one hash, with the same parameters and lengths.
func TestNobodyTakesAsLong(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	addUser(t, s, "ann", bus.RoleWatcher)
	u, err := s.b.Users.Get(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	parameters := func(hash string) string { return hash[:strings.LastIndex(hash[:strings.LastIndex(hash, "$")], "$")] }
	if was := u.Value.Password; parameters(was) != parameters(unknownUser) || len(was) != len(unknownUser) {
		t.Errorf("the hash of a user is %s, that of nobody %s: want the same parameters and lengths", was, unknownUser)
	}
	for range maxHashing {
		s.hashing <- struct{}{}
	}
	ids := []string{"ann", "bob", "no id!"}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			if _, err := s.Login(t.Context(), Attempt{ID: id, Password: "wrong"}); err != ErrWrong {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	eventually(t, "all wait for their hash", func() bool { return s.waiting.Load() == int32(len(ids)) })
	for range maxHashing {
		<-s.hashing
	}
	wg.Wait()
}

// The two have to take the same time.
func BenchmarkWrongLogin(b *testing.B) {
	s, _ := startService(b, bustest.Server(b), bus.Config{})
	addUser(b, s, "ann", bus.RoleWatcher)
	for _, id := range []string{"ann", "nobody"} {
		b.Run(id, func(b *testing.B) {
			for b.Loop() {
				s.throttle = newThrottle(freeNew)
				if _, err := s.Login(b.Context(), Attempt{ID: id, Password: "wrong"}); err != ErrWrong {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestLoginsWaitForEachOther(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	for range maxHashing {
		s.hashing <- struct{}{}
	}
	var wg sync.WaitGroup
	for range maxWaiting {
		wg.Go(func() {
			if _, err := s.checkPassword(t.Context(), password, "no hash, which is quick"); err != errHash {
				t.Error(err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return s.waiting.Load() == maxWaiting })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Login(ctx, Attempt{ID: "bob", Password: password}); err != ErrBusy {
		t.Errorf("one more: %v", err)
	}
	for range maxHashing {
		<-s.hashing
	}
	wg.Wait()
}

// A user who was removed takes all along, and one who comes later under his
// name gets none of it.
func TestRemovedUsers(t *testing.T) {
	s, _ := startService(t, bustest.Server(t), bus.Config{})
	addUser(t, s, "root", bus.RoleAdmin)
	addUser(t, s, "ann", bus.RoleWatcher)
	secrets := logIn(t, s, "ann")
	key, _, err := s.NewKey(t.Context(), "ann", KeyLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		session, token := isLoggedIn(t.Context(), s, secrets)
		if session || token || s.ByToken(t.Context(), key) != nil {
			t.Errorf("%s: session %v, token %v, key %v", when, session, token, s.ByToken(t.Context(), key))
		}
	}
	check("after the removal")
	if err := s.Remove(t.Context(), "ann"); !bus.HasCode(err, CodeNoSuchUser) {
		t.Errorf("removed twice: %v", err)
	}
	addUser(t, s, "ann", bus.RoleAdmin)
	check("of another ann")
}

func TestKeys(t *testing.T) {
	srv := bustest.Server(t)
	one, _ := startService(t, srv, bus.Config{})
	two, _ := startService(t, srv, bus.Config{})
	addUser(t, one, "robot", bus.RoleOperator)
	var keys []string
	for range maxKeys {
		key, _, err := one.NewKey(t.Context(), "robot", KeyLimits{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if _, _, err := one.NewKey(t.Context(), "robot", KeyLimits{}); !bus.HasCode(err, CodeTooManyKeys) {
		t.Errorf("one more: %v", err)
	}
	eventually(t, "the other bus knows all", func() bool {
		for _, key := range keys {
			if u := two.ByToken(t.Context(), key); u == nil || u.ID != "robot" {
				return false
			}
		}
		return true
	})
	if err := two.RevokeKeys(t.Context(), "robot"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they are good nowhere", func() bool {
		for _, key := range keys {
			if one.ByToken(t.Context(), key) != nil || two.ByToken(t.Context(), key) != nil {
				return false
			}
		}
		return true
	})
	if _, _, err := one.NewKey(t.Context(), "nobody", KeyLimits{}); !bus.HasCode(err, CodeNoSuchUser) {
		t.Errorf("a key for nobody: %v", err)
	}
}

// Two buses remove an admin each at the same moment: one of them stays.
func TestTheLastAdminStays(t *testing.T) {
	srv := bustest.Server(t)
	one, _ := startService(t, srv, bus.Config{})
	two, _ := startService(t, srv, bus.Config{})
	for range 20 {
		for _, id := range []string{"ann", "bob"} {
			if one.userByID(id) == nil {
				storeUser(t, one, id, bus.RoleAdmin)
			}
		}
		eventually(t, "the other bus knows both", func() bool { return two.userByID("ann") != nil && two.userByID("bob") != nil })
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = one.Remove(t.Context(), "ann") })
		wg.Go(func() { errs[1] = two.Remove(t.Context(), "bob") })
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !bus.HasCode(errs[0], CodeLastAdmin) && !bus.HasCode(errs[1], CodeLastAdmin) {
			t.Fatalf("%v, %v; want one to stay", errs[0], errs[1])
		}
		left, err := one.b.Users.List(t.Context(), ">")
		if err != nil || len(left) != 1 {
			t.Fatalf("%d are left, %v", len(left), err)
		}
		eventually(t, "the first bus knows", func() bool { return len(one.Users()) == 1 })
	}
}

// Who loses the role of an admin is as gone as who is removed.
func TestTheLastAdminKeepsTheRole(t *testing.T) {
	srv := bustest.Server(t)
	one, _ := startService(t, srv, bus.Config{})
	two, _ := startService(t, srv, bus.Config{})
	admin, watcher := map[string]string{bus.DefaultApp: bus.RoleAdmin}, map[string]string{bus.DefaultApp: bus.RoleWatcher, "shop": bus.RoleAdmin}
	storeUser(t, one, "ann", bus.RoleAdmin)
	storeUser(t, one, "bob", bus.RoleWatcher)
	for range 10 {
		for _, id := range []string{"ann", "bob"} {
			if _, err := one.SetRoles(t.Context(), id, admin); err != nil {
				t.Fatal(err)
			}
		}
		both := func() bool {
			return two.userByID("ann").Role("") == bus.RoleAdmin && two.userByID("bob").Role("") == bus.RoleAdmin
		}
		eventually(t, "the other bus knows both", func() bool { return two.userByID("ann") != nil && two.userByID("bob") != nil && both() })
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() { _, errs[0] = one.SetRoles(t.Context(), "ann", watcher) })
		wg.Go(func() { errs[1] = two.Remove(t.Context(), "bob") })
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !bus.HasCode(errs[0], CodeLastAdmin) && !bus.HasCode(errs[1], CodeLastAdmin) {
			t.Fatalf("%v, %v; want one to stay an admin", errs[0], errs[1])
		}
		if errs[1] == nil {
			eventually(t, "the first bus knows", func() bool { return one.userByID("bob") == nil })
			storeUser(t, one, "bob", bus.RoleWatcher)
		}
	}
	u, err := one.SetRoles(t.Context(), "bob", watcher)
	if bus.HasCode(err, CodeLastAdmin) {
		u, err = one.SetRoles(t.Context(), "ann", watcher)
	}
	if err != nil || u.Role("shop") != bus.RoleAdmin || u.Role("x") != bus.RoleWatcher {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := one.SetRoles(t.Context(), "nobody", admin); !bus.HasCode(err, CodeNoSuchUser) {
		t.Errorf("%v", err)
	}
}

func TestFirstAdmin(t *testing.T) {
	srv := bustest.Server(t)
	one, _ := startService(t, srv, bus.Config{})
	two, _ := startService(t, srv, bus.Config{})
	var made [2]bool
	var errs [2]error
	var wg sync.WaitGroup
	for i, s := range []*Service{one, two} {
		wg.Go(func() { made[i], errs[i] = s.FirstAdmin(t.Context(), password) })
	}
	wg.Wait()
	if made[0] == made[1] || errs[0] != nil || errs[1] != nil {
		t.Fatalf("made %v, %v; want one", made, errs)
	}
	logIn(t, one, FirstUser)
	eventually(t, "both know", func() bool { return one.HasAdmin() && two.HasAdmin() })
	if made, err := one.FirstAdmin(t.Context(), "another one"); made || err != nil {
		t.Errorf("a second time: %v, %v", made, err)
	}
	t.Run("not if there is another", func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		storeUser(t, s, "ann", bus.RoleAdmin)
		if made, err := s.FirstAdmin(t.Context(), password); made || err != nil || s.userByID(FirstUser) != nil {
			t.Errorf("%v, %v", made, err)
		}
	})
	t.Run("somebody else has the name", func(t *testing.T) {
		s, _ := startService(t, bustest.Server(t), bus.Config{})
		addUser(t, s, FirstUser, bus.RoleWatcher)
		if made, err := s.FirstAdmin(t.Context(), password); made || err == nil {
			t.Errorf("%v, %v", made, err)
		}
	})
}

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		name  string
		roles map[string]string
		app   string
		want  string
	}{
		{"none", nil, "default", ""},
		{"that of default is for all", map[string]string{"default": "admin"}, "billing", "admin"},
		{"also for what is of no application", map[string]string{"default": "admin"}, "", "admin"},
		{"one of its own counts", map[string]string{"default": "admin", "billing": "watcher"}, "billing", "watcher"},
		{"one of another application is no role", map[string]string{"billing": "admin"}, "default", ""},
		{"nor for what is of no application", map[string]string{"billing": "admin"}, "", ""},
		{"any is for all", map[string]string{"*": "operator"}, "billing", "operator"},
		{"any is before default", map[string]string{"*": "operator", "default": "admin"}, "billing", "operator"},
		{"default has its own", map[string]string{"*": "operator", "default": "admin"}, "default", "admin"},
	} {
		if got := (&bus.User{Roles: c.roles}).Role(c.app); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPasswordOf(t *testing.T) {
	for text, want := range map[string]string{"12345678\n": "12345678", "with blanks \r\n": "with blanks ", "short\n": "", "two\nlines of it": "", strings.Repeat("x", 2000): ""} {
		if got, err := PasswordOf(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	if a, b := RandomPassword(), RandomPassword(); a == b || len(a) != 23 {
		t.Errorf("%s, %s", a, b)
	}
}

// What a request costs: no allocation but for the digest's sake, and nothing on
// the wire.
func BenchmarkWho(b *testing.B) {
	s, _ := startService(b, bustest.Server(b), bus.Config{})
	addUser(b, s, "ann", bus.RoleWatcher)
	secrets := logIn(b, s, "ann")
	key, _, err := s.NewKey(b.Context(), "ann", KeyLimits{})
	if err != nil {
		b.Fatal(err)
	}
	for name, who := range map[string]func() *bus.User{
		"session": func() *bus.User { return s.BySession(b.Context(), secrets.Session) },
		"token":   func() *bus.User { return s.ByToken(b.Context(), secrets.Token) },
		"key":     func() *bus.User { return s.ByToken(b.Context(), key) },
	} {
		b.Run(name, func(b *testing.B) {
			sent := s.b.NC.Stats().OutMsgs
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				if who() == nil {
					b.Fatal("not in")
				}
			}
			b.ReportMetric(float64(s.b.NC.Stats().OutMsgs-sent)/float64(n), "messages/op")
		})
	}
}

func BenchmarkLogin(b *testing.B) {
	s, _ := startService(b, bustest.Server(b), bus.Config{})
	addUser(b, s, "ann", bus.RoleWatcher)
	for b.Loop() {
		logIn(b, s, "ann")
	}
}
