package agent

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	flushEvery   = 100 * time.Millisecond // how long a line waits for company
	maxBuffered  = 8 << 20                // bytes of one execution's lines that wait; what comes on top is dropped
	lineOverhead = 160                    // bytes of a line as JSON, beside its texts
	headOverhead = 512                    // bytes of a message, beside its lines
	linesGiveUp  = 10 * time.Minute       // after the end of an attempt, if its lines cannot be stored
)

// The streams of a line.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	Own    = "agent" // what the agent itself says
)

// LogSink takes the lines of one attempt's output. Nothing in it waits for the broker: lines are
// gathered, and sent in order, by one goroutine that is there while there is something to send.
type LogSink struct {
	ship    *shipper
	subject string
	attempt int
	id      string // of the sink; with a number, of its messages

	mu      sync.Mutex
	lines   []waitingLine
	size    int // bytes of lines
	full    bool
	dropped int // lines, after those that wait
	timer   *time.Timer
	sending bool
	closed  time.Time     // zero: not yet
	done    chan struct{} // made by close, closed when all is sent
	number  int           // of the last message
}

type waitingLine struct {
	subjects.LogLine
	size int // as JSON
	gap  int // lines dropped before it
}

// Line takes output of a step. It may be several lines; one that is too long becomes several.
func (s *LogSink) Line(stream, level, step, message string) {
	for piece := range pieces(message) {
		s.line(subjects.LogLine{Time: subjects.Now(), Level: level, Stream: stream, Step: step, Message: piece})
	}
}

// agent takes a line that the agent itself says.
func (s *LogSink) agent(level, message string) { s.Line(Own, level, "", message) }

func (s *LogSink) line(l subjects.LogLine) {
	size := lineOverhead + len(l.Step) + sizeAsJSON(l.Message)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size < maxBuffered/2 {
		s.full = false
	}
	if s.full = s.full || s.size+size > maxBuffered; s.full { // until half is sent: gaps should be few
		s.dropped++
		return
	}
	s.lines = append(s.lines, waitingLine{l, size, s.dropped})
	s.dropped = 0
	s.size += size
	switch {
	case s.sending:
	case s.size >= subjects.MaxLogMessage || !s.closed.IsZero():
		s.start()
	case len(s.lines) > 1: // the timer runs
	case s.timer == nil:
		s.timer = time.AfterFunc(flushEvery, s.flush)
	default:
		s.timer.Reset(flushEvery)
	}
}

func (s *LogSink) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sending && len(s.lines) > 0 {
		s.start()
	}
}

// start begins to send; s.mu is held.
func (s *LogSink) start() {
	s.sending = true
	s.ship.workers.Go(s.work)
}

// work sends until nothing waits.
func (s *LogSink) work() {
	for {
		msg := s.take()
		if msg == nil {
			return
		}
		s.number++
		data, _ := json.Marshal(msg) // of strings and numbers: cannot fail
		s.ship.send(&nats.Msg{
			Subject: s.subject, Data: data,
			Header: nats.Header{nats.MsgIdHdr: {s.id + "-" + strconv.Itoa(s.number)}},
		}, s.overdue, len(msg.Lines))
	}
}

// take removes the lines of one message, or ends the work if there are none.
func (s *LogSink) take() *subjects.LogMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) == 0 && s.dropped == 0 {
		s.sending = false
		if s.done != nil {
			close(s.done)
			s.done = nil
		}
		return nil
	}
	msg := &subjects.LogMessage{Attempt: s.attempt, Dropped: s.dropped}
	n, size := 0, headOverhead
	if len(s.lines) > 0 {
		msg.Dropped = s.lines[0].gap
	} else {
		s.dropped = 0
	}
	for n < len(s.lines) && (n == 0 || s.lines[n].gap == 0 && size+s.lines[n].size <= subjects.MaxLogMessage) {
		size += s.lines[n].size
		msg.Lines = append(msg.Lines, s.lines[n].LogLine)
		n++
	}
	s.lines = s.lines[n:]
	s.size -= size - headOverhead
	return msg
}

// overdue says that it is too late for lines of an attempt that ended long ago.
func (s *LogSink) overdue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed.IsZero() && time.Since(s.closed) > linesGiveUp
}

// close sends what waits, and returns when it is stored or the time is over; then sending goes on.
func (s *LogSink) close(wait time.Duration) {
	s.mu.Lock()
	s.closed = time.Now()
	if s.timer != nil {
		s.timer.Stop()
	}
	if len(s.lines) > 0 && !s.sending {
		s.start()
	}
	if !s.sending {
		s.mu.Unlock()
		return
	}
	if s.done == nil {
		s.done = make(chan struct{})
	}
	done := s.done
	s.mu.Unlock()
	select {
	case <-done:
	case <-time.After(wait):
	}
}
