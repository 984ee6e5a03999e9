package chunk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ErrFinal is wrapped by an error of [Step.Commit] that no retry can mend: see
// [Final].
var ErrFinal = errors.New("not committed")

// Final returns an error with the text of err that wraps err and [ErrFinal].
func Final(err error) error { return finalError{err} }

type finalError struct{ error }

func (f finalError) Unwrap() []error { return []error{f.error, ErrFinal} }

// State is what a commit stores.
type State struct {
	Reader, Writer json.RawMessage // checkpoints; nil if the artifact has none
	Metrics        subjects.Metrics
}

// Step is one execution of a chunk step, or of one of its partitions.
type Step struct {
	Chunk     *jsl.Chunk // with everything substituted; the artifacts in it are not used
	Reader    agent.ItemReader[any]
	Processor agent.ItemProcessor[any, any] // nil: items are written as they are read
	Writer    agent.ItemWriter[any]
	Algorithm agent.CheckpointAlgorithm // of the policy custom
	Listeners []any                     // each implements one or more of the interfaces of listeners
	Classes   *Classes

	// Last holds the checkpoints of the last commit of an earlier execution.
	Last State
	// Commit stores a state. The state counts only when it returns nil.
	Commit func(context.Context, State) error
	// AfterCommit, if it is not nil, is called after each commit.
	AfterCommit func(context.Context) error
}

// Run runs the step and returns how it ended: completed, failed with an error,
// or stopped. stop ends when no further item shall begin. ctx, which stop is
// derived from or which outlives it, ends when the artifacts shall give up.
func (s *Step) Run(stop, ctx context.Context) (subjects.BatchStatus, subjects.Metrics, error) {
	l := newLoop(s, stop, ctx)
	err := guard(l.run)
	if l.readerOpen || l.writerOpen { // a class of errors has panicked
		err = withClosing(err, l.closeBoth())
	}
	switch {
	case err == nil && stop.Err() == nil:
		return subjects.Completed, l.now.metrics, nil
	case err == nil, causedBy(stop, err), causedBy(ctx, err):
		return subjects.Stopped, l.now.metrics, nil
	}
	return subjects.Failed, l.now.metrics, err
}

// causedBy reports whether err says that ctx has ended.
func causedBy(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

// encodeCheckpoint returns the JSON of a checkpoint, or nil for none.
func encodeCheckpoint(v any, err error) (json.RawMessage, error) {
	if err != nil || v == nil {
		return nil, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the checkpoint: %w", err)
	}
	if string(data) == "null" {
		return nil, nil
	}
	return data, nil
}

// limits are the attributes of a chunk as numbers.
type limits struct {
	items       int // 0: a checkpoint algorithm decides
	time        time.Duration
	skip, retry int // -1: no limit
}

func readLimits(s *Step) limits {
	c := s.Chunk
	l := limits{skip: c.SkipLimit.Or(-1), retry: c.RetryLimit.Or(-1)}
	if c.CheckpointPolicy == "custom" && s.Algorithm != nil { // 8.2.1: item-count and time-limit are ignored
		return l
	}
	l.items, l.time = c.ItemCount.Or(10), time.Duration(c.TimeLimit.Or(0))*time.Second
	return l
}
