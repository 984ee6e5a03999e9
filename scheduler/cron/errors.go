package cron

import (
	"fmt"
	"unicode/utf8"
)

// Error says what is wrong with an expression, where, and what is allowed
// there.
type Error struct {
	Expr    string // as given
	Field   string // "hour"; empty if the number of fields is wrong
	Column  int    // of what is wrong, in characters from 1
	Problem string // "25 is not in 0-23"
	Want    string // "0-23"
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("cron %q: column %d: %s", e.Expr, e.Column, e.Problem)
	}
	return fmt.Sprintf("cron %q: %s (column %d): %s", e.Expr, e.Field, e.Column, e.Problem)
}

// place fills in the expression and turns the offset in bytes that parsing
// knows into a column.
func (e *Error) place(expr string) *Error {
	e.Expr = expr
	e.Column = utf8.RuneCountInString(expr[:e.Column]) + 1
	return e
}
