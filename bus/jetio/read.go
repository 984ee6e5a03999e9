package jetio

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StoredMessage is a message of a stream.
type StoredMessage struct {
	Subject  string
	Sequence uint64
	Header   nats.Header
	Data     []byte
	Time     time.Time
}

// WithAckTimeout returns ctx with a timeout for one answer of the broker. The
// client library applies its own timeout only if ctx has no deadline at all,
// however far away that deadline is.
func WithAckTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, AckTimeout)
}

// ReadLast reads the last message of a filter from the stream's leader, or
// returns [ErrNotFound].
func ReadLast(ctx context.Context, nc *nats.Conn, stream, filter string) (*StoredMessage, error) {
	return readMessage(ctx, nc, stream, map[string]any{"last_by_subj": filter})
}

// ReadNext reads the first message of a filter at or after a sequence from the
// stream's leader, or returns [ErrNotFound].
func ReadNext(ctx context.Context, nc *nats.Conn, stream, filter string, seq uint64) (*StoredMessage, error) {
	return readMessage(ctx, nc, stream, map[string]any{"seq": seq, "next_by_subj": filter})
}

// readMessage asks the leader: the client library may ask any replica of a
// stream that allows direct reads, and a decision on a stale answer is wrong.
func readMessage(ctx context.Context, nc *nats.Conn, stream string, query map[string]any) (*StoredMessage, error) {
	ctx, cancel := WithAckTimeout(ctx)
	defer cancel()
	body, _ := json.Marshal(query) // cannot fail
	m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Headers []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("decode the answer of the stream %s: %w", stream, err)
	}
	if answer.Error != nil {
		if answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, ErrNotFound
		}
		return nil, fmt.Errorf("%w: %w", ErrAway, answer.Error)
	}
	s := &StoredMessage{Subject: answer.Message.Subject, Sequence: answer.Message.Seq, Data: answer.Message.Data, Time: answer.Message.Time}
	s.Header, err = nats.DecodeHeadersMsg(answer.Message.Headers)
	if err != nil && len(answer.Message.Headers) > 0 {
		return nil, fmt.Errorf("decode the headers of message %d of %s: %w", s.Sequence, stream, err)
	}
	return s, nil
}
