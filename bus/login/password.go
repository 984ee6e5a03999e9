package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	maxHashing = 2  // passwords that are hashed at a time
	maxWaiting = 64 // and that wait for it: about a second
)

// What a login is refused with.
var (
	ErrWrong = errors.New("wrong user or password")
	ErrBusy  = errors.New("too many logins at a time") // try later
)

// hash makes what is kept of a password.
func (s *Service) hash(ctx context.Context, password string) (string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return newHash(password), nil
}

// right says whether hash is of the password.
func (s *Service) right(ctx context.Context, password, hash string) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return matches(password, hash)
}

// enter waits for a place to hash in: each takes 19 MiB for as long as it
// lasts.
func (s *Service) enter(ctx context.Context) (leave func(), err error) {
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

// MinPassword is how many characters a password has at least, and MaxPassword
// how many bytes at most.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// PasswordOf is the password in the text of a file.
func PasswordOf(text string) (string, error) {
	password := strings.TrimRight(text, "\r\n")
	switch n := len([]rune(password)); {
	case n < MinPassword:
		return "", fmt.Errorf("a password has at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return "", fmt.Errorf("a password has at most %d bytes", MaxPassword)
	case strings.ContainsAny(password, "\r\n"):
		return "", errors.New("want a password in one line, and nothing else")
	}
	return password, nil
}
