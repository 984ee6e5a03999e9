package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Years that an expression may name. Nothing fires outside of them.
const (
	MinYear = 1970
	MaxYear = 2299
)

// field is what may be written in one of the fields of an expression.
type field struct {
	name     string
	min, max int
	maxStep  int
	names    []string // the first stands for min
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

// token is a part of an expression in upper case, and where it begins.
type token struct {
	text string
	at   int // bytes from the start of the expression
}

// cut splits a token around the first sep.
func (t token) cut(sep string) (before, after token, found bool) {
	b, a, found := strings.Cut(t.text, sep)
	return token{b, t.at}, token{a, t.at + len(b) + len(sep)}, found
}

// list splits a token at its commas.
func (t token) list() []token {
	var all []token
	for more := true; more; {
		var one token
		one, t, more = t.cut(",")
		all = append(all, one)
	}
	return all
}

// refuse makes the error of a field. The offset becomes a column in
// [Error.place].
func (f *field) refuse(t token, want, format string, args ...any) *Error {
	return &Error{Field: f.name, Column: t.at, Problem: fmt.Sprintf(format, args...), Want: want}
}

// alone is the error for what may not be part of a list.
func (f *field) alone(t token) *Error {
	return f.refuse(t, "nothing else in the field", "%s stands alone in its field", quote(t.text))
}

// want says which values the field takes.
func (f *field) want() string {
	if f.names == nil {
		return between(f.min, f.max)
	}
	return between(f.min, f.max) + " or " + f.names[0] + "-" + f.names[len(f.names)-1]
}

// values reads a list of values, ranges and steps and hands each value to add.
func (f *field) values(t token, add func(int)) *Error {
	all := t.list()
	for _, one := range all {
		if len(all) > 1 && (one.text == "*" || one.text == "?") {
			return f.alone(one)
		}
		if err := f.element(one, add); err != nil {
			return err
		}
	}
	return nil
}

// element reads *, 5, 5-10, 5/2, 5-10/2, */2 or /2.
func (f *field) element(t token, add func(int)) *Error {
	from, step, stepped := t.cut("/")
	lo, hi, ranged := from.cut("-")
	first, last, by := f.min, f.max, 1
	var err *Error
	switch {
	case from.text == "*" || from.text == "" && stepped:
	case ranged:
		first, last, err = f.ends(from, lo, hi)
	default:
		if first, err = f.value(from); err == nil && !stepped {
			last = first
		}
	}
	if err == nil && stepped {
		if slices.ContainsFunc(f.names, func(n string) bool { return strings.HasPrefix(from.text, n) }) {
			return f.refuse(from, "numbers before a step", "%s is a name, a step goes with numbers", quote(t.text))
		}
		by, err = f.number(step, 1, f.maxStep, "a step in "+between(1, f.maxStep))
	}
	if err != nil {
		return err
	}
	if last < first { // the range wraps
		last += f.max - f.min + 1
	}
	for v := first; v <= last; v += by {
		add(f.min + (v-f.min)%(f.max-f.min+1))
	}
	return nil
}

// ends reads the two ends of a range: both numbers or both names.
func (f *field) ends(t, lo, hi token) (first, last int, err *Error) {
	if first, err = f.value(lo); err != nil {
		return 0, 0, err
	}
	if last, err = f.value(hi); err != nil {
		return 0, 0, err
	}
	if isDigit(lo.text[0]) != isDigit(hi.text[0]) {
		return 0, 0, f.refuse(t, "two numbers or two names", "%s is a range of a number and a name", quote(t.text))
	}
	if last < first && f.min == MinYear {
		return 0, 0, f.refuse(t, "the earlier year first", "%s runs backwards", quote(t.text))
	}
	return first, last, nil
}

// value reads one value, a number or a name.
func (f *field) value(t token) (int, *Error) {
	if i := slices.Index(f.names, t.text); i >= 0 {
		return f.min + i, nil
	}
	if t.text == "?" {
		return 0, f.refuse(t, f.want(), "? belongs alone in one of the two day fields, want %s", f.want())
	}
	return f.number(t, f.min, f.max, f.want())
}

// number reads a number from low to high. Leading zeros are fine, up to four
// digits.
func (f *field) number(t token, low, high int, want string) (int, *Error) {
	if t.text == "" {
		return 0, f.refuse(t, want, "something is missing, want %s", want)
	}
	n, err := strconv.Atoi(t.text)
	if err != nil || !isDigit(t.text[0]) || len(t.text) > 4 {
		return 0, f.refuse(t, want, "%s is not %s", quote(t.text), among(want))
	}
	if n < low || n > high {
		return 0, f.refuse(t, want, "%d is not %s", n, among(want))
	}
	return n, nil
}

// among makes "in 0-23" of "0-23" and leaves "a step in 1-59" as it is.
func among(want string) string {
	if isDigit(want[0]) {
		return "in " + want
	}
	return want
}

func between(low, high int) string { return fmt.Sprintf("%d-%d", low, high) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// quote leaves what is plain as it is: 1A, but "\u00a0".
func quote(s string) string {
	if q := strconv.QuoteToASCII(s); s == "" || len(q) != len(s)+2 {
		return q
	}
	return s
}
