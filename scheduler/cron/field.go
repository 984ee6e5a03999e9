package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The first and last year in which a schedule can fire.
const (
	MinYear = 1970
	MaxYear = 2299
)

// field describes what one field of an expression accepts.
type field struct {
	name     string
	min, max int
	maxStep  int
	names    []string // the first name means min
}

var (
	second     = field{name: "second", min: 0, max: 59, maxStep: 59}
	minute     = field{name: "minute", min: 0, max: 59, maxStep: 59}
	hour       = field{name: "hour", min: 0, max: 23, maxStep: 23}
	dayOfMonth = field{name: "day of month", min: 1, max: 31, maxStep: 31}
	month      = field{name: "month", min: 1, max: 12, maxStep: 12, names: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")}
	dayOfWeek  = field{name: "day of week", min: 1, max: 7, maxStep: 7, names: strings.Fields("SUN MON TUE WED THU FRI SAT")}
	year       = field{name: "year", min: MinYear, max: MaxYear, maxStep: MaxYear - MinYear}
)

// part is a piece of an expression, in upper case.
type part struct {
	text   string
	offset int // bytes from the start of the expression
}

// cutAt splits p around the first sep.
func (p part) cutAt(sep string) (before, after part, found bool) {
	b, a, found := strings.Cut(p.text, sep)
	return part{b, p.offset}, part{a, p.offset + len(b) + len(sep)}, found
}

// splitList splits p at its commas.
func (p part) splitList() []part {
	var all []part
	for more := true; more; {
		var one part
		one, p, more = p.cutAt(",")
		all = append(all, one)
	}
	return all
}

// refusePart returns an error about p. Its column is an offset in bytes until
// [Error.placeIn] converts it.
func (f *field) refusePart(p part, want, format string, args ...any) *Error {
	return &Error{Field: f.name, Column: p.offset, Problem: fmt.Sprintf(format, args...), Want: want}
}

// refuseInList returns the error for a form that must not be part of a list.
func (f *field) refuseInList(p part) *Error {
	return f.refusePart(p, "nothing else in the field", "%s must be the whole field", quotePart(p.text))
}

// wantValues returns the text that describes the values of the field.
func (f *field) wantValues() string {
	if f.names == nil {
		return rangeText(f.min, f.max)
	}
	return rangeText(f.min, f.max) + " or " + f.names[0] + "-" + f.names[len(f.names)-1]
}

// readValues parses a list of values, ranges and steps, and calls add for each
// value.
func (f *field) readValues(p part, add func(int)) *Error {
	all := p.splitList()
	for _, one := range all {
		if len(all) > 1 && (one.text == "*" || one.text == "?") {
			return f.refuseInList(one)
		}
		if err := f.readElement(one, add); err != nil {
			return err
		}
	}
	return nil
}

// readElement parses one element of a list: *, 5, 5-10, 5/2, 5-10/2, */2 or /2.
func (f *field) readElement(p part, add func(int)) *Error {
	from, step, stepped := p.cutAt("/")
	lo, hi, ranged := from.cutAt("-")
	first, last, by := f.min, f.max, 1
	var err *Error
	switch {
	case from.text == "*" || from.text == "" && stepped:
	case ranged:
		first, last, err = f.readRange(from, lo, hi)
	default:
		if first, err = f.readValue(from); err == nil && !stepped {
			last = first
		}
	}
	if err == nil && stepped {
		if slices.ContainsFunc(f.names, func(n string) bool { return strings.HasPrefix(from.text, n) }) {
			return f.refusePart(from, "a number before a step", "%s has a step after a name, want a number before the step", quotePart(p.text))
		}
		by, err = f.readNumber(step, 1, f.maxStep, "a step in "+rangeText(1, f.maxStep))
	}
	if err != nil {
		return err
	}
	if last < first { // the range wraps around
		last += f.max - f.min + 1
	}
	for v := first; v <= last; v += by {
		add(f.min + (v-f.min)%(f.max-f.min+1))
	}
	return nil
}

// readRange parses the two ends of a range: two numbers or two names.
func (f *field) readRange(p, lo, hi part) (first, last int, err *Error) {
	if first, err = f.readValue(lo); err != nil {
		return 0, 0, err
	}
	if last, err = f.readValue(hi); err != nil {
		return 0, 0, err
	}
	if isDigit(lo.text[0]) != isDigit(hi.text[0]) {
		return 0, 0, f.refusePart(p, "two numbers or two names", "%s mixes a number and a name", quotePart(p.text))
	}
	if last < first && f.min == MinYear {
		return 0, 0, f.refusePart(p, "the earlier year first", "%s ends before it starts", quotePart(p.text))
	}
	return first, last, nil
}

// readValue parses a single value, a number or a name.
func (f *field) readValue(p part) (int, *Error) {
	if i := slices.Index(f.names, p.text); i >= 0 {
		return f.min + i, nil
	}
	if p.text == "?" {
		return 0, f.refusePart(p, f.wantValues(), "? is allowed only as a whole day field, want %s", f.wantValues())
	}
	return f.readNumber(p, f.min, f.max, f.wantValues())
}

// readNumber parses a number from low to high of at most four digits. Leading
// zeros are allowed.
func (f *field) readNumber(p part, low, high int, want string) (int, *Error) {
	if p.text == "" {
		return 0, f.refusePart(p, want, "a value is missing, want %s", want)
	}
	n, err := strconv.Atoi(p.text)
	if err != nil || !isDigit(p.text[0]) || len(p.text) > 4 {
		return 0, f.refusePart(p, want, "%s is not %s", quotePart(p.text), inRange(want))
	}
	if n < low || n > high {
		return 0, f.refusePart(p, want, "%d is not %s", n, inRange(want))
	}
	return n, nil
}

// inRange turns "0-23" into "in 0-23", and returns "a step in 1-59" unchanged.
func inRange(want string) string {
	if isDigit(want[0]) {
		return "in " + want
	}
	return want
}

func rangeText(low, high int) string { return fmt.Sprintf("%d-%d", low, high) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// quotePart returns printable ASCII such as 1A unchanged, and quotes and
// escapes everything else: "\u00a0".
func quotePart(s string) string {
	if q := strconv.QuoteToASCII(s); s == "" || len(q) != len(s)+2 {
		return q
	}
	return s
}
