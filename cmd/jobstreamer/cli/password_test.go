//go:build linux

package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// typeLine waits for a question at a terminal without echo, and types the line.
func (p *terminal) typeLine(t *testing.T, question, line string) {
	t.Helper()
	for range 1000 {
		if strings.HasSuffix(p.allOutput(), question) && !p.isEchoing(t) {
			if _, err := p.master.WriteString(line); err != nil {
				t.Error(err)
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%q was not asked: %q", question, p.allOutput())
}

// allOutput returns the output of the terminal so far.
func (p *terminal) allOutput() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

// isEchoing reports whether the terminal echoes.
func (p *terminal) isEchoing(t *testing.T) bool {
	t.Helper()
	is, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return is.Lflag&unix.ECHO != 0
}

// The command asks for a password on the terminal, without echo.
func TestPasswordAtATerminal(t *testing.T) {
	e := withLogins(t)
	p := newTerminal(t, 80, 24)
	e.tty = p.File
	done := make(chan outcome, 1)
	run := func(args ...string) { go func() { done <- e.runOnce(t.Context(), args...) }() }
	run("login", "admin")
	p.typeLine(t, "Password of admin: ", secret+"\n")
	if got := <-done; got.failed != nil || !strings.Contains(got.out, "admin is logged in") {
		t.Fatalf("%+v", got)
	}
	run("user", "create", "ann", "--role", "watcher")
	p.typeLine(t, "New password of ann: ", "long enough\n")
	p.typeLine(t, "Repeat the new password: ", "not the same\n")
	if got := <-done; ExitStatus(got.failed) != ExitUsage {
		t.Errorf("%+v", got)
	}
	run("user", "create", "ann", "--role", "watcher")
	p.typeLine(t, "New password of ann: ", "long enough\n")
	p.typeLine(t, "Repeat the new password: ", "long enough\n")
	if got := <-done; got.failed != nil {
		t.Errorf("%+v", got)
	}
	if seen := p.allOutput(); strings.Contains(seen, secret) || strings.Contains(seen, "enough") {
		t.Errorf("a password was shown: %q", seen)
	}
	if !p.isEchoing(t) {
		t.Error("the terminal stays without echo")
	}
}

// The command asks for the value of a secret on the terminal, without echo.
func TestSecretAtATerminal(t *testing.T) {
	e, s := withSecrets(t)
	p := newTerminal(t, 80, 24)
	e.tty = p.File
	done := make(chan outcome, 1)
	go func() { done <- e.runOnce(t.Context(), "secret", "set", "DB_PASSWORD") }()
	p.typeLine(t, "Value of DB_PASSWORD: ", "hidden value\n")
	if got := <-done; got.failed != nil || s.values["default.DB_PASSWORD"] != "hidden value" {
		t.Errorf("%+v, set %q", got, s.values)
	}
	if seen := p.allOutput(); strings.Contains(seen, "hidden") {
		t.Errorf("the value was shown: %q", seen)
	}
	if !p.isEchoing(t) {
		t.Error("the terminal stays without echo")
	}
}

// After an interrupt, the terminal echoes again.
func TestInterruptedPassword(t *testing.T) {
	e := withLogins(t)
	p := newTerminal(t, 80, 24)
	e.tty = p.File
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan outcome, 1)
	go func() { done <- e.runOnce(ctx, "login", "admin") }()
	p.typeLine(t, "Password of admin: ", "")
	cancel()
	if got := <-done; !errors.Is(got.failed, context.Canceled) || ExitStatus(got.failed) != ExitInterrupted {
		t.Errorf("%+v", got)
	}
	if !p.isEchoing(t) {
		t.Error("the terminal stays without echo")
	}
	if _, err := p.master.WriteString("\n"); err != nil { // ends the read, as the end of the program would
		t.Error(err)
	}
}
