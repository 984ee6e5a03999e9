package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Codes of [bus.StateError].
const (
	CodeNoSuchUser  = "no_such_user"
	CodeLastAdmin   = "last_admin"
	CodeTooManyKeys = "too_many_keys"
)

// FirstUser is who is made if there is no admin.
const FirstUser = "admin"

const (
	maxKeys  = 20 // of a user
	maxRaces = 20 // how often a write is tried against others that are quicker
)

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{3,20}$`)

// ValidID says whether s can be a user.
func ValidID(s string) bool { return validID.MatchString(s) }

// Roles are all there are.
func Roles() []string { return []string{bus.RoleAdmin, bus.RoleOperator, bus.RoleWatcher} }

// userEntry is a user, or that there is none any more.
type userEntry struct {
	*bus.User
	rev   uint64
	round int
}

// putUser takes in what the watch sees.
func (s *Service) putUser(id string, u *bus.User, rev uint64) {
	s.takeUser(id, u, rev)
	s.mu.Lock()
	s.usersRev = max(s.usersRev, rev)
	s.mu.Unlock()
}

// takeUser takes in a user, or that there is none any more. An older revision
// than what is known changes nothing.
func (s *Service) takeUser(id string, u *bus.User, rev uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.users[id]
	if was != nil && rev < was.rev {
		return
	}
	s.index(was, u)
	s.users[id] = &userEntry{u, rev, s.round}
}

// index notes the keys of a user in place of those that were.
func (s *Service) index(was *userEntry, u *bus.User) {
	if was != nil && was.User != nil {
		for _, k := range was.Keys {
			delete(s.keys, digestOf(k.SHA256))
		}
	}
	if u != nil {
		for _, k := range u.Keys {
			s.keys[digestOf(k.SHA256)] = u.ID
		}
	}
}

// forgetUsers forgets whom the round did not see.
func (s *Service) forgetUsers(round int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, e := range s.users {
		if e.round < round {
			s.index(e, nil)
			delete(s.users, id)
		}
	}
}

// user is a user, nil if there is none.
func (s *Service) user(id string) *bus.User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.users[id]; e != nil {
		return e.User
	}
	return nil
}

// Users are all of them, by id. They are not to be changed.
func (s *Service) Users() []*bus.User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*bus.User
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		if u := s.users[id].User; u != nil {
			all = append(all, u)
		}
	}
	return all
}

// Add makes a user, or returns an error that is [bus.ErrExists].
func (s *Service) Add(ctx context.Context, id, password string, roles map[string]string) error {
	if !ValidID(id) {
		return &bus.FieldError{Path: "/id", Want: "3 to 20 of the characters A-Z a-z 0-9 _ -", Got: id}
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	u := bus.User{ID: id, Password: hash, Roles: roles, CreateTime: subjects.Now()}
	rev, err := s.b.Users.Create(ctx, id, u)
	if err == nil {
		s.takeUser(id, &u, rev)
	}
	return err
}

// Remove takes a user away, with all that lets them in. The last admin stays.
func (s *Service) Remove(ctx context.Context, id string) error {
	return s.decide(ctx, id, func(_ *bus.User, seen uint64) (*bus.User, uint64, error) {
		rev, err := s.b.Users.DeleteAt(ctx, id, seen)
		return nil, rev, err
	})
}

// SetRoles gives a user other roles in place of those that there were. The last
// admin stays one.
func (s *Service) SetRoles(ctx context.Context, id string, roles map[string]string) (*bus.User, error) {
	var is *bus.User
	err := s.decide(ctx, id, func(was *bus.User, seen uint64) (*bus.User, uint64, error) {
		u := *was
		u.Roles = roles
		rev, err := s.b.Users.UpdateAt(ctx, id, u, seen)
		is = &u
		return is, rev, err
	}, roles)
	return is, err
}

// decide writes what becomes of a user, unless that takes the last admin away;
// roles are those that the user will have. If somebody else is quicker it is
// decided again.
func (s *Service) decide(ctx context.Context, id string, write func(was *bus.User, seen uint64) (*bus.User, uint64, error), roles ...map[string]string) error {
	for range maxRaces {
		was, seen, err := s.decidable(id, roles...)
		if err != nil {
			return err
		}
		is, rev, err := write(was, seen)
		if err == nil {
			s.takeUser(id, is, rev)
			return nil
		}
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
		if err := s.seeMore(ctx, seen); err != nil {
			return err
		}
	}
	return bus.ErrChanged
}

// decidable returns a user who may lose their roles, or get others, and the
// revision of the bucket of which that is true.
func (s *Service) decidable(id string, roles ...map[string]string) (u *bus.User, seen uint64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.users[id]
	if e == nil || e.User == nil {
		return nil, 0, noUser(id)
	}
	stays := len(roles) > 0 && admin(&bus.User{Roles: roles[0]})
	if admin(e.User) && !stays && s.admins() == 1 {
		return nil, 0, bus.State(CodeLastAdmin, "%s is the last admin: make another one first", id)
	}
	return e.User, s.usersRev, nil
}

func noUser(id string) error { return bus.State(CodeNoSuchUser, "there is no user %.40s", id) }

// admin says whether a user may make users.
func admin(u *bus.User) bool { return u.Role("") == bus.RoleAdmin }

func (s *Service) admins() (n int) {
	for _, e := range s.users {
		if e.User != nil && admin(e.User) {
			n++
		}
	}
	return n
}

// seeMore waits until the watch has seen more than a revision.
func (s *Service) seeMore(ctx context.Context, than uint64) error {
	for end := time.Now().Add(bus.AckTimeout); time.Now().Before(end); {
		s.mu.RLock()
		more := s.usersRev > than
		s.mu.RUnlock()
		if more {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return bus.ErrChanged
}

// FirstAdmin makes the user admin if there is no admin yet; of several buses
// that try one does.
func (s *Service) FirstAdmin(ctx context.Context, password string) (made bool, err error) {
	if s.HasAdmin() {
		return false, nil
	}
	err = s.Add(ctx, FirstUser, password, map[string]string{bus.DefaultApp: bus.RoleAdmin})
	if !errors.Is(err, bus.ErrExists) {
		return err == nil, err
	}
	e, err := s.b.Users.Get(ctx, FirstUser)
	if err == nil && !admin(&e.Value) {
		err = fmt.Errorf("no user has the role admin, and the user %s, who would be made, is there with another role", FirstUser)
	}
	return false, err
}

// HasAdmin says whether there is one.
func (s *Service) HasAdmin() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.admins() > 0
}

// NewKey makes a key for a user. It is not kept: this is the only time that it
// can be seen.
func (s *Service) NewKey(ctx context.Context, id string) (key string, err error) {
	key = "js_" + rand.Text()
	return key, s.change(ctx, id, func(u *bus.User) error {
		if len(u.Keys) >= maxKeys {
			return bus.State(CodeTooManyKeys, "%s has %d keys: revoke them first", id, maxKeys)
		}
		u.Keys = append(u.Keys, bus.Key{SHA256: digestIn(key).String(), CreateTime: subjects.Now()})
		return nil
	})
}

// RevokeKeys makes all keys of a user useless.
func (s *Service) RevokeKeys(ctx context.Context, id string) error {
	return s.change(ctx, id, func(u *bus.User) error { u.Keys = nil; return nil })
}

// change changes a user.
func (s *Service) change(ctx context.Context, id string, how func(*bus.User) error) error {
	if !ValidID(id) {
		return noUser(id)
	}
	for range maxRaces {
		e, err := s.b.Users.Get(ctx, id)
		if errors.Is(err, bus.ErrNotFound) {
			return noUser(id)
		}
		if err == nil {
			err = how(&e.Value)
		}
		if err != nil {
			return err
		}
		rev, err := s.b.Users.Update(ctx, id, e.Value, e.Revision)
		if err == nil {
			s.takeUser(id, &e.Value, rev)
			return nil
		}
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
	return bus.ErrChanged
}

// RandomPassword is one that nobody guesses and everybody can type.
func RandomPassword() string {
	t := strings.ToLower(rand.Text())
	return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:20]
}
