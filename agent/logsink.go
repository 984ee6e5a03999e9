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
	flushEvery = 100 * time.Millisecond // how long a line waits for more lines
	// maxBuffered limits the lines of one execution that wait, in bytes.
	// Writers block when it is reached.
	maxBuffered = 8 << 20
	// maxPatience is how long a writer blocks while nothing is stored. After
	// that, lines are dropped.
	maxPatience  = time.Minute
	tailLines    = 500              // of the newest lines are kept when lines are dropped
	lineOverhead = 160              // bytes of a line in JSON, without its texts
	headOverhead = 512              // bytes of a message, without its lines
	linesGiveUp  = 10 * time.Minute // after the end of an attempt, its lines are not retried any longer
)

// Values of a line's stream.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	Own    = "agent" // written by the agent itself
)

// LogSink collects the output of one attempt and sends it in order. One
// goroutine sends; it runs while there is something to send.
//
//	writer ---> lines (maxBuffered) ---> messages ---> LOGS
//	   |              ^
//	   +--> tail -----+     the newest tailLines that found no room
//
// A writer that finds no room blocks: the pipe of its process fills up, and the
// process blocks too. The writer does not block if the job is lossy, or if
// nothing was stored for the time of patience. Then its line goes to the tail,
// and the oldest line of a full tail is dropped. So the last lines always
// arrive, and memory stays bounded.
type LogSink struct {
	publisher *logPublisher
	subject   string
	attempt   int
	id        string // random id of the sink; with a number, the Nats-Msg-Id
	secrets   *Secrets

	mu           sync.Mutex
	lines        []waitingLine
	size         int           // of lines, in bytes
	tail         []waitingLine // comes after lines
	lossy        bool          // writers do not block
	patience     time.Duration
	lastProgress time.Time     // when a message was last stored, or sending began
	room         chan struct{} // closed when there may be room; nil if no writer blocks
	// gap is the number of lines dropped before the next line, as far as no
	// message has reported them yet.
	gap        int
	dropped    int // number of all dropped lines
	timer      *time.Timer
	sending    bool
	closedAt   time.Time     // zero while the sink is open
	done       chan struct{} // created by closeAndWait, closed when everything is sent
	lastNumber int           // of the last message
}

type waitingLine struct {
	subjects.LogLine
	size int // as JSON, in bytes
	gap  int // number of lines dropped before this one
}

// Line adds output of a step. A message of several lines is split, and so is a
// line that is too long. Secrets that the attempt has obtained are replaced.
// Line blocks while there is no room.
func (s *LogSink) Line(stream, level, step, message string) {
	message = s.secrets.Redact(message) // first: a secret that is cut would not be found
	for piece := range linePieces(message) {
		s.addLine(subjects.LogLine{Time: subjects.Now(), Level: level, Stream: stream, Step: step, Message: piece})
	}
}

// agentLine adds a line of the agent itself. It does not block.
func (s *LogSink) agentLine(level, message string) { s.Line(Own, level, "", message) }

// Lossy makes writers drop lines, and count them, instead of blocking when
// there is no room.
func (s *LogSink) Lossy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lossy = true
	s.wakeWriters()
}

// limitPatience limits how long a writer blocks while nothing is stored,
// because the attempt is to end.
func (s *LogSink) limitPatience(most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patience = min(s.patience, most)
	s.wakeWriters()
}

// Dropped returns the number of lines lost so far.
func (s *LogSink) Dropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

func (s *LogSink) addLine(l subjects.LogLine) {
	size := lineOverhead + len(l.Step) + sizeAsJSON(l.Message)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.awaitRoom(l.Stream, size) {
		s.keepInTail(waitingLine{l, size, 0})
		return
	}
	s.appendLine(waitingLine{l, size, s.resetGap()})
	switch {
	case s.sending:
	case s.size >= subjects.MaxLogMessage || !s.closedAt.IsZero():
		s.startSending()
	case len(s.lines) > 1: // the timer is running
	case s.timer == nil:
		s.timer = time.AfterFunc(flushEvery, s.flushLines)
	default:
		s.timer.Reset(flushEvery)
	}
}

func (s *LogSink) appendLine(l waitingLine) {
	s.lines = append(s.lines, l)
	s.size += l.size
}

func (s *LogSink) resetGap() int {
	n := s.gap
	s.gap = 0
	return n
}

// awaitRoom blocks until there is room for a line, and reports whether there
// is. It returns false when the writer must not block any longer. The caller
// holds s.mu; awaitRoom releases it while it blocks.
func (s *LogSink) awaitRoom(stream string, size int) bool {
	if stream == Own && len(s.tail) == 0 {
		return true // the agent writes few lines
	}
	if len(s.tail) == 0 && s.size+size <= maxBuffered {
		return true
	}
	for len(s.tail) > 0 || s.size+size > maxBuffered {
		left := time.Until(s.lastProgress.Add(s.patience))
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

// wakeWriters lets blocked writers check again whether there is room. The
// caller holds s.mu.
func (s *LogSink) wakeWriters() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// keepInTail adds a line that found no room to the tail. A full tail drops its
// oldest line. The caller holds s.mu.
func (s *LogSink) keepInTail(l waitingLine) {
	s.tail = append(s.tail, l)
	if len(s.tail) > tailLines {
		gap := s.tail[0].gap + 1
		s.tail[0] = waitingLine{} // releases its memory
		s.tail = s.tail[1:]
		s.tail[0].gap += gap
		s.dropped++
	}
}

// moveTail appends the tail to the lines once half of them are sent. It does
// not do that earlier, so that there are few gaps. The caller holds s.mu.
func (s *LogSink) moveTail() {
	if len(s.tail) == 0 || s.size > maxBuffered/2 {
		return
	}
	for _, l := range s.tail {
		l.gap += s.resetGap()
		s.appendLine(l)
	}
	s.tail = nil
}

func (s *LogSink) flushLines() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sending && len(s.lines) > 0 {
		s.startSending()
	}
}

// startSending starts the goroutine that sends. The caller holds s.mu.
func (s *LogSink) startSending() {
	s.sending, s.lastProgress = true, time.Now()
	s.publisher.workers.Go(s.sendLines)
}

// sendLines sends messages until no line is left.
func (s *LogSink) sendLines() {
	for {
		msg := s.nextMessage()
		if msg == nil {
			return
		}
		s.lastNumber++
		data, _ := json.Marshal(msg) // only strings and numbers: cannot fail
		stored := s.publisher.storeMessage(&nats.Msg{
			Subject: s.subject, Data: data,
			Header: nats.Header{nats.MsgIdHdr: {s.id + "-" + strconv.Itoa(s.lastNumber)}},
		}, s.isOverdue, len(msg.Lines))
		s.finishMessage(msg, stored)
	}
}

// finishMessage accounts for a message that was stored or lost. Lines of a lost
// message count as dropped.
func (s *LogSink) finishMessage(msg *subjects.LogMessage, stored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored {
		s.lastProgress = time.Now()
	} else {
		s.dropped += len(msg.Lines)
		lost := msg.Dropped + len(msg.Lines)
		switch {
		case len(msg.Lines) == 0: // it only reported a gap: do not try again
		case len(s.lines) > 0:
			s.lines[0].gap += lost
		case len(s.tail) > 0:
			s.tail[0].gap += lost
		default:
			s.gap += lost
		}
	}
	s.moveTail()
	s.wakeWriters()
}

// nextMessage removes the lines of the next message from the sink and returns
// it. It returns nil, and ends sending, if there are none.
func (s *LogSink) nextMessage() *subjects.LogMessage {
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
		msg.Dropped = s.resetGap()
	}
	for n < len(s.lines) && (n == 0 || s.lines[n].gap == 0 && size+s.lines[n].size <= subjects.MaxLogMessage) {
		size += s.lines[n].size
		msg.Lines = append(msg.Lines, s.lines[n].LogLine)
		n++
	}
	s.lines = s.lines[n:]
	s.size -= size - headOverhead
	s.wakeWriters()
	return msg
}

// isOverdue reports whether the attempt ended too long ago to retry its lines.
func (s *LogSink) isOverdue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closedAt.IsZero() && time.Since(s.closedAt) > linesGiveUp
}

// closeAndWait sends the remaining lines and blocks until they are stored. It
// returns earlier if nothing was stored for the time of wait; sending goes on
// then.
func (s *LogSink) closeAndWait(wait time.Duration) {
	s.mu.Lock()
	s.closedAt = time.Now()
	if s.timer != nil {
		s.timer.Stop()
	}
	if len(s.lines) > 0 && !s.sending {
		s.startSending()
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

// timeLeft returns how long closeAndWait still blocks: the rest of wait since
// the last message was stored.
func (s *LogSink) timeLeft(wait time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.closedAt
	if s.lastProgress.After(last) {
		last = s.lastProgress
	}
	return time.Until(last.Add(wait))
}
