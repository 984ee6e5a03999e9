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
	errRefused = errors.New("refused: a later result is stored")
	errHeld    = errors.New("request held for too long")
)

// pendingResult is a result that is to be stored, with the sequence of the
// result that it expects before it. The outbox keeps it in a file in this form.
type pendingResult struct {
	Subject  string          `json:"subject"`
	Filter   string          `json:"filter"`
	Expect   uint64          `json:"expected_sequence"`
	Handling string          `json:"handling"`
	Number   int             `json:"number"`
	Data     json.RawMessage `json:"result"`

	// inDoubt means that this result, or one before it, may have been stored
	// although the agent got no acknowledgement.
	inDoubt  bool
	deadline time.Time // wall clock; after that it must not be sent any more
}

// resultPublisher stores results. It also finds out whether a result was stored
// when its acknowledgement was lost.
type resultPublisher struct{ nc *nats.Conn }

// room returns how many bytes of data of steps a result may hold.
func (p *resultPublisher) room() int {
	most := p.nc.MaxPayload()
	if most <= 0 { // there was no connection yet
		most = defaultPayload
	}
	return int(most) - resultRoom
}

// shrink removes the data of steps from a terminal result that is too large, so
// that the attempt can end. It returns false if there is nothing to remove.
func (r *pendingResult) shrink() bool {
	var res subjects.Result
	if json.Unmarshal(r.Data, &res) != nil || !isTerminal(res.BatchStatus) || !removeData(res.Steps) {
		return false
	}
	data, err := encodeResult(&res)
	r.Data = data
	return err == nil
}

// storeResult retries r until it is stored, and returns its sequence. It fails
// if r is refused ([errRefused]) or too late ([errHeld]). If ctx ends first, r
// may be stored or not.
func (p *resultPublisher) storeResult(ctx context.Context, r *pendingResult) (uint64, error) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if !r.deadline.IsZero() && subjects.WallClock().After(r.deadline) {
			return 0, errHeld
		}
		seq, err := p.sendOnce(ctx, r)
		if err == nil {
			return seq, nil
		}
		if errors.Is(err, errTooLarge) {
			if !r.shrink() {
				return 0, err
			}
			continue
		}
		if errors.Is(err, errRefused) {
			if !r.inDoubt {
				return 0, err
			}
			if seq, err = p.resolveRefusal(ctx, r); err == nil || errors.Is(err, errRefused) {
				return seq, err
			}
			if errors.Is(err, errEarlierStored) {
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

// errEarlierStored means that the last result is an earlier one of the same
// handling. The result expects that one now and can be sent again.
var errEarlierStored = errors.New("an earlier result was stored")

// resolveRefusal decides what a refusal means if r is in doubt: r itself was
// stored, an earlier result of the same handling was, or the result of somebody
// else. A refusal proves that there is a result after r.Expect; a replica that
// does not have it yet lags behind, and the caller tries again.
func (p *resultPublisher) resolveRefusal(ctx context.Context, r *pendingResult) (uint64, error) {
	seq, last, err := p.readLastResult(ctx, r.Filter)
	switch {
	case err != nil:
		return 0, err
	case seq > r.Expect && last.Handling == r.Handling && last.Number == r.Number:
		return seq, nil
	case seq > r.Expect && last.Handling == r.Handling && last.Number < r.Number:
		r.Expect = seq
		return 0, errEarlierStored
	case seq > r.Expect:
		return 0, errRefused
	}
	return 0, errors.New("the answer is from a replica that lags behind")
}

// readLastResult reads the last result whose subject matches filter.
func (p *resultPublisher) readLastResult(ctx context.Context, filter string) (uint64, subjects.Result, error) {
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

// sendOnce sends r once. It marks r as in doubt if r may have been stored in
// spite of the error.
func (p *resultPublisher) sendOnce(ctx context.Context, r *pendingResult) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	m, err := p.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: r.Subject, Data: r.Data, Header: nats.Header{
		subjects.ExpectedSequenceHeader: {strconv.FormatUint(r.Expect, 10)},
		subjects.ExpectedFilterHeader:   {r.Filter},
	}})
	if errors.Is(err, nats.ErrMaxPayload) {
		return 0, errTooLarge
	}
	if err != nil {
		if !errors.Is(err, nats.ErrReconnectBufExceeded) && !errors.Is(err, nats.ErrNoResponders) {
			r.inDoubt = true
		}
		return 0, err
	}
	seq, err := parseAck(m.Data)
	if err != nil && !errors.Is(err, errRefused) && !errors.Is(err, errTooLarge) {
		// A leader that steps down may answer with an error although the
		// message is stored later.
		r.inDoubt = true
	}
	return seq, err
}

// parseAck returns the sequence of a stored message, or [errRefused].
func parseAck(data []byte) (uint64, error) {
	seq, err := subjects.ParseAck(data)
	var refused *subjects.AckError
	switch {
	case !errors.As(err, &refused):
		return seq, err
	case refused.ErrCode == subjects.WrongLastSequence:
		return 0, errRefused
	case refused.ErrCode == subjects.MessageTooLarge:
		return 0, errTooLarge
	}
	return 0, fmt.Errorf("the broker refused the message: %w", refused)
}
