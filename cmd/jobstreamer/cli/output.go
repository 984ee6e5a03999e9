package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const (
	formatTable = "table"
	formatWide  = "wide" // with all columns, and whole texts
)

const resizeCheckEvery = 250 * time.Millisecond // between two looks at the size of the terminal

const eventPause = 200 * time.Millisecond // after an event: more may come, and lists know of it a little later

var outputs = []string{formatTable, formatWide, "json", "yaml", "edn"}

// showAnswer asks the control bus and shows what it answers: drawn, or as it
// came. It does so again and again if it is watched.
func showAnswer[T any](s *session, ask func(c *client.Client) (T, error), draw func(p *page, v T)) error {
	if s.watch {
		return s.redrawUntilDone(func(p *page) error { return showAnswerOn(s, p, ask, draw) })
	}
	return showAnswerOn(s, s.outPage(), ask, draw)
}

func showAnswerOn[T any](s *session, p *page, ask func(c *client.Client) (T, error), draw func(p *page, v T)) error {
	if s.printsTables() {
		v, err := ask(s.client)
		if err == nil {
			draw(p, v)
		}
		return err
	}
	var raw bytes.Buffer
	if _, err := ask(s.client.As("application/"+s.output, &raw)); err != nil {
		return err
	}
	return p.writeRaw(s.output, raw.Bytes())
}

// writeRaw writes an answer as it came. JSON has lines for people too.
func (p *page) writeRaw(format string, answer []byte) error {
	if format == "json" {
		indented, err := indentJSON(answer)
		if err != nil {
			return err
		}
		answer = indented
	}
	return p.writeCode(append(bytes.TrimRight(answer, "\n"), '\n'))
}

// redrawUntilDone draws until the end of the context. Once something was drawn,
// a control bus that is away for a while is waited for.
func (s *session) redrawUntilDone(draw func(p *page) error) error {
	last, trying, wide, high := "", false, 0, 0
	changes, stop := s.watchChanges()
	defer stop()
	for {
		var b strings.Builder
		err := draw(s.pageTo(s.Out, &b))
		text, w, h := b.String(), 0, 0
		if IsTerminal(s.Out) {
			w, h = s.windowSize(s.Out)
			text = fitWindow(text, w, h)
		}
		switch {
		case s.ctx.Err() != nil:
			return nil
		case err != nil && (last == "" || !isAway(err)):
			return err
		case err != nil && !trying:
			why := s.shortReason(err)
			fmt.Fprintf(s.Err, "%s; retrying\n", why)
		case err == nil && (text != last || w != wide || h != high):
			s.redrawScreen(text, last == "" || w != wide || h != high)
			last, wide, high = text, w, h
		}
		trying = err != nil
		s.untilNext(changes)
		if s.ctx.Err() != nil {
			return nil
		}
	}
}

// untilNext blocks until it is time to draw again: something has changed, or
// the terminal has another size.
func (s *session) untilNext(changes <-chan struct{}) {
	next := time.NewTimer(s.every)
	defer next.Stop()
	look := time.NewTicker(resizeCheckEvery)
	defer look.Stop()
	wide, high := s.windowSize(s.Out)
	for {
		select {
		case <-changes:
			time.Sleep(eventPause)
			return
		case <-look.C:
			if w, h := s.windowSize(s.Out); w != wide || h != high {
				return
			}
		case <-next.C:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// watchChanges says when an execution of the application changes, so that
// nobody waits for the next look. A control bus that does not say it is looked
// at all the same.
func (s *session) watchChanges() (changes <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(s.ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		_ = s.client.Events(ctx, client.EventFilter{App: s.app}, func(string, rest.Event) error {
			select {
			case ch <- struct{}{}:
			default:
			}
			return nil
		})
	})
	return ch, func() { cancel(); listening.Wait() }
}

// redrawScreen replaces what a terminal shows. Elsewhere the new comes after
// the old.
func (s *session) redrawScreen(text string, first bool) {
	switch {
	case IsTerminal(s.Out):
		const home, lineEnd, below = "\x1b[H", "\x1b[K\n", "\x1b[J"
		if first {
			fmt.Fprint(s.Out, "\x1b[2J")
		}
		fmt.Fprint(s.Out, home+strings.ReplaceAll(text, "\n", lineEnd)+below)
	case first || !s.printsTables():
		fmt.Fprint(s.Out, text)
	default:
		fmt.Fprint(s.Out, "\n"+text)
	}
}
