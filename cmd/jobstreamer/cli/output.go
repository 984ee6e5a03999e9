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
	formatWide  = "wide" // with all columns and uncut texts
)

const resizeCheckEvery = 250 * time.Millisecond // interval between checks of the terminal's size

// Delay after an event: more may follow, and lists show it a little later.
const eventPause = 200 * time.Millisecond

var outputs = []string{formatTable, formatWide, "json", "yaml", "edn"}

// showAnswer shows the answer of the control bus: as a table, or unchanged in
// the format of --output. With --watch, it does so repeatedly.
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

// writeRaw writes an answer unchanged, except that JSON is indented.
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

// redrawUntilDone draws repeatedly until the context ends. After the first
// success, it retries while the control bus cannot be reached.
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

// untilNext blocks until it is time to draw again: after an event, after a
// change of the terminal's size, or after --interval.
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

// watchChanges sends on changes when an execution of the application changes,
// so that the next refresh does not wait for --interval. It ignores errors,
// because --interval works without events.
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

// redrawScreen replaces the content of a terminal. On other streams it appends
// the new text.
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
