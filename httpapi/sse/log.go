package sse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// lateLines is how long lines may arrive after the end of their execution: an
// agent gathers them for a tenth of it.
const lateLines = time.Second

// Log is the output of one execution. It is used once, by one goroutine.
type Log struct {
	source    *Source
	execution *bus.Execution
	record    *bus.Execution // the same, perhaps read again later: see isOwn
	warned    bool           // of output that is not shown
	filter    string
	after     uint64 // sequence of the last message that was read
	last      uint64 // sequence of the last message that is stored
}

// Log returns the output of an execution.
func (s *Source) Log(e *bus.Execution) *Log {
	return &Log{source: s, execution: e, record: e, filter: subjects.LogFilter(e.App, e.Job, e.ID)}
}

// OpenEvents opens the stream of the lines after the event with an id, and of
// those to come. It ends after the execution.
func (l *Log) OpenEvents(ctx context.Context, after uint64) (*Stream, error) {
	l.after = after
	return l.openStream(ctx, EventStream, l.sendEvents)
}

// OpenText opens the lines that are stored now, as text.
func (l *Log) OpenText(ctx context.Context) (*Stream, error) {
	if err := l.findEnd(ctx); err != nil {
		return nil, err
	}
	return l.openStream(ctx, plainText, l.sendText)
}

func (l *Log) openStream(ctx context.Context, media string, write func(context.Context, *writer, <-chan jetstream.Msg) error) (*Stream, error) {
	what := fmt.Sprintf("log of execution %d", l.execution.ID)
	return l.source.openStream(ctx, subjects.LogsStream, l.consumer(), Stream{media: media, what: what, write: write})
}

// findEnd sets l.last.
func (l *Log) findEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bus.AckTimeout)
	defer cancel()
	stream, err := l.source.cfg.Broker.Stream(ctx, subjects.LogsStream)
	if err == nil {
		var m *jetstream.RawStreamMsg
		if m, err = stream.GetLastMsgForSubject(ctx, l.filter); err == nil {
			l.last = m.Sequence
			return nil
		}
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		l.last = 0
		return nil
	}
	return fmt.Errorf("read the log of execution %d: %w: %w", l.execution.ID, bus.ErrAway, err)
}

// consumer returns the configuration that reads the lines after l.after.
func (l *Log) consumer() jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{l.filter}}
	if l.after > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, l.after+1
	}
	return cfg
}

// sendText writes the lines that are stored now.
func (l *Log) sendText(ctx context.Context, w *writer, msgs <-chan jetstream.Msg) error {
	return l.readStored(ctx, msgs, func(line *logLine) error {
		_, err := w.Write([]byte(formatLine(&line.LogLine)))
		return err
	})
}

// readStored calls each for the lines up to l.last.
func (l *Log) readStored(ctx context.Context, msgs <-chan jetstream.Msg, each func(*logLine) error) error {
	check := time.NewTicker(lateLines)
	defer check.Stop()
	for l.after < l.last {
		select {
		case m := <-msgs:
			pending, err := l.readMessage(ctx, m, each)
			if err != nil || pending == 0 {
				return err
			}
		case <-check.C: // the last message may have been deleted since
			if err := l.findEnd(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sendEvents writes the lines that are stored and those to come, until the
// execution has ended.
func (l *Log) sendEvents(ctx context.Context, w *writer, msgs <-chan jetstream.Msg) error {
	if err := w.sendComment(); err != nil { // tells the client that it is connected
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		// After an error there is nothing to wait for.
		_, _ = l.source.cfg.Executions.Wait(ctx, l.execution.App, l.execution.Job, l.execution.ID)
		close(ended)
	})
	defer func() { cancel(); waiting.Wait() }()
	return l.sendUntilEnd(ctx, w, msgs, ended)
}

// sendUntilEnd sends lines until the execution has ended and no line came for a
// while.
func (l *Log) sendUntilEnd(ctx context.Context, w *writer, msgs <-chan jetstream.Msg, ended <-chan struct{}) error {
	idle := time.NewTicker(commentInterval)
	defer idle.Stop()
	var quiet <-chan time.Time
	for {
		select {
		case m := <-msgs:
			_, err := l.readMessage(ctx, m, func(line *logLine) error { return w.sendEvent(line.eventID(), "", &line.LogLine) })
			if err != nil {
				return err
			}
		case <-idle.C:
			if err := w.sendComment(); err != nil {
				return err
			}
		case <-ended:
			ended, quiet = nil, time.After(lateLines)
		case <-quiet:
			if err := l.findEnd(ctx); err != nil {
				return err
			}
			if l.after >= l.last {
				return l.sendEnd(ctx, w)
			}
			quiet = time.After(lateLines)
		case <-ctx.Done():
			return nil
		}
	}
}

// sendEnd tells the client that no line follows, and how the execution ended.
func (l *Log) sendEnd(ctx context.Context, w *writer) error {
	e, err := l.source.cfg.Executions.Get(ctx, l.execution.App, l.execution.Job, l.execution.ID)
	if err != nil {
		e = l.execution // it was deleted meanwhile
	}
	return w.sendEvent(0, "end", l.source.cfg.EventOf(e))
}

// readMessage calls each for the lines of a message.
func (l *Log) readMessage(ctx context.Context, m jetstream.Msg, each func(*logLine) error) (pending uint64, err error) {
	seq, pending, err := positionOf(m)
	if err != nil {
		return 0, err
	}
	var msg subjects.LogMessage
	if err := json.Unmarshal(m.Data(), &msg); err != nil {
		l.source.log.Warn("cannot decode a log message", "execution", l.execution.ID, "sequence", seq, "err", err)
	}
	lines := linesOf(&msg)
	if agent := m.Subject()[strings.LastIndex(m.Subject(), ".")+1:]; len(lines) > 0 && !l.isOwn(ctx, agent, msg.Attempt) {
		if lines = nil; !l.warned {
			l.warned = true
			l.source.log.Warn("output of an agent that does not run the execution is not shown",
				"execution", l.execution.ID, "agent", agent, "attempt", msg.Attempt, "sequence", seq)
		}
	}
	for i := range lines {
		if err := each(&logLine{lines[i], LineKey{seq, i + 1}, i == len(lines)-1}); err != nil {
			return 0, err
		}
	}
	l.after = seq
	return pending, nil
}

// isOwn reports whether an agent may have sent output of an attempt: NATS lets
// each agent of an application publish output of all its executions. The record
// knows only the agent of the present attempt, so output of earlier attempts is
// not checked. A claim may be stored and not in the record yet, so output of a
// later attempt counts until the execution has ended.
func (l *Log) isOwn(ctx context.Context, agent string, attempt int) bool {
	if attempt > l.record.Attempt && !l.record.BatchStatus.Ended() {
		if e, err := l.source.cfg.Executions.Get(ctx, l.record.App, l.record.Job, l.record.ID); err == nil {
			l.record = e
		}
	}
	switch {
	case attempt < 1:
		return false
	case attempt > l.record.Attempt:
		return !l.record.BatchStatus.Ended()
	case attempt == l.record.Attempt:
		return agent == l.record.Agent
	}
	return true
}

// linesOf returns the lines of a message, after one that tells of lines that
// were dropped.
func linesOf(m *subjects.LogMessage) (lines []rest.LogLine) {
	if m.Dropped > 0 {
		gap := rest.LogLine{Attempt: m.Attempt, Level: "warn", Stream: "agent", Message: fmt.Sprintf("%d lines are missing here: the agent could not send them in time", m.Dropped)}
		if len(m.Lines) > 0 {
			gap.Time = m.Lines[0].Time
		}
		lines = append(lines, gap)
	}
	for _, l := range m.Lines {
		lines = append(lines, rest.LogLine{Time: l.Time, Attempt: m.Attempt, Level: knownLevel(l.Level), Stream: l.Stream, Step: l.Step, Message: l.Message})
	}
	return lines
}

// knownLevel returns a level that clients know. An agent may send any other.
func knownLevel(level string) string {
	switch level {
	case "trace", "debug", "info", "warn", "error":
		return level
	}
	return "info"
}

// formatLine returns a line as people read it. Further lines of its message are
// indented.
func formatLine(l *rest.LogLine) string {
	step := cmp.Or(l.Step, "-")
	message := strings.ReplaceAll(strings.TrimRight(l.Message, "\r\n"), "\n", "\n    ")
	return fmt.Sprintf("%s %s %s | %s\n", l.Time, l.Stream, step, message)
}

// WriteText answers with lines as text.
func WriteText(w http.ResponseWriter, lines []rest.LogLine) {
	text := startAnswer(w, plainText)
	for i := range lines {
		if _, err := text.Write([]byte(formatLine(&lines[i]))); err != nil {
			return
		}
	}
}
