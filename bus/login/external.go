package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// CodeLife is how long a code can be exchanged for a token.
const CodeLife = time.Minute

var validExternalID = regexp.MustCompile(`^[a-z0-9]{1,10}\.[A-Za-z0-9_-]{1,50}$`)

// External is a user whom a login provider has authenticated.
type External struct {
	Provider        string            // id of the provider
	Issuer, Subject string            // identify the user
	Name            string            // labels the user
	Roles           map[string]string // by application
}

// errTaken means that another user has an id.
var errTaken = errors.New("another user has this id")

// mayLogIn reports whether the logins and keys of a user are valid: those of a
// provider's user are while the control bus trusts the provider, and the
// provider gave the user a role at their last login.
func (s *Service) mayLogIn(u *bus.User) bool {
	return u.Issuer == "" || u.Issuer == s.issuer && len(u.Roles) > 0
}

// LoginExternal returns the secrets of a new login of a provider's user.
func (s *Service) LoginExternal(ctx context.Context, x External) (Secrets, error) {
	u, err := s.storeExternal(ctx, x)
	if err != nil {
		return Secrets{}, err
	}
	return s.issueSecrets(ctx, u)
}

// storeExternal creates the user, or replaces their roles by those of this
// login.
func (s *Service) storeExternal(ctx context.Context, x External) (*bus.User, error) {
	for n := 1; n <= maxRaces; n++ {
		id := s.externalID(x, n)
		e, err := s.b.Users.Change(ctx, id, func(u *bus.User) (*bus.User, error) {
			switch {
			case u == nil:
				u = &bus.User{ID: id, Issuer: x.Issuer, Subject: x.Subject, CreateTime: subjects.Now()}
			case u.Issuer != x.Issuer || u.Subject != x.Subject:
				return nil, errTaken
			case u.Name == x.Name && maps.Equal(u.Roles, x.Roles):
				return nil, nil
			}
			u.Name, u.Roles = x.Name, x.Roles
			return u, nil
		})
		if errors.Is(err, errTaken) {
			continue
		}
		if err == nil {
			s.rememberUser(id, &e.Value, e.Revision)
		}
		return &e.Value, err
	}
	return nil, fmt.Errorf("find an id for the user %.40s of %s: %w", x.Name, x.Issuer, bus.ErrExists)
}

// externalID returns the id of a provider's user: the one that they have, or the
// nth that could be theirs, derived from their name.
func (s *Service) externalID(x External, n int) string {
	base := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_", r) || r < 128 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, x.Name)
	if base = strings.Trim(base[:min(len(base), 40)], "-"); base == "" {
		base = "user"
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	taken := map[string]bool{} // in lower case: people would take one user for the other
	for id, e := range s.users {
		if e.User != nil && e.Issuer == x.Issuer && e.Subject == x.Subject {
			return id
		}
		taken[strings.ToLower(id)] = e.User != nil
	}
	id := x.Provider + "." + base
	for i := 1; ; i++ {
		if i > 1 {
			id = fmt.Sprintf("%s.%s-%d", x.Provider, base, i)
		}
		if !taken[strings.ToLower(id)] {
			if n--; n == 0 {
				return id
			}
		}
	}
}

// Withdraw takes all roles from a provider's user to whom the provider gave none
// at this login, and ends their other logins. Their keys are not valid until a
// login gives them a role again.
func (s *Service) Withdraw(ctx context.Context, issuer, subject string) error {
	for _, u := range s.Users() {
		if u.Issuer != issuer || u.Subject != subject {
			continue
		}
		return s.changeUser(ctx, u.ID, func(u *bus.User) error {
			u.Roles, u.PasswordTime = nil, max(subjects.Now(), u.PasswordTime+1)
			return nil
		})
	}
	return nil
}

// NewCode returns a code that is exchanged for the secrets of a new login of a
// provider's user, once, by whoever has the verifier of the challenge (RFC 7636,
// method S256).
func (s *Service) NewCode(ctx context.Context, x External, challenge string) (code string, err error) {
	u, err := s.storeExternal(ctx, x)
	if err != nil {
		return "", err
	}
	code = rand.Text()
	now := subjects.Now()
	v := bus.Session{User: u.ID, UserSince: u.CreateTime, PasswordTime: u.PasswordTime, CreateTime: now, LastUsed: now, Kind: bus.KindCode, Challenge: challenge}
	_, err = s.b.Sessions.Create(ctx, digestOfSecret(code).String(), v)
	return code, err
}

// RedeemCode returns the secrets of the login for which a code stands, and ends
// the code, also if the verifier is wrong.
func (s *Service) RedeemCode(ctx context.Context, code, verifier string) (Secrets, error) {
	wrong := bus.State(CodeNoSuchCode, "the code is wrong, was used, or has expired: log in again")
	key := digestOfSecret(code).String()
	e, err := s.b.Sessions.Get(ctx, key)
	if err == nil && e.Value.Kind != bus.KindCode {
		return Secrets{}, wrong
	}
	if err == nil { // whoever deletes it first has it
		err = s.b.Sessions.Delete(ctx, key, e.Revision)
	}
	if errors.Is(err, bus.ErrNotFound) || errors.Is(err, bus.ErrChanged) {
		return Secrets{}, wrong
	}
	if err != nil {
		return Secrets{}, err
	}
	sum := sha256.Sum256([]byte(verifier))
	right := subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(e.Value.Challenge)) == 1
	if !right || subjects.Now() >= e.Value.CreateTime+subjects.Time(CodeLife.Milliseconds()) {
		return Secrets{}, wrong
	}
	u, err := s.b.Users.Get(ctx, e.Value.User) // another bus may just have created them
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return Secrets{}, wrong
	case err != nil:
		return Secrets{}, err
	case u.Value.CreateTime != e.Value.UserSince || u.Value.PasswordTime != e.Value.PasswordTime || !s.mayLogIn(&u.Value):
		return Secrets{}, wrong
	}
	s.rememberUser(u.Key, &u.Value, u.Revision)
	return s.issueSecrets(ctx, &u.Value)
}
