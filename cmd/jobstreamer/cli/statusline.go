package cli

import (
	"fmt"
	"io"
)

// statusLine shows the progress in one line of a terminal. Without a terminal,
// it writes nothing.
type statusLine struct {
	w     io.Writer
	live  bool
	width int // of the terminal: a wrapped line cannot be replaced
}

func (inv *invocation) statusLine() *statusLine {
	width, _ := inv.windowSize(inv.Err)
	return &statusLine{inv.Err, IsTerminal(inv.Err), width}
}

func (l *statusLine) showText(text string) {
	if l.live {
		fmt.Fprintf(l.w, "\r%s\x1b[K", cutText(text, l.width-1))
	}
}

func (l *statusLine) clearLine() { l.showText("") }
