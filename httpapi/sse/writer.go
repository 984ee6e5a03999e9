package sse

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Media types of streams.
const (
	EventStream = "text/event-stream"
	plainText   = "text/plain; charset=utf-8"
)

const (
	commentInterval = 15 * time.Second // between the comments of an idle stream
	writeTimeout    = 10 * time.Second // for one write; a client that is slower is dropped
)

// writer writes text piece by piece, each piece within a timeout.
type writer struct {
	http    http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // for one write
}

func newWriter(w http.ResponseWriter, timeout time.Duration) *writer {
	return &writer{w, http.NewResponseController(w), timeout}
}

// startAnswer sends the headers of an answer that is written as it comes.
func startAnswer(w http.ResponseWriter, media string) *writer {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	if media == EventStream { // a proxy that compresses would hold events back (RFC 9111 section 5.2.2.6)
		h.Set("Cache-Control", "no-cache, no-transform")
	}
	h.Set("X-Accel-Buffering", "no") // else nginx holds the answer back
	w.WriteHeader(http.StatusOK)
	return newWriter(w, writeTimeout)
}

// Write implements io.Writer with a timeout.
func (w *writer) Write(b []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout)) // not every connection has deadlines
	return w.http.Write(b)
}

// sendEvent sends one event. Without a name the client sees a "message";
// without an id (0) the client keeps the id of the event before.
func (w *writer) sendEvent(id uint64, name string, data any) error {
	var b strings.Builder
	if id > 0 {
		b.WriteString("id: " + strconv.FormatUint(id, 10) + "\n")
	}
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	b.WriteString("data: ")
	if err := codec.WriteJSON(&b, data); err != nil { // one line: JSON escapes line ends within strings
		return err
	}
	b.WriteString("\n\n")
	return w.sendText(b.String())
}

// sendComment shows the client, and every proxy on the way, that the stream is
// alive.
func (w *writer) sendComment() error { return w.sendText(": " + subjects.Now().String() + "\n\n") }

func (w *writer) sendText(s string) error {
	if _, err := io.WriteString(w, s); err != nil {
		return err
	}
	return w.control.Flush()
}

// ParseEventID reads Last-Event-ID. It returns 0 if the client sent none.
func ParseEventID(id string) (uint64, error) {
	if id == "" {
		return 0, nil
	}
	return strconv.ParseUint(id, 10, 63)
}
