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
	maxBuffered  = 8 << 20                // bytes of one execution's lines that wait; who writes more waits too
	patience     = time.Minute            // how long a writer waits while nothing is stored; then lines are dropped
	tailLines    = 500                    // of what was dropped last; they are kept all the same
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

// LogSink takes the lines of one attempt's output. They are gathered, and sent
// in order, by one goroutine that is there while there is something to send.
//
//	writer ---> lines (maxBuffered) ---> messages ---> LOGS
//	   |              ^
//	   +--> tail -----+     the newest tailLines of what found no room
//
// A writer that finds no room waits: the pipe of its process fills up, and the
// process waits too. If nothing was stored for as long as patience, or the job
// is lossy, it does not wait, and the oldest line of the tail is dropped for
// each new one. So the last lines always arrive, and memory is bounded.
type LogSink struct {
	ship    *shipper
	subject string
	attempt int
	id      string // of the sink; with a number, of its messages

	mu       sync.Mutex
	lines    []waitingLine
	size     int           // bytes of lines
	tail     []waitingLine // after lines
	lossy    bool          // writers do not wait
	patience time.Duration
	moved    time.Time     // when a message was stored last, or sending began
	room     chan struct{} // closed when there may be room; nil if nobody waits
	gap      int           // lines dropped that no message has told of, before what comes next
	dropped  int           // in all
	timer    *time.Timer
	sending  bool
	closed   time.Time     // zero: not yet
	done     chan struct{} // made by close, closed when all is sent
	number   int           // of the last message
}

type waitingLine struct {
	subjects.LogLine
	size int // as JSON
	gap  int // lines dropped before it
}

// Line takes output of a step. It may be several lines; one that is too long
// becomes several. It waits while there is no room for them.
func (s *LogSink) Line(stream, level, step, message string) {
	for piece := range pieces(message) {
		s.line(subjects.LogLine{Time: subjects.Now(), Level: level, Stream: stream, Step: step, Message: piece})
	}
}

// agent takes a line that the agent itself says. It does not wait.
func (s *LogSink) agent(level, message string) { s.Line(Own, level, "", message) }

// Lossy lets writers go on when there is no room: lines are dropped then, and
// counted.
func (s *LogSink) Lossy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lossy = true
	s.wake()
}

// hasten shortens the time that a writer waits while nothing is stored, since
// the attempt is to end.
func (s *LogSink) hasten(most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patience = min(s.patience, most)
	s.wake()
}

// Dropped is how many lines were lost so far.
func (s *LogSink) Dropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

func (s *LogSink) line(l subjects.LogLine) {
	size := lineOverhead + len(l.Step) + sizeAsJSON(l.Message)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.awaitRoom(l.Stream, size) {
		s.keepInTail(waitingLine{l, size, 0})
		return
	}
	s.append(waitingLine{l, size, s.takeGap()})
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

func (s *LogSink) append(l waitingLine) {
	s.lines = append(s.lines, l)
	s.size += l.size
}

func (s *LogSink) takeGap() int {
	n := s.gap
	s.gap = 0
	return n
}

// awaitRoom reports whether there is room for a line, and waits for it as long
// as that makes sense; s.mu is held, but not while it waits.
func (s *LogSink) awaitRoom(stream string, size int) bool {
	if stream == Own && len(s.tail) == 0 {
		return true // there are few of these
	}
	if len(s.tail) == 0 && s.size+size <= maxBuffered {
		return true
	}
	for len(s.tail) > 0 || s.size+size > maxBuffered {
		left := time.Until(s.moved.Add(s.patience))
		if s.lossy || left <= 0 || stream == Own {
			return false
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-room:
		case <-timer.C:
		}
		timer.Stop()
		s.mu.Lock()
	}
	return true
}

// wake lets those who wait look again; s.mu is held.
func (s *LogSink) wake() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// keepInTail keeps a line that found no room, in place of the oldest such line;
// s.mu is held.
func (s *LogSink) keepInTail(l waitingLine) {
	s.tail = append(s.tail, l)
	if len(s.tail) > tailLines {
		gap := s.tail[0].gap + 1
		s.tail[0] = waitingLine{} // for the collector
		s.tail = s.tail[1:]
		s.tail[0].gap += gap
		s.dropped++
	}
}

// moveTail puts the tail where there is room for it: behind the lines, when
// half of them are sent, for gaps should be few; s.mu is held.
func (s *LogSink) moveTail() {
	if len(s.tail) == 0 || s.size > maxBuffered/2 {
		return
	}
	for _, l := range s.tail {
		l.gap += s.takeGap()
		s.append(l)
	}
	s.tail = nil
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
	s.sending, s.moved = true, time.Now()
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
		stored := s.ship.send(&nats.Msg{
			Subject: s.subject, Data: data,
			Header: nats.Header{nats.MsgIdHdr: {s.id + "-" + strconv.Itoa(s.number)}},
		}, s.overdue, len(msg.Lines))
		s.sent(msg, stored)
	}
}

// sent notes what became of a message. What was not stored counts as dropped.
func (s *LogSink) sent(msg *subjects.LogMessage, stored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored {
		s.moved = time.Now()
	} else {
		s.dropped += len(msg.Lines)
		lost := msg.Dropped + len(msg.Lines)
		switch {
		case len(msg.Lines) == 0: // not even that lines are missing can be stored
		case len(s.lines) > 0:
			s.lines[0].gap += lost
		case len(s.tail) > 0:
			s.tail[0].gap += lost
		default:
			s.gap += lost
		}
	}
	s.moveTail()
	s.wake()
}

// take removes the lines of one message, or ends the work if there are none.
func (s *LogSink) take() *subjects.LogMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveTail()
	if len(s.lines) == 0 && s.gap == 0 {
		s.sending = false
		if s.done != nil {
			close(s.done)
			s.done = nil
		}
		return nil
	}
	msg := &subjects.LogMessage{Attempt: s.attempt}
	n, size := 0, headOverhead
	if len(s.lines) > 0 {
		msg.Dropped = s.lines[0].gap
	} else {
		msg.Dropped = s.takeGap()
	}
	for n < len(s.lines) && (n == 0 || s.lines[n].gap == 0 && size+s.lines[n].size <= subjects.MaxLogMessage) {
		size += s.lines[n].size
		msg.Lines = append(msg.Lines, s.lines[n].LogLine)
		n++
	}
	s.lines = s.lines[n:]
	s.size -= size - headOverhead
	s.wake()
	return msg
}

// overdue says that it is too late for lines of an attempt that ended long ago.
func (s *LogSink) overdue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed.IsZero() && time.Since(s.closed) > linesGiveUp
}

// close sends what waits. It returns when that is stored, or when nothing was
// stored for as long as wait; then sending goes on.
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
	for left := wait; left > 0; left = s.timeLeft(wait) {
		select {
		case <-done:
			return
		case <-time.After(left):
		}
	}
}

// timeLeft is how long close still waits: what is left of wait since a message
// was stored.
func (s *LogSink) timeLeft(wait time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.closed
	if s.moved.After(last) {
		last = s.moved
	}
	return time.Until(last.Add(wait))
}
