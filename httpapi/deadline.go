package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// A client gets transferTimeout and one second for each 64 KiB to send a body,
// and as much to take what one write of an answer holds.
const (
	transferTimeout = 30 * time.Second
	transferRate    = 64 << 10 // bytes a second
)

// uploadRate is the least average rate of an upload in bytes a second, after
// the first transferTimeout.
const uploadRate = 1 << 10

// errSlowBody is the error of a body that did not arrive in time.
var errSlowBody = errors.New("the body of the request did not arrive in time")

// bodyTime returns how long a client may take to send a body. It grows up to a
// length of maxBody, and is as long for an unknown length, which is negative.
func bodyTime(length int64) time.Duration {
	if length < 0 || length > maxBody {
		length = maxBody
	}
	return timeFor(length)
}

// timeFor returns how long a client may take to send or to receive n bytes.
func timeFor(n int64) time.Duration {
	return transferTimeout + time.Duration(n/transferRate)*time.Second
}

// limitTimes sets the deadlines of a request and of its answer. It replaces the
// body of r.
func limitTimes(w http.ResponseWriter, r *http.Request) *timedAnswer {
	a := &timedAnswer{ResponseWriter: w, control: http.NewResponseController(w), streams: r.ProtoMajor > 1}
	if !a.streams {
		a.startWrite(0)
	}
	if r.ContentLength != 0 {
		a.body = &timedBody{ReadCloser: r.Body, control: a.control, limit: bodyTime(r.ContentLength)}
		r.Body = a.body
	}
	return a
}

// timedBody is the body of a request. It has to arrive within a time that
// begins when the control bus begins to read it, so that what the bus does
// before, such as asking NATS who the user is, does not count.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	timed   atomic.Bool // it has a deadline
	own     atomic.Bool // the handler sets the deadlines
	ended   atomic.Bool
}

// Read returns errSlowBody after the deadline. It removes the deadline at the
// end of the body, since it would end the request's context while the handler
// works.
func (b *timedBody) Read(p []byte) (int, error) {
	if !b.own.Load() && !b.timed.Load() {
		b.setDeadline(time.Now().Add(b.limit))
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
		b.setDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlowBody
	}
	return n, err
}

func (b *timedBody) setDeadline(t time.Time) {
	b.timed.Store(!t.IsZero())
	_ = b.control.SetReadDeadline(t) // tests have no connection
}

// timedAnswer is the answer to a request. The client has to take each write
// before its deadline. A handler that sets write deadlines itself keeps them.
//
// On a connection of HTTP/1, a deadline fails the writes that follow. A stream
// of HTTP/2 ends at its deadline even if nothing is being written, for example
// while the handler waits for the end of an execution. So there a deadline is
// set only during a write.
type timedAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
	body    *timedBody // nil: the request has none
	streams bool       // HTTP/2: each request is a stream
	begun   bool
	own     bool // the handler sets the deadlines
	ownTime time.Time
}

// Unwrap lets [http.ResponseController] find the connection.
func (a *timedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// SetReadDeadline replaces the deadline of the body by the handler's. The zero
// time removes it.
func (a *timedAnswer) SetReadDeadline(t time.Time) error {
	if a.body != nil {
		a.body.own.Store(true)
		a.body.setDeadline(t)
	}
	return nil
}

// SetWriteDeadline replaces the deadlines of this writer by the handler's.
func (a *timedAnswer) SetWriteDeadline(t time.Time) error {
	a.own, a.ownTime = true, t
	if a.streams {
		return nil // the next write sets it
	}
	return a.control.SetWriteDeadline(t)
}

// WriteHeader begins the answer. If the body was not read, the connection ends
// with the answer: else net/http would wait for the body first. HTTP/2 ends the
// request alone.
func (a *timedAnswer) WriteHeader(status int) {
	a.begin()
	a.ResponseWriter.WriteHeader(status)
}

func (a *timedAnswer) Write(p []byte) (int, error) {
	a.begin()
	a.startWrite(len(p))
	defer a.endWrite()
	return a.ResponseWriter.Write(p)
}

// FlushError sends what was written.
func (a *timedAnswer) FlushError() error {
	a.begin()
	a.startWrite(0)
	defer a.endWrite()
	return a.control.Flush()
}

func (a *timedAnswer) begin() {
	if !a.begun && a.body != nil && !a.body.ended.Load() {
		if !a.streams {
			a.Header().Set("Connection", "close")
		}
		if !a.body.timed.Load() { // net/http reads on before it closes
			a.body.setDeadline(time.Now().Add(transferTimeout))
		}
	}
	a.begun = true
}

// finish sets the deadline for what net/http still has to send.
func (a *timedAnswer) finish() {
	a.begin()
	a.own = false
	a.startWrite(0)
}

// startWrite sets the deadline for a write of n bytes.
func (a *timedAnswer) startWrite(n int) {
	t := time.Now().Add(timeFor(int64(n)))
	if a.own {
		t = a.ownTime
	}
	_ = a.control.SetWriteDeadline(t) // tests have no connection
}

func (a *timedAnswer) endWrite() {
	if a.streams {
		_ = a.control.SetWriteDeadline(time.Time{})
	}
}
