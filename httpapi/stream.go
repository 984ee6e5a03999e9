package httpapi

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/sse"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// streamed is an answer that the handler writes itself. An error that is known
// before the answer begins is the handler's.
type streamed struct {
	Body func(huma.Context)
}

// sendStream answers with a stream that is open.
func sendStream(stream *sse.Stream, err error) (*streamed, error) {
	if err != nil {
		return nil, err
	}
	return &streamed{func(ctx huma.Context) { stream.Send(writerOf(ctx)) }}, nil
}

// sendValues answers with values in the format of the request. setHeaders sets
// the headers, if they are not those of the format.
func (s *Server) sendValues(v any, setHeaders func(set func(name, value string), f *codec.Format)) *streamed {
	return &streamed{func(ctx huma.Context) {
		f := ctx.(answered).format // see chooseFormat
		setHeaders(ctx.SetHeader, f)
		ctx.SetStatus(http.StatusOK)
		if err := f.Write(ctx.BodyWriter(), v); err != nil {
			s.log.Debug("answer not sent completely", "path", ctx.Operation().Path, "err", err)
		}
	}}
}

// parseEventID reads Last-Event-ID. It returns 0 if the client sent none.
func parseEventID(id string) (uint64, error) {
	n, err := sse.ParseEventID(id)
	if err != nil {
		return 0, codec.ParameterFault("Last-Event-ID", "the id of an event of this stream", id)
	}
	return n, nil
}

type getEvents struct {
	App  string `query:"app" doc:"Only events of this application."`
	Job  string `query:"job" doc:"Only events of jobs with this name."`
	Last string `header:"Last-Event-ID" doc:"Resume after this event. The stream sends only the newest state of an execution that has changed several times since. With an unknown id it sends the state of every execution."`
}

func (s *Server) getEvents(ctx context.Context, in *getEvents) (*streamed, error) {
	if in.App != "" && !subjects.ValidName(in.App) {
		return nil, codec.ParameterFault("app", wantName, in.App)
	}
	if in.Job != "" && !jsl.ValidID(in.Job) {
		return nil, codec.ParameterFault("job", jsl.WantID, in.Job)
	}
	after, err := parseEventID(in.Last)
	if err != nil {
		return nil, err
	}
	key, known := s.cfg.Index.PermanentKey(in.App, in.Job)
	if !known { // the job may be made later, or be in any application
		key = ""
	}
	return sendStream(s.streams.OpenEvents(ctx, sse.EventFilter{
		App: in.App, JobKey: key, After: after,
		Wants: func(e *rest.Event) bool { return in.Job == "" || e.Job == in.Job },
	}))
}

// LogPart selects a part of a log: without offset and cursor, its end.
type LogPart struct {
	Offset string `query:"offset" doc:"Number of the first line, from 1. Without offset, after and before, the answer has the last lines."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" doc:"Maximum number of lines. Default 1000."`
	After  string `query:"after" doc:"Return the lines after this one: the value of next of the page before, or the id of an event from the log."`
	Before string `query:"before" doc:"Return the lines before this one: the value of previous of the page after."`

	first       int          // number of the first line, from 1; 0: the last lines
	above, upTo *sse.LineKey // lines after or before one
}

// Resolve reads the part.
func (p *LogPart) Resolve(huma.Context) []error {
	var wrong codec.Faults
	if p.Offset != "" {
		n, err := strconv.Atoi(p.Offset)
		if err != nil || n < 0 {
			wrong.AddParameter("offset", "a whole number of at least 1", p.Offset)
		}
		p.first = max(n, 1)
	}
	key := func(name, text string, line int) *sse.LineKey {
		if text == "" {
			return nil
		}
		k, err := sse.ParseLineKey(text, line)
		if err != nil {
			wrong.AddParameter(name, "the value of next or previous of a page of this log", text)
		}
		return &k
	}
	p.above, p.upTo = key("after", p.After, math.MaxInt), key("before", p.Before, 0)
	if p.After != "" && p.Before != "" {
		wrong.AddParameter("before", "either after or before, not both", p.Before)
	}
	if p.Offset != "" && (p.After != "" || p.Before != "") {
		wrong.AddParameter("offset", "only one of offset, after and before", p.Offset)
	}
	return asErrors(wrong)
}

// sentParameter returns the name of the parameter that selects a part, empty if
// there is none.
func (p *LogPart) sentParameter() string {
	switch {
	case p.Offset != "":
		return "offset"
	case p.Limit != 0:
		return "limit"
	case p.After != "":
		return "after"
	case p.Before != "":
		return "before"
	}
	return ""
}

// LogQuery selects what is shown of a log.
type LogQuery struct {
	Follow string `query:"follow" enum:"0,1,false,true" doc:"Answer with server-sent events: one for each line until the execution has ended, then the event end."`
	Last   string `header:"Last-Event-ID" doc:"With follow: resume after this event."`
	LogPart
	accept string

	asValues bool // the client wants the lines in the format of the answer, not as text
}

// Resolve reads the header Accept, which may ask for events too.
func (q *LogQuery) Resolve(ctx huma.Context) []error {
	q.accept = accepted(ctx)
	q.asValues = ctx.(answered).format.Liked(q.accept, true) > 0
	errs := q.LogPart.Resolve(ctx)
	if name := q.sentParameter(); name != "" && q.wantsEvents() {
		errs = append(errs, codec.ParameterFault(name, "no such parameter with follow: the stream resumes after Last-Event-ID", ""))
	}
	return errs
}

// wantsEvents reports whether the client wants lines as they come.
func (q *LogQuery) wantsEvents() bool {
	if q.Follow == "" {
		return strings.Contains(q.accept, sse.EventStream)
	}
	return q.Follow == "1" || q.Follow == "true"
}

type getLog struct {
	ExecutionPath
	LogQuery
}

type findLog struct {
	ShortPath
	LogQuery
}

func (s *Server) findLog(ctx context.Context, in *findLog) (*streamed, error) {
	return s.getLog(ctx, &getLog{in.executionPath(), in.LogQuery})
}

func (s *Server) getLog(ctx context.Context, in *getLog) (*streamed, error) {
	e, err := s.execution(ctx, in.ExecutionPath)
	if err != nil {
		return nil, err
	}
	log := s.streams.Log(e)
	switch {
	case in.wantsEvents():
		after, err := parseEventID(in.Last)
		if err != nil {
			return nil, err
		}
		return sendStream(log.OpenEvents(ctx, after))
	case in.asValues || in.sentParameter() != "":
		return s.sendLogPage(ctx, log, &in.LogQuery)
	}
	return sendStream(log.OpenText(ctx))
}

// sendLogPage answers with a part of a log, as values or as text.
func (s *Server) sendLogPage(ctx context.Context, log *sse.Log, q *LogQuery) (*streamed, error) {
	page, err := log.ReadPage(ctx, sse.Part{After: q.above, Before: q.upTo, First: q.first, Limit: q.Limit})
	if err != nil {
		return nil, err
	}
	if q.asValues {
		return s.sendValues(page, func(set func(name, value string), f *codec.Format) { set("Content-Type", f.Media) }), nil
	}
	return &streamed{func(ctx huma.Context) { sse.WriteText(writerOf(ctx), page.Results) }}, nil
}

// linesOfStep returns the lines of one step.
func linesOfStep(all []rest.LogLine, step string) *[]rest.LogLine {
	of := []rest.LogLine{}
	for _, l := range all {
		if l.Step == step {
			of = append(of, l)
		}
	}
	return &of
}
