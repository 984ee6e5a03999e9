package agent

import (
	"bytes"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxLine is how many bytes of a line stay together. Where a longer one is cut,
// the piece ends and the next one begins with an ellipsis.
const (
	maxLine  = 8 << 10
	ellipsis = "…"
	maxPiece = maxLine - 2*len(ellipsis)
)

// pieces yields the lines of a text as valid UTF-8, long ones in pieces.
func pieces(text string) iter.Seq[string] {
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

// runeStart is the last index up to n where s can be cut without cutting a
// character.
func runeStart[S string | []byte](s S, n int) int {
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return n // not UTF-8 anyway
}

// LineWriter cuts what is written into lines. Write never fails. It waits while
// the sink has no room.
type LineWriter struct {
	sink                *LogSink
	stream, level, step string

	mu   sync.Mutex
	part []byte // of a line whose end has not come
	cut  bool   // part is not the beginning of its line
}

// Writer returns a writer whose lines have the stream, level and step. Close
// takes a last line that has no end.
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
		if len(w.part) == 0 {
			w.line(p[:i])
		} else {
			w.line(append(w.part, p[:i]...))
			w.part = w.part[:0]
		}
		p = p[i+1:]
	}
	w.part = append(w.part, p...)
	for len(w.part) > maxLine { // an endless line must not become an endless buffer
		k := runeStart(w.part, maxPiece)
		w.out(string(w.part[:k]) + ellipsis)
		w.part, w.cut = append(w.part[:0], w.part[k:]...), true
	}
	return n, nil
}

// Close ends the last line.
func (w *LineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.line(w.part)
		w.part = nil
	}
	return nil
}

func (w *LineWriter) line(b []byte) { w.out(string(b)); w.cut = false }

func (w *LineWriter) out(text string) {
	if w.cut {
		text = ellipsis + text
	}
	w.sink.Line(w.stream, w.level, w.step, text)
}

// sizeAsJSON is at least how many bytes text takes in JSON.
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
