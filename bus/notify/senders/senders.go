package senders

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Sender sends messages to one target.
type Sender interface {
	// Send sends a message once. An error that is a [Refusal] would be the same
	// the next time.
	Send(ctx context.Context, m *Message) error
	// Accepts returns why the sender never sends to a recipient, or nil. An empty
	// recipient is the sender's own.
	Accepts(recipient string) error
	// Target returns the kind of the sender and its host, for people to read.
	Target() (kind, host string)
}

// Refusal is an error that a retry would not mend.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// IsFinal reports whether a retry would fail as err did.
func IsFinal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}

// Set has senders by their names.
type Set map[string]Sender

// Names returns the names in their order.
func (s Set) Names() []string { return slices.Sorted(maps.Keys(s)) }

// status is the HTTP status of an answer other than success.
type status int

func (s status) Error() string {
	return fmt.Sprintf("the receiver answered %d %s", int(s), http.StatusText(int(s)))
}

// StatusError returns nil for a status of success, a [Refusal] for one that a
// retry would get again, or else another error.
func StatusError(code int) error {
	switch {
	case code/100 == 2:
		return nil
	case code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests && code != http.StatusTooEarly:
		return &Refusal{status(code)}
	}
	return status(code)
}
