package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stored is a message of a stream.
type stored struct {
	Subject  string
	Sequence uint64
	Header   nats.Header
	Data     []byte
	Time     time.Time
}

// soon is ctx for one answer of the broker, which may be lost. The client library bounds the waiting only where ctx has no deadline, however
// far away that is.
func soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, AckTimeout)
}

// ask reads a message from the stream's leader; [ErrNotFound] if there is none. The client library would ask any replica of a
// stream that allows direct reads, and what is decided on an old answer is wrong.
func (b *Bus) ask(ctx context.Context, stream string, body []byte) (*stored, error) {
	ctx, cancel := soon(ctx)
	defer cancel()
	m, err := b.NC.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, body)
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
		return nil, fmt.Errorf("answer of the stream %s: %w", stream, err)
	}
	if answer.Error != nil {
		if answer.Error.Code == 404 {
			return nil, ErrNotFound
		}
		return nil, fmt.Errorf("%w: %w", ErrAway, answer.Error)
	}
	s := &stored{Subject: answer.Message.Subject, Sequence: answer.Message.Seq, Data: answer.Message.Data, Time: answer.Message.Time}
	s.Header, err = nats.DecodeHeadersMsg(answer.Message.Headers)
	if err != nil && len(answer.Message.Headers) > 0 {
		return nil, fmt.Errorf("message %d of %s: headers: %w", s.Sequence, stream, err)
	}
	return s, nil
}

// lastOf and nextOf are what to ask a stream for: the last message of a filter, or its first at or after a sequence.
func lastOf(filter string) []byte {
	body, _ := json.Marshal(map[string]string{"last_by_subj": filter}) // cannot fail
	return body
}

func nextOf(filter string, seq uint64) []byte {
	body, _ := json.Marshal(map[string]any{"seq": seq, "next_by_subj": filter}) // cannot fail
	return body
}
