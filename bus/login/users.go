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
	CodeKeyExists   = "key_exists"
	CodeNoSuchKey   = "no_such_key"

	CodeProviderUser = "provider_user" // a login provider decides
	CodeNoSuchCode   = "no_such_code"  // wrong, used or expired
)

// FirstUser is the id of the user that is created if there is no admin.
const FirstUser = "admin"

// maxRaces is how many attempts of a write are made before [bus.ErrChanged] is
// returned.
const maxRaces = 20

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{3,20}$`)

// ValidID reports whether s may be the id of a user.
func ValidID(s string) bool { return validID.MatchString(s) }

// isStored reports whether s may be the key of a user in the bucket: the id of a
// user who was created here, or of one of a login provider.
func isStored(s string) bool { return ValidID(s) || validExternalID.MatchString(s) }

// Roles returns all roles.
func Roles() []string { return []string{bus.RoleAdmin, bus.RoleOperator, bus.RoleWatcher} }

// userEntry is a user with their revision. The user is nil if they were
// removed.
type userEntry struct {
	*bus.User
	rev   uint64
	round int
}

// putUser applies a change that the watch delivered.
func (s *Service) putUser(id string, u *bus.User, rev uint64) {
	s.rememberUser(id, u, rev)
	s.mu.Lock()
	s.usersRev = max(s.usersRev, rev)
	s.mu.Unlock()
}

// rememberUser puts a user into memory, nil for one who was removed, unless a
// later revision is there already.
func (s *Service) rememberUser(id string, u *bus.User, rev uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.users[id]
	if was != nil && rev < was.rev {
		return
	}
	s.indexKeys(was, u)
	s.users[id] = &userEntry{u, rev, s.round}
}

// forgetUsers removes the users that a watch did not see.
func (s *Service) forgetUsers(round int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, e := range s.users {
		if e.round < round {
			s.indexKeys(e, nil)
			delete(s.users, id)
		}
	}
}

// userByID returns a user, nil if there is none.
func (s *Service) userByID(id string) *bus.User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.users[id]; e != nil {
		return e.User
	}
	return nil
}

// Users returns all users, sorted by id. The caller must not change them.
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

// Add creates a user, or returns an error that is [bus.ErrExists], also if an
// id differs only in case: people would take one user for the other.
func (s *Service) Add(ctx context.Context, id, password string, roles map[string]string) error {
	if !ValidID(id) {
		return &bus.FieldError{Path: "/id", Want: "3 to 20 of the characters A-Z a-z 0-9 _ -", Got: id}
	}
	if err := CheckNewPassword(id, password); err != nil {
		return err
	}
	for _, u := range s.Users() {
		if u.ID != id && strings.EqualFold(u.ID, id) {
			return fmt.Errorf("create the user %s beside %s: %w", id, u.ID, bus.ErrExists)
		}
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	u := bus.User{ID: id, Password: hash, Roles: roles, CreateTime: subjects.Now()}
	rev, err := s.b.Users.Create(ctx, id, u)
	if err == nil {
		s.rememberUser(id, &u, rev)
	}
	return err
}

// SetPassword replaces the password of a user, and ends their sessions and
// tokens except the login to which the secret keep belongs. Keys stay valid.
func (s *Service) SetPassword(ctx context.Context, id, password, keep string) error {
	if err := CheckNewPassword(id, password); err != nil {
		return err
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	var was, is subjects.Time
	err = s.changeUser(ctx, id, func(u *bus.User) error {
		if u.Issuer != "" {
			return bus.State(CodeProviderUser, "%s logs in at %s and has no password here", id, u.Issuer)
		}
		was, is = u.PasswordTime, max(subjects.Now(), u.PasswordTime+1)
		u.Password, u.PasswordTime = hash, is
		return nil
	})
	if err != nil || keep == "" {
		return err
	}
	twin, err := s.keepSession(ctx, digestOfSecret(keep).String(), id, was, is)
	if err == nil && twin != "" {
		_, err = s.keepSession(ctx, twin, id, was, is)
	}
	if err != nil { // the password has changed already
		s.log.Warn("a login was not kept when its user changed the password", "user", id, "err", err)
	}
	return nil
}

// keepSession keeps the session with a key valid although the password of its
// user was changed, and returns the key of the other secret of the same login.
func (s *Service) keepSession(ctx context.Context, key, id string, was, is subjects.Time) (twin string, err error) {
	e, err := s.b.Sessions.Change(ctx, key, func(v *bus.Session) (*bus.Session, error) {
		if v == nil || v.User != id || v.PasswordTime != was {
			return nil, nil
		}
		v.PasswordTime = is
		return v, nil
	})
	if err != nil || e.Value.PasswordTime != is {
		return "", err
	}
	s.putSession(key, &e.Value, e.Revision)
	return e.Value.Twin, nil
}

// CheckPassword returns nil if the password of an attempt is right, otherwise
// the errors of [Service.Login].
func (s *Service) CheckPassword(ctx context.Context, a Attempt) error {
	_, err := s.checkAttempt(ctx, &a)
	return err
}

// Remove deletes a user with their keys, tokens and sessions. It refuses to
// remove the last admin.
func (s *Service) Remove(ctx context.Context, id string) error {
	return s.changeKeepingAdmin(ctx, id, func(_ *bus.User, seen uint64) (*bus.User, uint64, error) {
		rev, err := s.b.Users.DeleteAt(ctx, id, seen)
		return nil, rev, err
	})
}

// SetRoles replaces the roles of a user. It refuses to take the role of the
// last admin.
func (s *Service) SetRoles(ctx context.Context, id string, roles map[string]string) (*bus.User, error) {
	var is *bus.User
	err := s.changeKeepingAdmin(ctx, id, func(was *bus.User, seen uint64) (*bus.User, uint64, error) {
		if was.Issuer != "" {
			return nil, 0, bus.State(CodeProviderUser, "the roles of %s come from %s at each login", id, was.Issuer)
		}
		u := *was
		u.Roles = roles
		rev, err := s.b.Users.UpdateAt(ctx, id, u, seen)
		is = &u
		return is, rev, err
	}, roles)
	return is, err
}

// changeKeepingAdmin calls write to change or remove a user, unless that would
// leave no admin; roles are those that the user will have, none if they are
// removed. It starts again if another writer came first.
func (s *Service) changeKeepingAdmin(ctx context.Context, id string, write func(was *bus.User, seen uint64) (*bus.User, uint64, error), roles ...map[string]string) error {
	for range maxRaces {
		was, seen, err := s.checkLastAdmin(id, roles...)
		if err != nil {
			return err
		}
		is, rev, err := write(was, seen)
		if err == nil {
			s.rememberUser(id, is, rev)
			return nil
		}
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
		if err := s.waitForRevision(ctx, seen); err != nil {
			return err
		}
	}
	return bus.ErrChanged
}

// checkLastAdmin returns a user who may lose their roles or get others, and the
// revision of the bucket for which that is true.
func (s *Service) checkLastAdmin(id string, roles ...map[string]string) (u *bus.User, seen uint64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.users[id]
	if e == nil || e.User == nil {
		return nil, 0, noUser(id)
	}
	stays := len(roles) > 0 && isAdmin(&bus.User{Roles: roles[0]})
	if isAdmin(e.User) && e.Issuer == "" && !stays && s.countAdmins() == 1 {
		return nil, 0, bus.State(CodeLastAdmin, "%s is the last admin: give another user the role admin first", id)
	}
	return e.User, s.usersRev, nil
}

func noUser(id string) error { return bus.State(CodeNoSuchUser, "there is no user %.40s", id) }

// Admins returns the ids of the users who may create users, sorted.
func (s *Service) Admins() (ids []string) {
	for _, u := range s.Users() {
		if isAdmin(u) {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

// isAdmin reports whether a user may create users.
func isAdmin(u *bus.User) bool { return u.Role("") == bus.RoleAdmin }

// countAdmins returns the number of admins who can log in without a login
// provider.
func (s *Service) countAdmins() (n int) {
	for _, e := range s.users {
		if e.User != nil && isAdmin(e.User) && e.Issuer == "" {
			n++
		}
	}
	return n
}

// waitForRevision blocks until the watch has delivered a later revision.
func (s *Service) waitForRevision(ctx context.Context, than uint64) error {
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

// FirstAdmin creates the user admin if there is no admin yet. If several buses
// try at the same time, one of them does it.
func (s *Service) FirstAdmin(ctx context.Context, password string) (made bool, err error) {
	if s.HasAdmin() {
		return false, nil
	}
	err = s.Add(ctx, FirstUser, password, map[string]string{bus.DefaultApp: bus.RoleAdmin})
	if !errors.Is(err, bus.ErrExists) {
		return err == nil, err
	}
	e, err2 := s.b.Users.Get(ctx, FirstUser)
	if errors.Is(err2, bus.ErrNotFound) { // there is one whose id differs in case
		return false, err
	}
	if err = err2; err == nil && !isAdmin(&e.Value) {
		err = fmt.Errorf("no user has the role admin, and the user %s already exists with another role", FirstUser)
	}
	return false, err
}

// HasAdmin reports whether there is an admin who can log in without a login
// provider.
func (s *Service) HasAdmin() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.countAdmins() > 0
}

// changeUser applies change to a user by compare-and-set.
func (s *Service) changeUser(ctx context.Context, id string, change func(*bus.User) error) error {
	if !isStored(id) {
		return noUser(id)
	}
	e, err := s.b.Users.Change(ctx, id, func(u *bus.User) (*bus.User, error) {
		if u == nil {
			return nil, noUser(id)
		}
		return u, change(u)
	})
	if err == nil {
		s.rememberUser(id, &e.Value, e.Revision)
	}
	return err
}

// RandomPassword returns a random password that is easy to type.
func RandomPassword() string {
	t := strings.ToLower(rand.Text())
	return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:20]
}
