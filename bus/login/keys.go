package login

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	maxKeys    = 20  // of one user
	maxKeyApps = 100 // of one key

	// MaxKeyTTL is the longest lifetime that a key with an end can have: ten
	// years.
	MaxKeyTTL = 10 * 366 * 24 * time.Hour
)

var validKeyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

// KeyLimits are what a new key allows. The zero value has no limits: the key
// allows whatever its user may do.
type KeyLimits struct {
	Name string        // unique among the keys of the user; empty: derived from the key
	Apps []string      // applications in which it is valid; empty: all
	Role string        // the highest role that it gives; empty: the user's
	TTL  time.Duration // 0: it does not expire
}

// Check returns the faults of the limits, each a [bus.FieldError].
func (l *KeyLimits) Check() (all []*bus.FieldError) {
	refuse := func(path, want string) { all = append(all, &bus.FieldError{Path: path, Want: want}) }
	if l.Name != "" && !validKeyName.MatchString(l.Name) {
		refuse("/name", "1 to 40 of the characters A-Z a-z 0-9 . _ -, first a letter or a digit")
	}
	if len(l.Apps) > maxKeyApps {
		refuse("/apps", fmt.Sprintf("at most %d applications", maxKeyApps))
	}
	for i, app := range l.Apps {
		if !subjects.ValidName(app) {
			refuse(fmt.Sprint("/apps/", i), "the name of an application")
		}
	}
	if l.Role != "" && bus.RoleRank(l.Role) == 0 {
		refuse("/role", "admin, operator or watcher")
	}
	if l.TTL < 0 || l.TTL > MaxKeyTTL {
		refuse("/ttl", fmt.Sprintf("seconds from 0 to %d", int64(MaxKeyTTL/time.Second)))
	}
	return all
}

// NewKey creates an API key for a user, and removes their expired ones. The key
// itself is not stored, so this is the only time that it can be seen. It returns
// the stored part too.
func (s *Service) NewKey(ctx context.Context, id string, limits KeyLimits) (key string, stored bus.Key, err error) {
	if faults := limits.Check(); len(faults) > 0 {
		return "", stored, faults[0]
	}
	key = "js_" + rand.Text()
	err = s.changeUser(ctx, id, func(u *bus.User) error {
		now := subjects.Now()
		stored = bus.Key{SHA256: digestOfSecret(key).String(), CreateTime: now, Name: limits.Name, Apps: limits.Apps, Role: limits.Role}
		if limits.TTL > 0 {
			stored.ExpireTime = now + subjects.Time(limits.TTL.Milliseconds())
		}
		u.Keys = slices.DeleteFunc(u.Keys, func(k bus.Key) bool { return k.HasExpired(now) })
		if len(u.Keys) >= maxKeys {
			return bus.State(CodeTooManyKeys, "%s has %d keys: revoke some first", id, maxKeys)
		}
		if findKey(u, stored.ShownName()) >= 0 {
			return bus.State(CodeKeyExists, "%s has a key %s: revoke it first, or choose another name", id, stored.Name)
		}
		u.Keys = append(u.Keys, stored)
		return nil
	})
	return key, stored, err
}

// findKey returns the index of a user's key by its name, -1 if there is none.
func findKey(u *bus.User, name string) int {
	return slices.IndexFunc(u.Keys, func(k bus.Key) bool { return k.ShownName() == name })
}

// Keys returns the keys of a user, oldest first.
func (s *Service) Keys(id string) ([]bus.Key, error) {
	u := s.userByID(id)
	if u == nil {
		return nil, noUser(id)
	}
	return slices.Clone(u.Keys), nil
}

// RevokeKey revokes one API key of a user by its name.
func (s *Service) RevokeKey(ctx context.Context, id, name string) error {
	return s.changeUser(ctx, id, func(u *bus.User) error {
		i := findKey(u, name)
		if i < 0 {
			return bus.State(CodeNoSuchKey, "%s has no key %.40s", id, name)
		}
		u.Keys = slices.Delete(u.Keys, i, i+1)
		return nil
	})
}

// RevokeKeys revokes all API keys of a user.
func (s *Service) RevokeKeys(ctx context.Context, id string) error {
	return s.changeUser(ctx, id, func(u *bus.User) error { u.Keys = nil; return nil })
}

// indexKeys replaces the keys of was by those of u.
func (s *Service) indexKeys(was *userEntry, u *bus.User) {
	if was != nil && was.User != nil {
		for _, k := range was.Keys {
			delete(s.keys, parseDigest(k.SHA256))
		}
	}
	if u != nil {
		for _, k := range u.Keys {
			s.keys[parseDigest(k.SHA256)] = u.ID
		}
	}
}

// userByKey returns the user of an API key, with the key, or nil if the key has
// expired. isKey is false for what is no key.
func (s *Service) userByKey(d digest) (u *bus.User, isKey bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.users[s.keys[d]]
	if e == nil || e.User == nil || !s.mayLogIn(e.User) {
		return nil, false
	}
	i := slices.IndexFunc(e.Keys, func(k bus.Key) bool { return parseDigest(k.SHA256) == d })
	if i < 0 {
		return nil, false
	}
	if e.Keys[i].HasExpired(subjects.Now()) {
		return nil, true
	}
	sent := *e.User
	sent.SentKey = &e.Keys[i]
	return &sent, true
}
