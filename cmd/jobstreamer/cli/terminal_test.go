//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// terminal is a pseudoterminal with its output so far.
type terminal struct {
	*os.File // the program's side
	master   *os.File
	mu       sync.Mutex
	seen     bytes.Buffer
}

func newTerminal(t *testing.T, columns, lines uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &terminal{File: slave, master: master}
	p.resizeTo(t, columns, lines)
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.seen.Write(buffer[:n])
			p.mu.Unlock()
		}
	})
	t.Cleanup(func() { slave.Close(); master.Close(); reading.Wait() })
	return p
}

func (p *terminal) resizeTo(t *testing.T, columns, lines uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: lines}); err != nil {
		t.Fatal(err)
	}
}

// screenText waits until the last drawn screen contains what, and returns its
// lines.
func (p *terminal) screenText(t *testing.T, what string) []string {
	t.Helper()
	screen := func(all string) string { return all[max(0, strings.LastIndex(all, "\x1b[H")):] }
	last := screen(p.awaitOutput(t, what, func(all string) bool {
		return strings.Contains(screen(all), what) && strings.HasSuffix(all, "\x1b[J")
	}))
	text := strings.NewReplacer("\x1b[H", "", "\x1b[K", "", "\x1b[J", "", "\r", "").Replace(last)
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// awaitOutput returns the terminal's output as soon as done returns true for
// it.
func (p *terminal) awaitOutput(t *testing.T, what string, done func(all string) bool) (all string) {
	t.Helper()
	for range 1000 {
		p.mu.Lock()
		all = p.seen.String()
		p.mu.Unlock()
		if done(all) {
			return all
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the terminal does not show %q: %q", what, all)
	return ""
}

// --watch never scrolls or wraps, because such a screen could not be redrawn in
// place.
func TestWatchFitsTheWindow(t *testing.T) {
	e, _ := withBus(t)
	for i := range 30 {
		e.applyFiles(t, fmt.Sprintf("%s%02d", strings.Repeat("long-name-", 5), i), "Noop")
	}
	p := newTerminal(t, 60, 12)
	e.out = p.File
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		if got := e.runOnce(ctx, "job", "list", "--watch", "--interval", "1h"); got.failed != nil {
			t.Errorf("%+v", got)
		}
	})
	defer watching.Wait()
	defer cancel()
	fits := func(columnsMost, linesMost int, what string) {
		t.Helper()
		lines := p.screenText(t, what)
		if len(lines) > linesMost-1 {
			t.Errorf("%d lines in a window of %d: %q", len(lines), linesMost, lines)
		}
		for _, l := range lines {
			if displayWidth(l) > columnsMost {
				t.Errorf("%d columns in a window of %d: %q", displayWidth(l), columnsMost, l)
			}
		}
	}
	fits(60, 12, "21 more lines; enlarge the window to see them")
	p.resizeTo(t, 40, 8)
	fits(40, 8, "25 more lines")
	p.resizeTo(t, 100, 50)
	fits(100, 50, "long-name-29")
}

// evilLine has everything with which output can manipulate a terminal: title,
// clipboard, colors, cursor, CR, C1 in place of escape, and right-to-left
// letters.
const evilLine = "a\x1b]0;title\x07b\x1b]52;c;eA==\x1b\\c\x1b[31mred\x1b[0m\x1b[2Ad\re\u009b2Jf\u202eg\u2066h\x7fi\x08"

// waitFor returns the terminal's output as soon as it contains what.
func (p *terminal) waitFor(t *testing.T, what string) string {
	t.Helper()
	return p.awaitOutput(t, what, func(all string) bool { return strings.Contains(all, what) })
}

// The output of a job cannot manipulate a terminal, unless --raw is given. A
// pipe gets it unchanged.
func TestOutputDoesNothingToATerminal(t *testing.T) {
	e, b := withBus(t)
	e.applyFiles(t, "night", "Noop")
	if got := e.runOnce(t.Context(), "run", "night"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	data, err := json.Marshal(subjects.LogMessage{Attempt: 1, Lines: []subjects.LogLine{
		{Time: subjects.Now(), Stream: "stdout", Step: "s", Message: evilLine + "\n" + evilLine},
		{Time: subjects.Now(), Stream: "stdout", Step: "s", Message: "over."},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.JS.Publish(t.Context(), subjects.LogSubject("default", "night", 1, "a1"), data); err != nil {
		t.Fatal(err)
	}
	const shown = "a]0;titleb]52;c;eA==\\cred[2Ade2Jfghi"
	for _, c := range []struct {
		line string
		raw  bool
	}{
		{line: "logs 1"}, {line: "logs 1 --bare"}, {line: "logs 1 --step s"}, {line: "logs 1 --raw", raw: true}, {line: "logs 1 --bare --raw", raw: true},
		{line: "logs 1 -o json"}, {line: "logs 1 -o yaml"}, {line: "logs 1 -o edn"}, {line: "logs 1 --follow"}, {line: "logs 1 --follow --raw", raw: true},
		{line: "execution wait 1 --follow"}, {line: "execution wait 1 --follow --raw", raw: true},
	} {
		t.Run(c.line, func(t *testing.T) {
			p := newTerminal(t, 80, 24)
			to := *e
			to.out = p.File
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { to.runOnce(ctx, append(strings.Fields(c.line), "--no-color")...) })
			got := p.waitFor(t, "over.")
			cancel()
			running.Wait()
			switch {
			case c.raw && !strings.Contains(got, strings.ReplaceAll(evilLine, "\n", "\r\n")):
				t.Errorf("%q, want the output as it is", got)
			case !c.raw && strings.ContainsFunc(strings.ReplaceAll(got, "\r\n", ""), isUnsafe):
				t.Errorf("unsafe: %q", got)
			case !c.raw && !strings.Contains(c.line, "-o") && strings.Count(got, shown) != 2:
				t.Errorf("%q, want twice %q", got, shown)
			}
		})
	}
	for _, line := range []string{"logs 1", "logs 1 --bare", "logs 1 --step s"} {
		if got := e.runOnce(t.Context(), strings.Fields(line)...); strings.Count(got.out, evilLine) != 2 {
			t.Errorf("%s in a pipe: %q, want the output as it is", line, got.out)
		}
	}
}

// On a terminal, the command asks for confirmation before it changes the
// matches of a glob, and before it deletes anything.
func TestConfirmation(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"night-1", "night-2"} {
		e.applyFiles(t, job, "Noop")
	}
	e.in = ""
	if got := e.runOnce(t.Context(), "run", "night-*"); got.failed != nil { // in a pipe
		t.Fatalf("%+v", got)
	}
	for _, c := range []struct{ line, answer, asked, out string }{
		{"execution stop night-*", "n", "Stop 2 executions: 1, 2? [y/N]", ""},
		{"execution stop night-* --dry-run", "", "", "2 executions: 2 would be stopped."},
		{"execution stop night-*", "y", "Stop 2 executions: 1, 2? [y/N]", "2 executions: 2 stopped."},
		{"execution restart night-*", "", "Restart 2 executions: 1, 2? [y/N]", ""},
		{"execution restart 1 2", "-", "", "2 executions: 2 restarted."},
		{"execution abandon night-* --yes", "-", "", "2 executions: 2 abandoned."},
		{"job delete night-1", "n", "Delete the job night-1 of default with its schedule and the history of its executions? [y/N]", ""},
		{"job delete night-1 night-2", "yes", "Delete 2 jobs of default with their schedule and the history of their executions: night-1, night-2? [y/N]", "2 jobs: 2 deleted."},
	} {
		p := newTerminal(t, 80, 24)
		e.tty = p.File
		if c.answer != "-" {
			if _, err := p.master.WriteString(c.answer + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		got := e.runOnce(t.Context(), strings.Fields(c.line)...)
		asked := p.waitFor(t, c.asked)
		if c.asked == "" && strings.Contains(asked, "[y/N]") {
			t.Errorf("%s: asked %q, want %q", c.line, asked, c.asked)
		}
		if want := c.out == ""; want != (got.failed != nil) || !strings.Contains(got.out, c.out) || want && got.out != "" {
			t.Errorf("%s: %+v, want %q", c.line, got, c.out)
		}
	}
}
