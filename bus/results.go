package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// StoredResult is a result with its sequence in RESULTS.
type StoredResult struct {
	subjects.Result
	Sequence uint64
	Expected uint64 // the last sequence that it was published with as expected, or noExpectation
}

// noExpectation is a sequence that no stream reaches. A result has it whose
// place after another one the broker has not checked.
const noExpectation = math.MaxUint64

// maxRetryTime bounds for how long the bus repeats a decision with an unknown
// outcome. It is measured by the wall clock, since the monotonic clock stops in
// suspend. After a purge, the broker has no message left that would refuse an
// old decision.
const maxRetryTime = 3 * AckTimeout

// PublishResult stores a result that the bus itself decided, if expect is the
// last sequence of the execution. Otherwise the error is an [ErrChanged]. If
// the outcome is unknown, PublishResult sends the result again for
// [maxRetryTime]; then the error is an [ErrUnknown].
func (b *Bus) PublishResult(ctx context.Context, r *subjects.Result, expect uint64) (uint64, error) {
	r.Agent, r.Number = subjects.Bus, 1
	r.Handling = nats.NewInbox()[7:]
	data, err := encodeJSON(r)
	if err != nil {
		return 0, fmt.Errorf("encode result of %d: %w", r.ID, err)
	}
	filter := subjects.ResultFilter(r.App, r.Job, r.ID)
	until := subjects.WallClock().Add(maxRetryTime)
	for {
		m := &nats.Msg{Subject: subjects.ResultSubject(r.App, r.Job, r.ID, subjects.Bus), Data: data}
		seq, err := b.Pub.Do(ctx, m, filter, int64(expect))
		switch {
		case err == nil:
			return seq, nil
		case errors.Is(err, ErrUnknown) && subjects.WallClock().Before(until):
			select {
			case <-time.After(jetio.RetryDelay):
				continue
			case <-ctx.Done():
			}
		case errors.Is(err, ErrChanged): // it may be our own, with a lost acknowledgement
			last, lerr := b.LastResult(ctx, r.App, r.Job, r.ID)
			if lerr == nil && last.Same(r) {
				return last.Sequence, nil
			}
		}
		return 0, fmt.Errorf("publish %s of %d after %d: %w", r.BatchStatus, r.ID, expect, err)
	}
}

// LastResult reads the newest result of an execution from the leader, or
// returns [ErrNotFound].
func (b *Bus) LastResult(ctx context.Context, app, job string, id int64) (*StoredResult, error) {
	return decodeRead(jetio.ReadLast(ctx, b.NC, subjects.ResultsStream, subjects.ResultFilter(app, job, id)))
}

// ResultAt reads the first result of an execution at or after seq, or returns
// [ErrNotFound].
func (b *Bus) ResultAt(ctx context.Context, app, job string, id int64, seq uint64) (*StoredResult, error) {
	return decodeRead(jetio.ReadNext(ctx, b.NC, subjects.ResultsStream, subjects.ResultFilter(app, job, id), seq))
}

// decodeRead decodes the outcome of a read of RESULTS. A result that cannot be
// decoded says nothing, but has its place in the sequence.
func decodeRead(m *jetio.StoredMessage, err error) (*StoredResult, error) {
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	r, err := DecodeResult(m.Subject, m.Sequence, m.Header, m.Data)
	if err != nil {
		r = &StoredResult{Sequence: m.Sequence, Expected: noExpectation}
		r.App, r.Job, r.ID, r.Agent, err = subjects.ParseResultSubject(m.Subject)
	}
	return r, err
}

// DecodeResult decodes a message of RESULTS. The execution and publisher in its
// payload must agree with its subject, since permissions confine only the
// subject.
func DecodeResult(subject string, seq uint64, hdr nats.Header, data []byte) (*StoredResult, error) {
	app, job, id, who, err := subjects.ParseResultSubject(subject)
	if err != nil {
		return nil, fmt.Errorf("result %d: %w", seq, err)
	}
	r := &StoredResult{Sequence: seq, Expected: noExpectation}
	if err := decodeJSON(data, &r.Result); err != nil {
		return nil, fmt.Errorf("result %d on %s: %w", seq, subject, err)
	}
	if v := hdr.Get(subjects.ExpectedSequenceHeader); v != "" && hdr.Get(subjects.ExpectedFilterHeader) == subjects.ResultFilter(app, job, id) {
		if r.Expected, err = strconv.ParseUint(v, 10, 64); err != nil {
			return nil, fmt.Errorf("result %d on %s: want a number as the expected sequence, got %q", seq, subject, v)
		}
	}
	if r.ID != id || r.App != app || r.Job != job || r.Agent != who {
		return nil, fmt.Errorf("result %d on %s names another execution, %d of %s.%s by %s", seq, subject, r.ID, r.App, r.Job, r.Agent)
	}
	return r, nil
}

// PurgeResultsBefore removes the results of an execution before a sequence.
func (b *Bus) PurgeResultsBefore(ctx context.Context, app, job string, id int64, sequence uint64) error {
	s, err := b.JS.Stream(ctx, subjects.ResultsStream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subjects.ResultFilter(app, job, id)), jetstream.WithPurgeSequence(sequence))
	}
	if err != nil {
		return fmt.Errorf("purge results of %d before %d: %w", id, sequence, err)
	}
	return nil
}

// PurgeResults removes the results of an execution except the newest keep.
func (b *Bus) PurgeResults(ctx context.Context, app, job string, id int64, keep uint64) error {
	s, err := b.JS.Stream(ctx, subjects.ResultsStream)
	if err == nil {
		opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(subjects.ResultFilter(app, job, id))}
		if keep > 0 {
			opts = append(opts, jetstream.WithPurgeKeep(keep))
		}
		err = s.Purge(ctx, opts...)
	}
	if err != nil {
		return fmt.Errorf("purge results of %d: %w", id, err)
	}
	return nil
}
