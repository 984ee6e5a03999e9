package jsl

import "strconv"

// Int is a whole number in decimal digits, or text with substitutions that
// becomes one when the job is resolved. An empty Int is not given.
type Int string

// Bool is true or false, or text with substitutions that becomes one of them
// when the job is resolved. An empty Bool is not given.
type Bool string

// Or returns the number, or d if none is given. Text that is not resolved yet
// counts as not given.
func (i Int) Or(d int) int {
	if n, err := strconv.ParseInt(string(i), 10, 32); err == nil {
		return int(n)
	}
	return d
}

// Or returns the truth value, or d if none is given. Text that is not resolved
// yet counts as not given.
func (b Bool) Or(d bool) bool {
	switch b {
	case "true":
		return true
	case "false":
		return false
	}
	return d
}

// isInt reports whether text is a whole number, as [Int] defines it.
func isInt(text string) bool {
	_, err := strconv.ParseInt(text, 10, 32)
	return err == nil
}

// canonicalInt returns a whole number without + and leading zeros. It returns
// any other text unchanged.
func canonicalInt(text string) string {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return text
}
