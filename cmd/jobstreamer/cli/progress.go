package cli

import (
	"fmt"
	"io"
)

// statusLine is a line of a terminal that says what goes on. Without a terminal it says nothing.
type statusLine struct {
	w    io.Writer
	live bool
}

func (s *session) statusLine() *statusLine { return &statusLine{s.Err, isTerminal(s.Err)} }

func (l *statusLine) show(text string) {
	if l.live {
		fmt.Fprintf(l.w, "\r%s\x1b[K", text)
	}
}

func (l *statusLine) clear() { l.show("") }
