package jetio

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Errors that a caller can act on.
var (
	ErrNotFound = errors.New("not found")
	ErrChanged  = errors.New("changed by someone else")          // read again and decide again
	ErrUnknown  = errors.New("not known whether it was stored")  // send the same again
	ErrAway     = errors.New("NATS or JetStream is unavailable") // nothing was stored; try later
)

// ErrFull means that JetStream has no room left, on its disk or within its
// account's limit. Nothing was stored; try later. It also is an [ErrAway], for
// callers that do not tell the two apart.
var ErrFull error = fullError{}

type fullError struct{}

func (fullError) Error() string { return "JetStream has no space left" }

// Is makes errors.Is(err, ErrAway) true.
func (fullError) Is(target error) bool { return target == ErrAway }

// IsAway reports whether err means that the broker cannot be reached now.
func IsAway(err error) bool {
	for _, e := range []error{
		nats.ErrConnectionClosed, nats.ErrDisconnected, nats.ErrNoResponders, nats.ErrTimeout, nats.ErrReconnectBufExceeded,
		jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.Code == 503 || api.ErrorCode == subjects.AnotherInFlight)
}

// IsFull reports whether err means that JetStream has no room left.
func IsFull(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, ErrFull) || errors.As(err, &api) && isNoRoom(int(api.ErrorCode), api.Description)
}

// isNoRoom reports whether an error of the broker means that there is no room
// left.
func isNoRoom(code int, description string) bool {
	switch code {
	case 10002, 10023, 10047: // of the account; of the server, for messages and for reservations
		return true
	case 10005: // no server of the cluster has room; one that is offline may have it
		return strings.Contains(description, "insufficient storage") && !strings.Contains(description, "offline")
	case 10077:
		return strings.Contains(description, "no space left")
	}
	return false
}
