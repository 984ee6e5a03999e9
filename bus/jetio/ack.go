package jetio

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ErrUndecided means that the broker has decided nothing: the cluster is
// storing another message of the filter, and may yet drop it.
var ErrUndecided = fmt.Errorf("%w: another is being stored", ErrUnknown)

// errNoStream means that the broker has no stream for a subject, so that nothing
// was stored.
var errNoStream = fmt.Errorf("%w: no stream takes this subject", ErrAway)

// parseAck returns the sequence of a stored message, or one of our errors.
func parseAck(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, errNoStream
	}
	seq, err := subjects.ParseAck(m.Data)
	var refused *subjects.AckError
	switch {
	case err == nil:
		return seq, nil
	case !errors.As(err, &refused):
		return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
	case refused.ErrCode == subjects.WrongLastSequence:
		return 0, fmt.Errorf("%w: %s", ErrChanged, refused.Description)
	case refused.ErrCode == subjects.AnotherInFlight:
		return 0, ErrUndecided
	case isNoRoom(refused.ErrCode, refused.Description):
		return 0, fmt.Errorf("%w: %w", ErrFull, refused)
	case refused.Code == 503:
		return 0, fmt.Errorf("%w: %w", ErrAway, refused)
	}
	return 0, refused
}
