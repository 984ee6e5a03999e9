package sse

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// executionsStream holds the records of executions.
var executionsStream = jetio.BucketStream(subjects.ExecutionsBucket)

// EventFilter selects events.
type EventFilter struct {
	App    string                 // empty: of all applications
	JobKey string                 // empty: of all jobs
	After  uint64                 // the id of the last event that the client has seen; 0: only new ones
	Wants  func(*rest.Event) bool // judges what the fields above cannot
}

// OpenEvents opens the stream of the changes of executions.
func (s *Source) OpenEvents(ctx context.Context, f EventFilter) (*Stream, error) {
	key := bus.JobKey(cmp.Or(f.App, "*"), cmp.Or(f.JobKey, "*")) + ".*"
	cfg := jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{jetio.KeySubject(subjects.ExecutionsBucket, key)},
		DeliverPolicy:  jetstream.DeliverNewPolicy,
	}
	if f.After > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, f.After+1
		stream, err := s.cfg.Broker.Stream(ctx, executionsStream)
		if err != nil {
			return nil, fmt.Errorf("read the stream of execution records: %w: %w", bus.ErrAway, err)
		}
		// An id beyond the end is of other data, such as those before a new
		// data directory: the client has seen nothing of these.
		if cfg.OptStartSeq > stream.CachedInfo().State.LastSeq+1 {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverAllPolicy, 0
		}
	}
	return s.openStream(ctx, executionsStream, cfg, Stream{
		media: EventStream, what: "events",
		write: func(ctx context.Context, w *writer, msgs <-chan jetstream.Msg) error {
			return s.sendEvents(ctx, w, msgs, f.Wants)
		},
	})
}

func (s *Source) sendEvents(ctx context.Context, w *writer, msgs <-chan jetstream.Msg, wants func(*rest.Event) bool) error {
	if err := w.sendComment(); err != nil { // tells the client that it misses nothing from now on
		return err
	}
	idle := time.NewTicker(commentInterval)
	defer idle.Stop()
	sent := sentStates{}
	for {
		select {
		case m := <-msgs:
			if err := s.sendRecord(w, m, sent, wants); err != nil {
				return err
			}
		case <-idle.C:
			if err := w.sendComment(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// sendRecord sends the event of a record, if the client wants it and the state
// of the execution has changed.
func (s *Source) sendRecord(w *writer, m jetstream.Msg, sent sentStates, wants func(*rest.Event) bool) error {
	seq, _, err := positionOf(m)
	if err != nil {
		return err
	}
	if len(m.Data()) == 0 { // marks a record that was deleted
		return nil
	}
	var e bus.Execution
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		s.log.Warn("cannot decode an execution record", "sequence", seq, "err", err)
		return nil
	}
	event := s.cfg.EventOf(&e)
	if !wants(&event) || !sent.markChanged(&event) {
		return nil
	}
	return w.sendEvent(seq, "", event)
}

// sentStates are the states that the client was sent last, of executions that
// have not ended. A record may be written without a change of state.
type sentStates map[int64]sentState

type sentState struct {
	status  subjects.BatchStatus
	attempt int
	agent   string
	steps   uint64 // hash of what runs, and how far it is
}

// markChanged reports whether e has another state than the one that was sent
// last, and keeps it.
func (s sentStates) markChanged(e *rest.Event) bool {
	now := sentState{status: e.BatchStatus, attempt: e.Attempt}
	if e.Agent != nil {
		now.agent = e.Agent.Name
	}
	if len(e.CurrentSteps) > 0 {
		h := fnv.New64a()
		_ = json.NewEncoder(h).Encode(e.CurrentSteps) // neither of them can fail
		now.steps = h.Sum64()
	}
	was, known := s[e.ExecutionID]
	if e.BatchStatus.Ended() {
		delete(s, e.ExecutionID)
	} else {
		s[e.ExecutionID] = now
	}
	return !known || was != now
}
