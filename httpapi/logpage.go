package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// LogPart is the part of a log that is asked for. Without offset and without a
// cursor it is the end of the log.
type LogPart struct {
	Offset string `query:"offset" doc:"Number of the first line, from 1. Without it, after and before: the last lines."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" doc:"How many lines; without it 1000."`
	After  string `query:"after" doc:"The lines that follow this one: next of the page before, or the id of an event of the log that is followed."`
	Before string `query:"before" doc:"The lines in front of this one: previous of the page after it."`

	first       int     // line that is wanted, from 1; 0: the last ones
	above, upTo lineKey // lines between these
}

// Resolve reads the part.
func (p *LogPart) Resolve(huma.Context) (errs []error) {
	wrong := func(name, want, got string) {
		errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "want " + want, Value: codec.Cut(got)})
	}
	if p.Offset != "" {
		n, err := strconv.Atoi(p.Offset)
		if err != nil || n < 0 {
			wrong("offset", "a whole number from 1", p.Offset)
		}
		p.first = max(n, 1)
	}
	const want = "next or previous of a page of this log"
	var err error
	if p.above, err = lineKeyOf(p.After, math.MaxInt); err != nil {
		wrong("after", want, p.After)
	}
	if p.upTo, err = lineKeyOf(p.Before, 0); err != nil {
		wrong("before", want, p.Before)
	}
	if p.After != "" && p.Before != "" {
		wrong("before", "one of after and before", p.Before)
	}
	if p.Offset != "" && (p.After != "" || p.Before != "") {
		wrong("offset", "offset, or after, or before", p.Offset)
	}
	return errs
}

// given is the name of a parameter that says which part is wanted, empty if
// none does.
func (p *LogPart) given() string {
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

// lineKey is the place of a line: the sequence of its message, and which one of
// the message's lines it is, from 1.
type lineKey struct {
	seq  uint64
	line int
}

// lineKeyOf reads a key. The id of an event alone stands for a whole message,
// of which line is meant.
func lineKeyOf(s string, line int) (k lineKey, err error) {
	if s == "" {
		return k, nil
	}
	seq, rest, more := strings.Cut(s, ".")
	if k.seq, err = strconv.ParseUint(seq, 10, 63); err != nil {
		return k, err
	}
	if k.line = line; more {
		k.line, err = strconv.Atoi(rest)
	}
	return k, err
}

func (k lineKey) String() string { return fmt.Sprintf("%d.%d", k.seq, k.line) }

func (k lineKey) compare(o lineKey) int {
	return cmp.Or(cmp.Compare(k.seq, o.seq), cmp.Compare(k.line, o.line))
}

// logLine is a line with its place.
type logLine struct {
	rest.LogLine
	key  lineKey
	last bool // of its message
}

// event is the id of the line's event. Only the last line of a message has one:
// who was cut off among them gets them all again.
func (l *logLine) event() uint64 {
	if l.last {
		return l.key.seq
	}
	return 0
}

// list answers with the lines of a part, as values or as text.
func (l *logReader) list(ctx context.Context, w *LogWish) (*streamed, error) {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	page, err := l.page(ctx, &w.LogPart)
	if err != nil {
		return nil, err
	}
	if w.asValues {
		return l.server.values(page, func(set func(name, value string), f *codec.Format) { set("Content-Type", f.Media) }), nil
	}
	return &streamed{func(hc huma.Context) {
		text := startText(hc, "text/plain; charset=utf-8")
		for i := range page.Results {
			if _, err := text.Write([]byte(textOf(&page.Results[i]))); err != nil {
				return
			}
		}
	}}, nil
}

// page reads a part.
func (l *logReader) page(ctx context.Context, p *LogPart) (page rest.LogPage, err error) {
	page = rest.LogPage{Results: []rest.LogLine{}, Limit: cmp.Or(p.Limit, shownLines)}
	if err := l.seek(ctx); err != nil {
		return page, err
	}
	var lines []logLine
	before, after := false, false // whether there are others
	switch {
	case l.last == 0 && (p.After != "" || p.Before != ""):
	case p.After != "":
		before = true
		lines, after, err = l.following(ctx, p.above, page.Limit)
	case p.Before != "":
		after = true
		lines, before, err = l.preceding(ctx, p.upTo, page.Limit)
	default:
		var hits, offset int
		if lines, offset, hits, err = l.counted(ctx, p.first, page.Limit); err == nil {
			page.Hits, page.Offset = &hits, &offset
			before, after = offset > 1, offset-1+len(lines) < hits
		}
	}
	if n := len(lines); n > 0 {
		if before {
			page.Previous = orNil(lines[0].key.String())
		}
		if after {
			page.Next = orNil(lines[n-1].key.String())
		}
	}
	for i := range lines {
		page.Results = append(page.Results, lines[i].LogLine)
	}
	return page, err
}

var errEnough = errors.New("enough was read")

// read calls each for the lines after l.after up to l.last. [errEnough] of it
// ends the reading.
func (l *logReader) read(ctx context.Context, each func(*logLine) error) error {
	if l.after >= l.last {
		return nil
	}
	msgs, stop, err := l.server.follow(ctx, subjects.LogsStream, l.consumer())
	if err != nil {
		return err
	}
	defer stop()
	if err := l.now(ctx, msgs, each); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// following reads the lines after k, and says whether there are more.
func (l *logReader) following(ctx context.Context, k lineKey, limit int) (lines []logLine, more bool, err error) {
	l.after = max(k.seq, 1) - 1 // the rest of the message may be wanted
	err = l.read(ctx, func(line *logLine) error {
		switch {
		case line.key.compare(k) <= 0:
		case len(lines) == limit:
			more = true
			return errEnough
		default:
			lines = append(lines, *line)
		}
		return nil
	})
	return lines, more, err
}

// preceding reads the lines in front of k from the end, and says whether there
// are more.
func (l *logReader) preceding(ctx context.Context, k lineKey, limit int) (lines []logLine, more bool, err error) {
	last := min(k.seq, l.last)
	for back := uint64(tailFrom); ; back *= 8 {
		l.after, l.last = last-min(back, last), last
		whole, n := l.after == 0, 0
		lines = nil
		err = l.read(ctx, func(line *logLine) error {
			if line.key.compare(k) >= 0 {
				return errEnough
			}
			n++
			lines = keepLast(append(lines, *line), limit)
			return nil
		})
		if err != nil || n > limit || whole {
			return lines[max(0, len(lines)-limit):], n > limit, err
		}
	}
}

// counted reads all lines, to know how many there are, and returns those from
// number first on, or the last ones if first is 0.
func (l *logReader) counted(ctx context.Context, first, limit int) (lines []logLine, offset, hits int, err error) {
	err = l.read(ctx, func(line *logLine) error {
		hits++
		switch {
		case first == 0:
			lines = keepLast(append(lines, *line), limit)
		case hits >= first && len(lines) < limit:
			lines = append(lines, *line)
		}
		return nil
	})
	if offset = first; first == 0 {
		lines = lines[max(0, len(lines)-limit):]
		offset = hits - len(lines) + 1
	}
	return lines, offset, hits, err
}

// keepLast cuts lines to the last n when there are twice as many.
func keepLast(lines []logLine, n int) []logLine {
	if len(lines) < 2*n {
		return lines
	}
	return append(lines[:0], lines[len(lines)-n:]...)
}

// lastLines are the last lines of output of an execution, read from the end.
func (s *Server) lastLines(ctx context.Context, e *bus.Execution) ([]rest.LogLine, error) {
	l := &logReader{server: s, execution: e, filter: subjects.LogFilter(e.App, e.Job, e.ID)}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	if err := l.seek(ctx); err != nil || l.last == 0 {
		return nil, err
	}
	lines, _, err := l.preceding(ctx, lineKey{seq: math.MaxInt64}, shownLines)
	var all []rest.LogLine
	for i := range lines {
		all = append(all, lines[i].LogLine)
	}
	return all, err
}
