package sse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	defaultLines = 1000 // of a page
	// Of all executions that are read for the last lines of one; if too few,
	// eight times as many.
	tailMessages = 4096
	readTimeout  = 30 * time.Second // for reading a log once
)

// Part selects lines of a log: those after a line, those before one, those from
// a number on, or, without any of these, the last ones.
type Part struct {
	After, Before *LineKey
	First         int // number of the first line, from 1
	Limit         int // 0: 1000
}

// LineKey is the place of a line: the sequence of its message, and the number
// of the line in the message, from 1.
type LineKey struct {
	seq  uint64
	line int
}

// ParseLineKey reads a key. The id of an event alone names a message; line says
// which of its lines is meant.
func ParseLineKey(text string, line int) (k LineKey, err error) {
	seq, rest, more := strings.Cut(text, ".")
	if k.seq, err = strconv.ParseUint(seq, 10, 63); err != nil {
		return k, err
	}
	if k.line = line; more {
		k.line, err = strconv.Atoi(rest)
	}
	return k, err
}

func (k LineKey) String() string { return fmt.Sprintf("%d.%d", k.seq, k.line) }

func (k LineKey) compareTo(o LineKey) int {
	return cmp.Or(cmp.Compare(k.seq, o.seq), cmp.Compare(k.line, o.line))
}

// logLine is a line with its place.
type logLine struct {
	rest.LogLine
	key  LineKey
	last bool // of its message
}

// eventID returns the id of the line's event. Only the last line of a message
// has one: a client that is cut off within a message gets all its lines again.
func (l *logLine) eventID() uint64 {
	if l.last {
		return l.key.seq
	}
	return 0
}

// ReadPage reads a part of the log.
func (l *Log) ReadPage(ctx context.Context, p Part) (page rest.LogPage, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page = rest.LogPage{Results: []rest.LogLine{}, Limit: cmp.Or(p.Limit, defaultLines)}
	if err := l.findEnd(ctx); err != nil {
		return page, err
	}
	var lines []logLine
	var more struct{ before, after bool }
	switch {
	case l.last == 0 && (p.After != nil || p.Before != nil):
	case p.After != nil:
		more.before = true
		lines, more.after, err = l.readAfter(ctx, *p.After, page.Limit)
	case p.Before != nil:
		more.after = true
		lines, more.before, err = l.readBefore(ctx, *p.Before, page.Limit)
	default:
		var hits, offset int
		if lines, offset, hits, err = l.readCounted(ctx, p.First, page.Limit); err == nil {
			page.Hits, page.Offset = &hits, &offset
			more.before, more.after = offset > 1, offset-1+len(lines) < hits
		}
	}
	if n := len(lines); n > 0 {
		if more.before {
			page.Previous = new(lines[0].key.String())
		}
		if more.after {
			page.Next = new(lines[n-1].key.String())
		}
	}
	for i := range lines {
		page.Results = append(page.Results, lines[i].LogLine)
	}
	return page, err
}

// ReadLastLines reads the last lines of the log, from its end.
func (l *Log) ReadLastLines(ctx context.Context) ([]rest.LogLine, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := l.findEnd(ctx); err != nil || l.last == 0 {
		return nil, err
	}
	lines, _, err := l.readBefore(ctx, LineKey{seq: math.MaxInt64}, defaultLines)
	var all []rest.LogLine
	for i := range lines {
		all = append(all, lines[i].LogLine)
	}
	return all, err
}

var errEnough = errors.New("enough was read")

// readLines calls each for the lines after l.after up to l.last. It stops when
// each returns [errEnough].
func (l *Log) readLines(ctx context.Context, each func(*logLine) error) error {
	if l.after >= l.last {
		return nil
	}
	msgs, stop, err := l.source.openReader(ctx, subjects.LogsStream, l.consumer())
	if err != nil {
		return err
	}
	defer stop()
	if err := l.readStored(ctx, msgs, each); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// readAfter reads the lines after k, and reports whether there are more.
func (l *Log) readAfter(ctx context.Context, k LineKey, limit int) (lines []logLine, more bool, err error) {
	l.after = max(k.seq, 1) - 1 // the client may want the rest of the message
	err = l.readLines(ctx, func(line *logLine) error {
		switch {
		case line.key.compareTo(k) <= 0:
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

// readBefore reads the lines before k from the end, and reports whether there
// are more.
func (l *Log) readBefore(ctx context.Context, k LineKey, limit int) (lines []logLine, more bool, err error) {
	last := min(k.seq, l.last)
	for back := uint64(tailMessages); ; back *= 8 {
		l.after, l.last = last-min(back, last), last
		whole, n := l.after == 0, 0
		lines = nil
		err = l.readLines(ctx, func(line *logLine) error {
			if line.key.compareTo(k) >= 0 {
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

// readCounted reads all lines, to count them. It returns those from number
// first on, or the last ones if first is 0.
func (l *Log) readCounted(ctx context.Context, first, limit int) (lines []logLine, offset, hits int, err error) {
	err = l.readLines(ctx, func(line *logLine) error {
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
