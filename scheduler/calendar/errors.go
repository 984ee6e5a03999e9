package calendar

import (
	"fmt"
	"strings"
)

// FieldError names a field with a wrong value and the value that it should
// have.
type FieldError struct {
	Path string // JSON pointer (RFC 6901): /rules/0/rrule
	Want string // "a date such as 2026-12-25"
	Got  string // as written, cut to 80 characters; empty if it is missing
}

// Error returns the fault in one line.
func (e FieldError) Error() string {
	place := e.Path
	if place == "" {
		place = "the calendar"
	}
	if e.Got == "" {
		return fmt.Sprintf("%s: want %s", place, e.Want)
	}
	return fmt.Sprintf("%s: want %s, got %s", place, e.Want, e.Got)
}

// Errors are all faults of a definition, in the order of its fields. There is
// at least one.
type Errors []FieldError

// shownFaults is how many faults the message of [Errors] shows.
const shownFaults = 10

// Error returns the first faults in one line, and how many more there are.
func (e Errors) Error() string {
	var b strings.Builder
	for i, f := range e[:min(len(e), shownFaults)] {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Error())
	}
	if n := len(e) - shownFaults; n > 0 {
		fmt.Fprintf(&b, "; and %d more", n)
	}
	return b.String()
}

// faultList collects faults.
type faultList struct{ all Errors }

// maxFaults limits the answer to a definition that is wrong everywhere.
const maxFaults = 100

func (l *faultList) add(path, want, got string) {
	if len(l.all) < maxFaults {
		l.all = append(l.all, FieldError{path, want, got})
	}
}

// orNil returns nil or an [Errors].
func (l *faultList) orNil() error {
	if len(l.all) == 0 {
		return nil
	}
	return l.all
}

// quoteValue returns s in quotes, cut to 80 characters.
func quoteValue(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
