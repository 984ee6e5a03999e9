package agent

import (
	"bytes"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxLine is the maximum length of a line, in bytes. A longer line is cut into
// pieces, and an ellipsis marks both sides of each cut.
const (
	maxLine  = 8 << 10
	ellipsis = "…"
	maxPiece = maxLine - 2*len(ellipsis)
)

// linePieces yields the lines of text as valid UTF-8. It cuts lines that are
// longer than maxLine.
func linePieces(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			line, rest, more := strings.Cut(text, "\n")
			line = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "\uFFFD")
			begin := ""
			for len(begin)+len(line) > maxLine {
				n := runeStart(line, maxPiece)
				if !yield(begin + line[:n] + ellipsis) {
					return
				}
				begin, line = ellipsis, line[n:]
			}
			if !yield(begin+line) || !more || rest == "" {
				return
			}
			text = rest
		}
	}
}

// runeStart returns the largest index up to n at which s can be cut without
// splitting a character.
func runeStart[S string | []byte](s S, n int) int {
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return n // s is not UTF-8
}

// LineWriter splits the text written to it into lines of a [LogSink]. Write
// never fails; it blocks while the sink is full.
type LineWriter struct {
	sink                *LogSink
	stream, level, step string

	mu             sync.Mutex
	partial        []byte // a line whose end was not written yet
	isContinuation bool   // the beginning of partial's line was passed on already
}

// Writer returns a writer whose lines have the given stream, level and step.
// Close passes on a last line without a line feed.
func (s *LogSink) Writer(stream, level, step string) *LineWriter {
	return &LineWriter{sink: s, stream: stream, level: level, step: step}
}

func (w *LineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		if len(w.partial) == 0 {
			w.writeLine(p[:i])
		} else {
			w.writeLine(append(w.partial, p[:i]...))
			w.partial = w.partial[:0]
		}
		p = p[i+1:]
	}
	w.partial = append(w.partial, p...)
	secrets := w.sink.secrets.redacting()
	for len(w.partial) > maxLine+secrets.hold() { // a line without an end must not grow the buffer for ever
		k := runeStart(w.partial, maxPiece)
		if secrets != nil {
			k = secrets.cut(string(w.partial), k)
		}
		w.writePiece(string(w.partial[:k]) + ellipsis)
		w.partial, w.isContinuation = append(w.partial[:0], w.partial[k:]...), true
	}
	return n, nil
}

// Close passes on the last line if it has no line feed.
func (w *LineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.writeLine(w.partial)
		w.partial = nil
	}
	return nil
}

func (w *LineWriter) writeLine(b []byte) { w.writePiece(string(b)); w.isContinuation = false }

func (w *LineWriter) writePiece(text string) {
	if w.isContinuation {
		text = ellipsis + text
	}
	w.sink.Line(w.stream, w.level, w.step, text)
}

// sizeAsJSON returns an upper bound for the length of text as JSON, in bytes.
func sizeAsJSON(text string) int {
	n := len(text)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < 0x20, c == 0x7f, c == '<', c == '>', c == '&':
			n += 5
		case c == '"', c == '\\':
			n++
		case c == 0xE2: // U+2028 and U+2029 are escaped
			n += 3
		}
	}
	return n
}
