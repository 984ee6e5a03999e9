package httpapi

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	eventStream   = "text/event-stream"
	keepAlive     = 15 * time.Second // how often an idle stream says that it lives
	writeDeadline = 10 * time.Second // for one write: who is slower is dropped
)

// textWriter writes a text piece by piece to a reader who has to keep up.
type textWriter struct {
	w        http.ResponseWriter
	ctrl     *http.ResponseController
	deadline time.Duration // for one write
}

func newTextWriter(w http.ResponseWriter, deadline time.Duration) *textWriter {
	return &textWriter{w, http.NewResponseController(w), deadline}
}

// startText begins an answer of a media type that is written as it comes.
func startText(ctx huma.Context, media string) *textWriter {
	w := writerOf(ctx)
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	if media == eventStream { // a proxy that compresses would keep events back (RFC 9111 section 5.2.2.6)
		h.Set("Cache-Control", "no-cache, no-transform")
	}
	h.Set("X-Content-Type-Options", "nosniff") // output of jobs is no page
	h.Set("X-Accel-Buffering", "no")           // nginx would keep back what comes
	w.WriteHeader(http.StatusOK)
	return newTextWriter(w, writeDeadline)
}

// flush sends what was written.
func (t *textWriter) flush() error { return t.ctrl.Flush() }

// Write is io.Writer with a deadline.
func (t *textWriter) Write(b []byte) (int, error) {
	_ = t.ctrl.SetWriteDeadline(time.Now().Add(t.deadline)) // not everything that can be written to has deadlines
	return t.w.Write(b)
}

// event sends one event; without a name it is a "message", without an id the
// last one stays.
func (t *textWriter) event(id uint64, name string, data any) error {
	var b strings.Builder
	if id > 0 {
		b.WriteString("id: " + strconv.FormatUint(id, 10) + "\n")
	}
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	b.WriteString("data: ")
	if err := codec.WriteJSON(&b, data); err != nil { // one line: JSON has no line ends but in strings, escaped
		return err
	}
	b.WriteString("\n\n")
	return t.send(b.String())
}

// comment tells the reader, and everything in between, that the stream lives.
func (t *textWriter) comment() error { return t.send(": " + subjects.Now().String() + "\n\n") }

func (t *textWriter) send(s string) error {
	if _, err := io.WriteString(t, s); err != nil {
		return err
	}
	return t.flush()
}

// lastEvent reads Last-Event-ID: 0 if there is none.
func lastEvent(id string) (uint64, error) {
	if id == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return 0, parameterError("Last-Event-ID", "the id of an event of this stream", codec.Cut(id))
	}
	return n, nil
}

// streamed is an answer that is written as it comes. Written by hand: what is
// known before it begins is a handler's error.
type streamed struct {
	Body func(huma.Context)
}

// values is an answer in the chosen format whose headers are not those of an
// answer in it: head sets them.
func (s *Server) values(v any, head func(set func(name, value string), f *codec.Format)) *streamed {
	return &streamed{func(ctx huma.Context) {
		f := ctx.(answered).format // see chooseFormat
		head(ctx.SetHeader, f)
		ctx.SetStatus(http.StatusOK)
		if err := f.Write(ctx.BodyWriter(), v); err != nil {
			s.log.Debug("answer not sent to its end", "path", ctx.Operation().Path, "err", err)
		}
	}}
}
