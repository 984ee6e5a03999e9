package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	maxHashing = 2  // passwords hashed at the same time
	maxWaiting = 64 // passwords that wait for that: about a second
)

// Errors of a refused login.
var (
	ErrWrong = errors.New("wrong user or password")
	ErrBusy  = errors.New("too many logins at the same time") // try later
)

// hashPassword returns the hash to store for a password.
func (s *Service) hashPassword(ctx context.Context, password string) (string, error) {
	leave, err := s.waitForHashing(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return newHash(password), nil
}

// checkPassword reports whether hash belongs to password.
func (s *Service) checkPassword(ctx context.Context, password, hash string) (bool, error) {
	leave, err := s.waitForHashing(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return matchesHash(password, hash)
}

// waitForHashing blocks until one more password may be hashed; each hash uses
// 19 MiB of memory. The caller must call leave afterwards.
func (s *Service) waitForHashing(ctx context.Context) (leave func(), err error) {
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer s.waiting.Add(-1)
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A password has at least MinPassword characters and at most MaxPassword bytes.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// PasswordOf returns the password in the text of a file, which is its only
// line.
func PasswordOf(text string) (string, error) {
	password := strings.TrimRight(text, "\r\n")
	switch n := len([]rune(password)); {
	case n < MinPassword:
		return "", fmt.Errorf("want a password of at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return "", fmt.Errorf("want a password of at most %d bytes", MaxPassword)
	case strings.ContainsAny(password, "\r\n"):
		return "", errors.New("want one line that is the password")
	}
	return password, nil
}
