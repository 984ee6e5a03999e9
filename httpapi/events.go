package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

type getEvents struct {
	App  string `query:"app" doc:"Of this application only."`
	Job  string `query:"job" doc:"Of jobs of this name only."`
	Last string `header:"Last-Event-ID" doc:"Go on after this event. Of an execution that changed several times meanwhile, the newest state is sent. An id that was never given brings the state of every execution."`
}

// executionsStream is what holds the records of executions: an event is a
// record, its id the record's revision.
var executionsStream = subjects.BucketStream(subjects.ExecutionsBucket)

func (s *Server) events(ctx context.Context, in *getEvents) (*streamed, error) {
	cfg, err := s.eventsConsumer(ctx, in)
	if err != nil {
		return nil, err
	}
	if cfg.OptStartSeq > 0 {
		stream, err := s.cfg.Bus.JS.Stream(ctx, executionsStream)
		if err != nil {
			return nil, fmt.Errorf("look at the records: %w: %w", bus.ErrAway, err)
		}
		// An id beyond the end is of other data, such as those before a new
		// data directory: the reader has seen nothing of these.
		if cfg.OptStartSeq > stream.CachedInfo().State.LastSeq+1 {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverAllPolicy, 0
		}
	}
	ctx, cancel := s.untilClosing(ctx)
	msgs, stop, err := s.follow(ctx, executionsStream, cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	return &streamed{func(hc huma.Context) {
		defer cancel()
		defer stop()
		if err := s.sendEvents(ctx, startText(hc, eventStream), msgs, in.wants); err != nil {
			s.log.Debug("reader of events dropped", "err", err)
		}
	}}, nil
}

// eventsConsumer is what reads the records that are asked for.
func (s *Server) eventsConsumer(ctx context.Context, in *getEvents) (cfg jetstream.OrderedConsumerConfig, err error) {
	if in.App != "" && !subjects.ValidName(in.App) {
		return cfg, parameterError("app", wantName, codec.Cut(in.App))
	}
	if in.Job != "" && !jsl.ValidID(in.Job) {
		return cfg, parameterError("job", jsl.WantID, codec.Cut(in.Job))
	}
	token, ok := s.cfg.Index.Token(in.App, in.Job)
	if !ok { // it may be made later, or in each application
		token = "*"
	}
	cfg.FilterSubjects = []string{jetio.KeySubject(subjects.ExecutionsBucket, bus.JobKey(cmp.Or(in.App, "*"), token)+".*")}
	after, err := lastEvent(in.Last)
	cfg.DeliverPolicy = jetstream.DeliverNewPolicy
	if after > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, after+1
	}
	return cfg, err
}

// wants judges what the subject could not.
func (in *getEvents) wants(e *rest.Event) bool {
	return in.Job == "" || e.Job == in.Job
}

func (s *Server) sendEvents(ctx context.Context, w *textWriter, msgs <-chan jetstream.Msg, wants func(*rest.Event) bool) error {
	if err := w.comment(); err != nil { // the reader knows that it misses nothing from now on
		return err
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	told := states{}
	for {
		select {
		case m := <-msgs:
			if err := s.sendEvent(w, m, told, wants); err != nil {
				return err
			}
		case <-alive.C:
			if err := w.comment(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) sendEvent(w *textWriter, m jetstream.Msg, told states, wants func(*rest.Event) bool) error {
	seq, _, err := sequenceOf(m)
	if err != nil {
		return err
	}
	if len(m.Data()) == 0 { // the marker of a record that was removed
		return nil
	}
	var e bus.Execution
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		s.log.Warn("record not understood", "sequence", seq, "err", err)
		return nil
	}
	v := s.eventOf(&e)
	if !wants(&v) || !told.changed(&v) {
		return nil
	}
	return w.event(seq, "", v)
}

// states are what was told last of executions that have not ended: records
// change without a change of state too.
type states map[int64]state

type state struct {
	status  subjects.BatchStatus
	attempt int
	agent   string
}

func (t states) changed(e *rest.Event) bool {
	now := state{status: e.BatchStatus, attempt: e.Attempt}
	if e.Agent != nil {
		now.agent = e.Agent.Name
	}
	was, known := t[e.ExecutionID]
	if e.BatchStatus.Ended() {
		delete(t, e.ExecutionID)
	} else {
		t[e.ExecutionID] = now
	}
	return !known || was != now
}
