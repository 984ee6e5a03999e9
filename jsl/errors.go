package jsl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// FieldError tells which field of a definition is wrong and what belongs there.
type FieldError struct {
	Path         string // JSON pointer (RFC 6901) into the JSON form: /steps/0/chunk/item_count
	Want         string // "a whole number of at least 1"
	Got          string // as written, cut to 80 characters; empty if the field is missing
	Line, Column int    // from 1; 0 if the job was not read from text
}

// Error returns the fault in one line.
func (e FieldError) Error() string {
	var b strings.Builder
	if e.Path == "" {
		b.WriteString("the definition")
	}
	b.WriteString(oneLine(e.Path) + ": want " + e.Want)
	if e.Got != "" {
		b.WriteString(", got " + oneLine(e.Got))
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, " (line %d, column %d)", e.Line, e.Column)
	}
	return b.String()
}

// oneLine returns s, quoted if it has control characters such as line breaks.
func oneLine(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return strconv.Quote(s)
	}
	return s
}

// Errors are all faults of a definition, in the order of the text. There is at
// least one.
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
