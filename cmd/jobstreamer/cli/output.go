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
func showAnswer[T any](inv *invocation, ask func(c *client.Client) (T, error), draw func(p *page, v T)) error {
	if inv.watch {
		return inv.redrawUntilDone(func(p *page) error { return showAnswerOn(inv, p, ask, draw) })
	}
	return showAnswerOn(inv, inv.outPage(), ask, draw)
}

func showAnswerOn[T any](inv *invocation, p *page, ask func(c *client.Client) (T, error), draw func(p *page, v T)) error {
	if inv.printsTables() {
		v, err := ask(inv.client)
		if err == nil {
			draw(p, v)
		}
		return err
	}
	var raw bytes.Buffer
	if _, err := ask(inv.client.As("application/"+inv.output, &raw)); err != nil {
		return err
	}
	return p.writeRaw(inv.output, raw.Bytes())
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
func (inv *invocation) redrawUntilDone(draw func(p *page) error) error {
	last, trying, wide, high := "", false, 0, 0
	changes, stop := inv.watchChanges()
	defer stop()
	for {
		var b strings.Builder
		err := draw(inv.pageTo(inv.Out, &b))
		text, w, h := b.String(), 0, 0
		if IsTerminal(inv.Out) {
			w, h = inv.windowSize(inv.Out)
			text = fitWindow(text, w, h)
		}
		switch {
		case inv.ctx.Err() != nil:
			return nil
		case err != nil && (last == "" || !isAway(err)):
			return err
		case err != nil && !trying:
			why := inv.shortReason(err)
			fmt.Fprintf(inv.Err, "%s; retrying\n", why)
		case err == nil && (text != last || w != wide || h != high):
			inv.redrawScreen(text, last == "" || w != wide || h != high)
			last, wide, high = text, w, h
		}
		trying = err != nil
		inv.untilNext(changes)
		if inv.ctx.Err() != nil {
			return nil
		}
	}
}

// untilNext blocks until it is time to draw again: something has changed, or
// the terminal has another size.
func (inv *invocation) untilNext(changes <-chan struct{}) {
	next := time.NewTimer(inv.every)
	defer next.Stop()
	look := time.NewTicker(resizeCheckEvery)
	defer look.Stop()
	wide, high := inv.windowSize(inv.Out)
	for {
		select {
		case <-changes:
			time.Sleep(eventPause)
			return
		case <-look.C:
			if w, h := inv.windowSize(inv.Out); w != wide || h != high {
				return
			}
		case <-next.C:
			return
		case <-inv.ctx.Done():
			return
		}
	}
}

// watchChanges says when an execution of the application changes, so that
// nobody waits for the next look. A control bus that does not say it is looked
// at all the same.
func (inv *invocation) watchChanges() (changes <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(inv.ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		_ = inv.client.Events(ctx, client.EventFilter{App: inv.app}, func(string, rest.Event) error {
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
func (inv *invocation) redrawScreen(text string, first bool) {
	switch {
	case IsTerminal(inv.Out):
		const home, lineEnd, below = "\x1b[H", "\x1b[K\n", "\x1b[J"
		if first {
			fmt.Fprint(inv.Out, "\x1b[2J")
		}
		fmt.Fprint(inv.Out, home+strings.ReplaceAll(text, "\n", lineEnd)+below)
	case first || !inv.printsTables():
		fmt.Fprint(inv.Out, text)
	default:
		fmt.Fprint(inv.Out, "\n"+text)
	}
}
