package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// digest is the SHA-256 of a secret.
type digest [sha256.Size]byte

func digestOfSecret(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// parseDigest is the inverse of String. For any other text it returns the zero
// digest, which belongs to no secret.
func parseDigest(key string) (d digest) {
	if n, err := hex.Decode(d[:], []byte(key[:min(len(key), 2*len(d))])); err != nil || n != len(d) {
		return digest{}
	}
	return d
}

// session is a stored session with what this bus knows about its use.
type session struct {
	bus.Session
	rev   uint64
	round int
	ended bool         // it is no longer in the bucket
	used  atomic.Int64 // milliseconds since 1970; not before the stored time
	due   atomic.Int64 // when its use is to be written again
}

func newSession(v bus.Session, rev uint64, round int) *session {
	e := &session{Session: v, rev: rev, round: round}
	e.used.Store(int64(v.LastUsed))
	e.due.Store(int64(v.LastUsed) + recordUseEvery.Milliseconds())
	return e
}

// hasEnded reports whether the token or session is no longer valid.
func (s *Service) hasEnded(e *session, now subjects.Time) bool {
	if e.ended {
		return true
	}
	switch e.Kind {
	case bus.KindToken:
		return now >= e.CreateTime+subjects.Time(TokenLife.Milliseconds())
	case bus.KindCode: // proves no login
		return true
	}
	return now >= subjects.Time(e.used.Load()+s.timeout.Milliseconds())
}

// putSession applies a change that the watch delivered or that this bus has
// written, unless a later one is there already.
func (s *Service) putSession(key string, v *bus.Session, rev uint64) {
	d := parseDigest(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.sessions[d]
	if was != nil && (rev < was.rev || was.ended && v != nil) {
		return
	}
	if v == nil {
		delete(s.sessions, d)
		return
	}
	e := newSession(*v, rev, s.round)
	if was != nil {
		e.used.Store(max(e.used.Load(), was.used.Load()))
	}
	s.sessions[d] = e
}

// markEnded marks a session that is no longer in the bucket. The mark stays in
// memory until the watch delivers the deletion: it may deliver an earlier change
// first, which would bring the session back.
func (s *Service) markEnded(key string) {
	d := parseDigest(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := s.sessions[d]; was != nil {
		s.sessions[d] = &session{Session: was.Session, rev: was.rev, round: was.round, ended: true}
	}
}

func (s *Service) forgetSessions(round int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, e := range s.sessions {
		if e.round < round {
			delete(s.sessions, d)
		}
	}
}

// Secrets are the answer to a login. They are not stored.
type Secrets struct{ Token, Session string }

// String hides the secrets from logs.
func (Secrets) String() string { return "(secrets)" }

// NewSecrets returns random secrets.
func NewSecrets() Secrets { return Secrets{uuid.NewString(), rand.Text()} }

// Attempt is a login before its password is checked.
type Attempt struct {
	ID, Password string
	Address      string // of the client; empty if it has none
}

// Login returns the secrets of a new login, or an error that is [ErrWrong],
// [ErrBusy] or a [PausedError].
func (s *Service) Login(ctx context.Context, a Attempt) (Secrets, error) {
	u, err := s.checkAttempt(ctx, &a)
	if err != nil {
		return Secrets{}, err
	}
	return s.issueSecrets(ctx, u)
}

// checkAttempt returns the user if the password is right. It reads the user
// from the bucket, not from memory, since another bus may just have created
// them. An unknown user takes as long as a wrong password.
func (s *Service) checkAttempt(ctx context.Context, a *Attempt) (*bus.User, error) {
	if wait := s.throttle.admit(a); wait > 0 {
		return nil, &PausedError{wait}
	}
	checked := false
	defer func() {
		if !checked {
			s.throttle.release(a)
		}
	}()
	var e bus.Entry[bus.User]
	err := bus.ErrNotFound
	if ValidID(a.ID) {
		e, err = s.b.Users.Get(ctx, a.ID)
	}
	if errors.Is(err, bus.ErrNotFound) {
		e.Value.Password, err = unknownUser, nil
	}
	if err != nil {
		return nil, err
	}
	right, err := s.checkPassword(ctx, a.Password[:min(len(a.Password), MaxPassword)], e.Value.Password)
	if err != nil {
		return nil, err
	}
	checked = true
	if !right || e.Value.ID == "" || len(a.Password) > MaxPassword {
		s.logFailure(a, s.throttle.fail(a))
		return nil, ErrWrong
	}
	s.throttle.succeed(a)
	s.rememberUser(a.ID, &e.Value, e.Revision)
	return &e.Value, nil
}

// Issue returns the secrets of a new login without asking for a password.
func (s *Service) Issue(ctx context.Context, id string) (Secrets, error) {
	u := s.userByID(id)
	if u == nil {
		return Secrets{}, noUser(id)
	}
	return s.issueSecrets(ctx, u)
}

func (s *Service) issueSecrets(ctx context.Context, u *bus.User) (Secrets, error) {
	secrets, now := NewSecrets(), subjects.Now()
	token, cookie := digestOfSecret(secrets.Token).String(), digestOfSecret(secrets.Session).String()
	v := bus.Session{User: u.ID, UserSince: u.CreateTime, PasswordTime: u.PasswordTime, CreateTime: now, LastUsed: now}
	for _, of := range []struct{ kind, key, twin string }{{bus.KindToken, token, cookie}, {bus.KindSession, cookie, token}} {
		v.Kind, v.Twin = of.kind, of.twin
		rev, err := s.b.Sessions.Create(ctx, of.key, v)
		if err != nil {
			return Secrets{}, fmt.Errorf("log in %s: %w", u.ID, err)
		}
		s.putSession(of.key, new(v), rev)
	}
	return secrets, nil
}

// Logout ends a login: its session and its token, whichever is the secret. It
// is no error if there is none.
func (s *Service) Logout(ctx context.Context, secret string) error {
	ended, err := s.endSession(ctx, digestOfSecret(secret).String())
	if err == nil && ended.Twin != "" {
		_, err = s.endSession(ctx, ended.Twin)
	}
	return err
}

// endSession deletes the session or token with a key, and returns it as it was.
func (s *Service) endSession(ctx context.Context, key string) (was bus.Session, err error) {
	for range maxRaces {
		e, err := s.b.Sessions.Get(ctx, key)
		if err == nil {
			err = s.b.Sessions.Delete(ctx, e.Key, e.Revision)
		}
		switch {
		case err == nil, errors.Is(err, bus.ErrNotFound):
			s.markEnded(key)
			return e.Value, nil
		case !errors.Is(err, bus.ErrChanged): // another bus recorded its use
			return was, err
		}
	}
	return was, bus.ErrChanged
}

// BySession returns the user of a valid session, or nil, and records that the
// session was used.
func (s *Service) BySession(ctx context.Context, secret string) *bus.User {
	return s.userOf(ctx, secret, digestOfSecret(secret), bus.KindSession)
}

// ByToken returns the user of a valid token or API key, or nil.
func (s *Service) ByToken(ctx context.Context, secret string) *bus.User {
	d := digestOfSecret(secret)
	if u, isKey := s.userByKey(d); isKey {
		return u
	}
	return s.userOf(ctx, secret, d, bus.KindToken)
}

// Peek returns the user of a valid session, token or API key, or nil. The error
// says that NATS could not be asked, so the secret may be valid. Unlike
// [Service.BySession] it is no use of the session.
func (s *Service) Peek(ctx context.Context, secret string) (*bus.User, error) {
	d := digestOfSecret(secret)
	if u, isKey := s.userByKey(d); isKey {
		return u, nil
	}
	_, u, err := s.validSession(ctx, secret, d)
	return u, err
}

func (s *Service) userOf(ctx context.Context, secret string, d digest, kind string) *bus.User {
	e, u, err := s.validSession(ctx, secret, d)
	if err != nil || u == nil || e.Kind != kind {
		return nil
	}
	if kind == bus.KindSession {
		s.recordUse(d, e, subjects.Now())
	}
	return u
}

// validSession returns a valid session or token and its user, or nil.
func (s *Service) validSession(ctx context.Context, secret string, d digest) (e *session, u *bus.User, err error) {
	s.mu.RLock()
	e = s.sessions[d]
	s.mu.RUnlock()
	if e == nil {
		e, err = s.lookUpSession(ctx, secret, d)
	}
	if e == nil || s.hasEnded(e, subjects.Now()) {
		return nil, nil, err
	}
	u = s.userByID(e.User)
	if u == nil || u.CreateTime != e.UserSince || u.PasswordTime != e.PasswordTime || !s.mayLogIn(u) {
		return nil, nil, nil
	}
	return e, u, nil
}

// maxLookups limits how many unknown secrets are looked up in NATS at a time.
// Beyond that an unknown secret is invalid.
const maxLookups = 8

// lookUpSession reads a session that is not in memory from NATS: another bus
// may just have created it. It does not put the session into memory; the
// session may be deleted before the watch delivers it, and would stay.
func (s *Service) lookUpSession(ctx context.Context, secret string, d digest) (*session, error) {
	if len(secret) != len(uuid.Nil.String()) && len(secret) != len(rand.Text()) {
		return nil, nil
	}
	select {
	case s.lookups <- struct{}{}:
		defer func() { <-s.lookups }()
	default:
		return nil, ErrBusy
	}
	found, err := s.b.Sessions.Get(ctx, d.String())
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if s.userByID(found.Value.User) == nil { // the login may have created them
		u, err := s.b.Users.Get(ctx, found.Value.User)
		if err == nil {
			s.rememberUser(u.Key, &u.Value, u.Revision)
		} else if !errors.Is(err, bus.ErrNotFound) {
			return nil, err
		}
	}
	return newSession(found.Value, found.Revision, 0), nil
}

// recordUse records that a session was used: in memory at once, in the bucket
// for other buses once a minute.
func (s *Service) recordUse(d digest, e *session, now subjects.Time) {
	if last := e.used.Load(); int64(now) > last {
		e.used.CompareAndSwap(last, int64(now))
	}
	due := e.due.Load()
	if int64(now) < due || !e.due.CompareAndSwap(due, int64(now)+recordUseEvery.Milliseconds()) {
		return
	}
	v := e.Session
	v.LastUsed = now
	s.b.Sessions.Write(d.String(), v, e.rev, func(_ uint64, err error) {
		// Changed: another bus wrote the use, or the session ended.
		if err != nil && !errors.Is(err, bus.ErrChanged) {
			s.log.Warn("last use of a session not stored, retrying in a minute", "err", err)
		}
	})
}
