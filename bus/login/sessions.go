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

func digestIn(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// digestOf reads what String wrote; what it did not write is the digest of
// nothing.
func digestOf(key string) (d digest) {
	if n, err := hex.Decode(d[:], []byte(key[:min(len(key), 2*len(d))])); err != nil || n != len(d) {
		return digest{}
	}
	return d
}

// session is a login as it is known here.
type session struct {
	bus.Session
	rev   uint64
	round int
	used  atomic.Int64 // milliseconds since 1970; later than what is stored
	due   atomic.Int64 // when its use is to be noted again
}

func newSession(v bus.Session, rev uint64, round int) *session {
	e := &session{Session: v, rev: rev, round: round}
	e.used.Store(int64(v.LastUsed))
	e.due.Store(int64(v.LastUsed) + noteEvery.Milliseconds())
	return e
}

// over says whether it has ended.
func (s *Service) over(e *session, now subjects.Time) bool {
	if e.Kind == bus.KindToken {
		return now >= e.CreateTime+subjects.Time(TokenLife.Milliseconds())
	}
	return now >= subjects.Time(e.used.Load()+s.timeout.Milliseconds())
}

func (s *Service) putSession(key string, v *bus.Session, rev uint64) {
	d := digestOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v == nil {
		delete(s.sessions, d)
		return
	}
	e := newSession(*v, rev, s.round)
	if was := s.sessions[d]; was != nil {
		e.used.Store(max(e.used.Load(), was.used.Load()))
	}
	s.sessions[d] = e
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

// Secrets are what a login is answered with. They are kept nowhere.
type Secrets struct{ Token, Session string }

// String hides them from whoever prints one.
func (Secrets) String() string { return "(secrets)" }

// NewSecrets are random.
func NewSecrets() Secrets { return Secrets{uuid.NewString(), rand.Text()} }

// Login lets a user in, or returns an error that is [ErrWrong] or [ErrBusy].
// Who the user is says the bucket, not what is in memory: one who was made at
// another bus this moment gets in, and one whom nobody knows takes as long.
func (s *Service) Login(ctx context.Context, id, password string) (Secrets, error) {
	var e bus.Entry[bus.User]
	err := bus.ErrNotFound
	if ValidID(id) {
		e, err = s.b.Users.Get(ctx, id)
	}
	if errors.Is(err, bus.ErrNotFound) {
		e.Value.Password, err = nobody, nil
	}
	if err != nil {
		return Secrets{}, err
	}
	right, err := s.right(ctx, password[:min(len(password), MaxPassword)], e.Value.Password)
	if err != nil {
		return Secrets{}, err
	}
	if !right || e.Value.ID == "" || len(password) > MaxPassword {
		return Secrets{}, ErrWrong
	}
	s.takeUser(id, &e.Value, e.Revision)
	return s.issue(ctx, &e.Value)
}

// Issue lets a user in whom the program itself trusts.
func (s *Service) Issue(ctx context.Context, id string) (Secrets, error) {
	u := s.user(id)
	if u == nil {
		return Secrets{}, noUser(id)
	}
	return s.issue(ctx, u)
}

func (s *Service) issue(ctx context.Context, u *bus.User) (Secrets, error) {
	secrets, now := NewSecrets(), subjects.Now()
	for kind, secret := range map[string]string{bus.KindToken: secrets.Token, bus.KindSession: secrets.Session} {
		v := bus.Session{User: u.ID, UserSince: u.CreateTime, Kind: kind, CreateTime: now, LastUsed: now}
		key := digestIn(secret).String()
		rev, err := s.b.Sessions.Create(ctx, key, v)
		if err != nil {
			return Secrets{}, fmt.Errorf("log in %s: %w", u.ID, err)
		}
		s.putSession(key, &v, rev)
	}
	return secrets, nil
}

// Logout ends the session or the token; that there is none is no error.
func (s *Service) Logout(ctx context.Context, secret string) error {
	d := digestIn(secret)
	for range maxRaces {
		e, err := s.b.Sessions.Get(ctx, d.String())
		if err == nil {
			err = s.b.Sessions.Delete(ctx, e.Key, e.Revision)
		}
		switch {
		case err == nil, errors.Is(err, bus.ErrNotFound):
			s.putSession(d.String(), nil, 0)
			return nil
		case !errors.Is(err, bus.ErrChanged): // it was being used
			return err
		}
	}
	return bus.ErrChanged
}

// BySession is whose session it is, nil if it is none, and notes that it was
// used.
func (s *Service) BySession(ctx context.Context, secret string) *bus.User {
	return s.by(ctx, secret, digestIn(secret), bus.KindSession)
}

// ByToken is whose token or key it is, nil if it is neither.
func (s *Service) ByToken(ctx context.Context, secret string) *bus.User {
	d := digestIn(secret)
	s.mu.RLock()
	id, ok := s.keys[d]
	s.mu.RUnlock()
	if ok {
		return s.user(id)
	}
	return s.by(ctx, secret, d, bus.KindToken)
}

func (s *Service) by(ctx context.Context, secret string, d digest, kind string) *bus.User {
	s.mu.RLock()
	e := s.sessions[d]
	s.mu.RUnlock()
	if e == nil {
		e = s.ask(ctx, secret, d)
	}
	now := subjects.Now()
	if e == nil || e.Kind != kind || s.over(e, now) {
		return nil
	}
	u := s.user(e.User)
	if u == nil || u.CreateTime != e.UserSince {
		return nil
	}
	if kind == bus.KindSession {
		s.note(d, e, now)
	}
	return u
}

// maxAsking is how many strangers are looked for in NATS at a time; others are
// just strangers.
const maxAsking = 8

// ask looks in NATS for what is not known here: another bus may have issued it
// this moment. It is not taken in, since it may end before the watch shows it.
func (s *Service) ask(ctx context.Context, secret string, d digest) *session {
	if len(secret) != len(uuid.Nil.String()) && len(secret) != len(rand.Text()) {
		return nil
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	default:
		return nil
	}
	found, err := s.b.Sessions.Get(ctx, d.String())
	if err != nil {
		return nil
	}
	return newSession(found.Value, found.Revision, 0)
}

// note notes that a session was used: here at once, for the other buses once a
// minute.
func (s *Service) note(d digest, e *session, now subjects.Time) {
	if last := e.used.Load(); int64(now) > last {
		e.used.CompareAndSwap(last, int64(now))
	}
	due := e.due.Load()
	if int64(now) < due || !e.due.CompareAndSwap(due, int64(now)+noteEvery.Milliseconds()) {
		return
	}
	v := e.Session
	v.LastUsed = now
	s.b.Sessions.Write(d.String(), v, e.rev, func(_ uint64, err error) {
		if err != nil && !errors.Is(err, bus.ErrChanged) { // changed: another bus noted it, or it was ended
			s.log.Warn("use of a session not noted, trying again in a minute", "err", err)
		}
	})
}
