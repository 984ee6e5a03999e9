package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A cluster that stores another write of the key cannot decide a write yet. The
// write is repeated until it is decided, or until the caller gives up.
func TestUndecidedWritesAreRepeated(t *testing.T) {
	undecided := fmt.Errorf("around: %w", &jetstream.APIError{ErrorCode: subjects.AnotherInFlight})
	refused := &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}
	for _, tt := range []struct {
		name    string
		answers []error // the last one is repeated
		want    error
		sent    int
	}{
		{"decided at once", []error{nil}, nil, 1},
		{"decided later", []error{undecided, undecided, nil}, nil, 3},
		{"refused", []error{refused}, refused, 1},
		{"refused later", []error{undecided, refused}, refused, 2},
		{"never decided", []error{undecided}, undecided, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*jetio.RetryDelay-time.Millisecond)
				defer cancel()
				sent := 0
				rev, err := retryUndecided(ctx, func() (uint64, error) {
					sent++
					return uint64(sent), tt.answers[min(sent, len(tt.answers))-1]
				})
				if !errors.Is(err, tt.want) || sent != tt.sent || rev != uint64(sent) {
					t.Errorf("revision %d, %v, sent %d times; want %v, sent %d times", rev, err, sent, tt.want, tt.sent)
				}
			})
		})
	}
}
