package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	ackTimeout = 2 * time.Second // for one answer of the broker
	firstPause = 20 * time.Millisecond
	maxPause   = 2 * time.Second
)

var (
	errRefused = errors.New("refused: not the last result any more")
	errHeld    = errors.New("held for too long")
)

// record is a result on its way: what is sent, and what it is expected to
// follow. It is also how the outbox keeps one in a file.
type record struct {
	Subject  string          `json:"subject"`
	Filter   string          `json:"filter"`
	Expect   uint64          `json:"expected_sequence"`
	Handling string          `json:"handling"`
	Number   int             `json:"number"`
	Data     json.RawMessage `json:"result"`

	doubt bool      // it, or one before it, may have been stored without our knowing
	until time.Time // by the wall clock; after that it must not be sent any more
}

// publisher stores results. It is where the rules for an outcome that is not
// known live.
type publisher struct{ nc *nats.Conn }

// store sends r until it is stored, and returns its sequence; or until it is
// refused ([errRefused]), too late ([errHeld]), or ctx ends: then it may be
// stored or not.
func (p *publisher) store(ctx context.Context, r *record) (uint64, error) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if !r.until.IsZero() && wall().After(r.until) {
			return 0, errHeld
		}
		seq, err := p.send(ctx, r)
		if err == nil {
			return seq, nil
		}
		if errors.Is(err, errRefused) {
			if !r.doubt {
				return 0, err
			}
			if seq, err = p.judge(ctx, r); err == nil || errors.Is(err, errRefused) {
				return seq, err
			}
			if errors.Is(err, errFollow) {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// errFollow says that the last result is an earlier one of the same handling,
// and that r expects it now.
var errFollow = errors.New("an earlier result was stored")

// judge finds out what a refusal means when an outcome before it is not known.
// A replica that is behind is known by the expectation: whoever refused it saw
// something newer than what r expects.
func (p *publisher) judge(ctx context.Context, r *record) (uint64, error) {
	seq, last, err := p.last(ctx, r.Filter)
	switch {
	case err != nil:
		return 0, err
	case seq > r.Expect && last.Handling == r.Handling && last.Number == r.Number:
		return seq, nil
	case seq > r.Expect && last.Handling == r.Handling && last.Number < r.Number:
		r.Expect = seq
		return 0, errFollow
	case seq > r.Expect:
		return 0, errRefused
	}
	return 0, errors.New("a replica that is behind has answered")
}

// last reads the last result of a filter.
func (p *publisher) last(ctx context.Context, filter string) (uint64, subjects.Result, error) {
	var last subjects.Result
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	m, err := p.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+subjects.ResultsStream+"."+filter, nil)
	if err != nil {
		return 0, last, fmt.Errorf("read the last result of %s: %w", filter, err)
	}
	if status := m.Header.Get("Status"); status != "" {
		return 0, last, fmt.Errorf("read the last result of %s: %s %s", filter, status, m.Header.Get("Description"))
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err == nil {
		err = json.Unmarshal(m.Data, &last)
	}
	return seq, last, err
}

// pubAck is JetStream's answer to a publish.
type pubAck struct {
	Seq   uint64 `json:"seq"`
	Error *struct {
		Code        int    `json:"code"`
		ErrCode     int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// send sends r once. It marks r as in doubt if it may have been stored in spite
// of an error.
func (p *publisher) send(ctx context.Context, r *record) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	m, err := p.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: r.Subject, Data: r.Data, Header: nats.Header{
		subjects.ExpectedSequenceHeader: {strconv.FormatUint(r.Expect, 10)},
		subjects.ExpectedFilterHeader:   {r.Filter},
	}})
	if err != nil {
		if !errors.Is(err, nats.ErrReconnectBufExceeded) && !errors.Is(err, nats.ErrNoResponders) {
			r.doubt = true
		}
		return 0, err
	}
	seq, err := parseAck(m.Data)
	if err != nil && !errors.Is(err, errRefused) {
		r.doubt = true // a leader that steps down may answer with an error what is stored after all
	}
	return seq, err
}

func parseAck(data []byte) (uint64, error) {
	var ack pubAck
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("answer of the stream: %w", err)
	}
	if e := ack.Error; e != nil {
		if e.ErrCode == subjects.WrongLastSequence {
			return 0, errRefused
		}
		return 0, fmt.Errorf("answer of the stream: %s (%d)", e.Description, e.ErrCode)
	}
	if ack.Seq == 0 {
		return 0, fmt.Errorf("answer of the stream: %.80s", data)
	}
	return ack.Seq, nil
}

// wall is the present without the monotonic clock, which stops while a machine
// sleeps.
func wall() time.Time { return time.Now().Round(0) }
