package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// logGrace is how long lines may come after the end of their execution: an
// agent gathers them for a tenth of it.
const logGrace = time.Second

// LogWish is what of a log is wanted.
type LogWish struct {
	Follow string `query:"follow" enum:"0,1,false,true" doc:"Server-sent events, one a line, until the execution has ended; then the event end."`
	Last   string `header:"Last-Event-ID" doc:"With follow: go on after this event."`
	LogPart
	accept string

	asValues bool // the lines are wanted in the format that was chosen, not as text
}

// Resolve notes what is accepted: with follow or without says that too.
func (w *LogWish) Resolve(ctx huma.Context) []error {
	w.accept = accepted(ctx)
	w.asValues = ctx.(answered).format.Liked(w.accept, true) > 0
	errs := w.LogPart.Resolve(ctx)
	if name := w.given(); name != "" && w.follow() {
		errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "want no part of the log with follow: it goes on after Last-Event-ID"})
	}
	return errs
}

type getLog struct {
	ExecutionPath
	LogWish
}

type findLog struct {
	ShortPath
	LogWish
}

func (s *Server) findLog(ctx context.Context, in *findLog) (*streamed, error) {
	return s.getLog(ctx, &getLog{in.full(), in.LogWish})
}

func (w *LogWish) follow() bool {
	if w.Follow == "" {
		return strings.Contains(w.accept, eventStream)
	}
	return w.Follow == "1" || w.Follow == "true"
}

func (s *Server) getLog(ctx context.Context, in *getLog) (*streamed, error) {
	e, err := s.execution(ctx, in.ExecutionPath)
	if err != nil {
		return nil, err
	}
	l := &logReader{server: s, execution: e, filter: subjects.LogFilter(e.App, e.Job, e.ID)}
	if in.follow() {
		if l.after, err = lastEvent(in.Last); err != nil {
			return nil, err
		}
		return l.answer(ctx, eventStream, l.events)
	}
	if in.asValues || in.given() != "" {
		return l.list(ctx, &in.LogWish)
	}
	if err := l.seek(ctx); err != nil {
		return nil, err
	}
	return l.answer(ctx, "text/plain; charset=utf-8", l.text)
}

// logReader reads the output of one execution.
type logReader struct {
	server    *Server
	execution *bus.Execution
	filter    string
	after     uint64 // sequence of the last message that was read
	last      uint64 // sequence of the last message that is there
}

// seek finds out how far there is something to read.
func (l *logReader) seek(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bus.AckTimeout)
	defer cancel()
	stream, err := l.server.cfg.Bus.JS.Stream(ctx, subjects.LogsStream)
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
	return fmt.Errorf("read the log of %d: %w: %w", l.execution.ID, bus.ErrAway, err)
}

// answer opens the log and lets write send it. What is wrong before it begins
// is an answer of its own.
func (l *logReader) answer(ctx context.Context, media string, write func(context.Context, *textWriter, <-chan jetstream.Msg) error) (*streamed, error) {
	ctx, cancel := l.server.untilClosing(ctx)
	msgs, stop, err := l.server.follow(ctx, subjects.LogsStream, l.consumer())
	if err != nil {
		cancel()
		return nil, err
	}
	return &streamed{func(hc huma.Context) {
		defer cancel()
		defer stop()
		if err := write(ctx, startText(hc, media), msgs); err != nil {
			l.server.log.Debug("log not sent to its end", "execution", l.execution.ID, "err", err)
		}
	}}, nil
}

// shownLines is how many lines of output an execution's answer has.
const shownLines = 1000

const (
	tailFrom   = 4096             // messages of all executions that are looked at for the last lines of one; else eight times as many
	logTimeout = 30 * time.Second // to read a log once
)

// consumer is what reads the lines after l.after.
func (l *logReader) consumer() jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{l.filter}}
	if l.after > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, l.after+1
	}
	return cfg
}

func linesOfStep(all []rest.LogLine, step string) *[]rest.LogLine {
	of := []rest.LogLine{}
	for _, l := range all {
		if l.Step == step {
			of = append(of, l)
		}
	}
	return &of
}

// text writes what is there now, a line each.
func (l *logReader) text(ctx context.Context, w *textWriter, msgs <-chan jetstream.Msg) error {
	return l.now(ctx, msgs, func(line *logLine) error {
		_, err := w.Write([]byte(textOf(&line.LogLine)))
		return err
	})
}

// now calls each for the lines that are there.
func (l *logReader) now(ctx context.Context, msgs <-chan jetstream.Msg, each func(*logLine) error) error {
	again := time.NewTicker(logGrace)
	defer again.Stop()
	for l.after < l.last {
		select {
		case m := <-msgs:
			pending, err := l.each(m, each)
			if err != nil || pending == 0 {
				return err
			}
		case <-again.C: // what was last may have been removed since
			if err := l.seek(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// events writes what is there and what comes, until the execution has ended.
func (l *logReader) events(ctx context.Context, w *textWriter, msgs <-chan jetstream.Msg) error {
	if err := w.comment(); err != nil { // the reader knows that it is connected
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_, _ = l.server.cfg.Executions.Wait(ctx, l.execution.App, l.execution.Job, l.execution.ID) // an error: there is nothing to wait for
		close(ended)
	})
	defer func() { cancel(); waiting.Wait() }()
	return l.followTo(ctx, w, msgs, ended)
}

func (l *logReader) followTo(ctx context.Context, w *textWriter, msgs <-chan jetstream.Msg, ended <-chan struct{}) error {
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	var quiet <-chan time.Time
	for {
		select {
		case m := <-msgs:
			_, err := l.each(m, func(line *logLine) error { return w.event(line.event(), "", &line.LogLine) })
			if err != nil {
				return err
			}
		case <-alive.C:
			if err := w.comment(); err != nil {
				return err
			}
		case <-ended:
			ended, quiet = nil, time.After(logGrace)
		case <-quiet:
			if err := l.seek(ctx); err != nil {
				return err
			}
			if l.after >= l.last {
				return l.end(ctx, w)
			}
			quiet = time.After(logGrace)
		case <-ctx.Done():
			return nil
		}
	}
}

// end tells the reader that nothing follows, and how the execution ended.
func (l *logReader) end(ctx context.Context, w *textWriter) error {
	e, err := l.server.cfg.Executions.Get(ctx, l.execution.App, l.execution.Job, l.execution.ID)
	if err != nil {
		e = l.execution // it was removed meanwhile
	}
	return w.event(0, "end", l.server.eventOf(e))
}

// each calls write for the lines of a message.
func (l *logReader) each(m jetstream.Msg, write func(*logLine) error) (pending uint64, err error) {
	seq, pending, err := sequenceOf(m)
	if err != nil {
		return 0, err
	}
	var msg subjects.LogMessage
	if err := json.Unmarshal(m.Data(), &msg); err != nil {
		l.server.log.Warn("log message not understood", "execution", l.execution.ID, "sequence", seq, "err", err)
	}
	lines := linesOf(&msg)
	for i := range lines {
		if err := write(&logLine{lines[i], lineKey{seq, i + 1}, i == len(lines)-1}); err != nil {
			return 0, err
		}
	}
	l.after = seq
	return pending, nil
}

func linesOf(m *subjects.LogMessage) (lines []rest.LogLine) {
	if m.Dropped > 0 {
		gap := rest.LogLine{Attempt: m.Attempt, Level: "warn", Stream: "agent", Message: fmt.Sprintf("%d lines are missing here: they came faster than they could be stored", m.Dropped)}
		if len(m.Lines) > 0 {
			gap.Time = m.Lines[0].Time
		}
		lines = append(lines, gap)
	}
	for _, l := range m.Lines {
		lines = append(lines, rest.LogLine{Time: l.Time, Attempt: m.Attempt, Level: levelOf(l.Level), Stream: l.Stream, Step: l.Step, Message: l.Message})
	}
	return lines
}

// levelOf is a level that clients know: agents of others may say something
// else.
func levelOf(level string) string {
	switch level {
	case "trace", "debug", "info", "warn", "error":
		return level
	}
	return "info"
}

// textOf is a line as people read it. What a message has of further lines is
// indented.
func textOf(l *rest.LogLine) string {
	step := cmp.Or(l.Step, "-")
	message := strings.ReplaceAll(strings.TrimRight(l.Message, "\r\n"), "\n", "\n    ")
	return fmt.Sprintf("%s %s %s | %s\n", l.Time, l.Stream, step, message)
}
