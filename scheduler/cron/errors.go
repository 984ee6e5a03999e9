package cron

import (
	"fmt"
	"unicode/utf8"
)

// Error reports what is wrong with an expression, at which column, and what is
// allowed there.
type Error struct {
	Expr    string // as the caller passed it
	Field   string // such as "hour"; empty if the number of fields is wrong
	Column  int    // where the problem begins: characters, counted from 1
	Problem string // such as "25 is not in 0-23"
	Want    string // what is allowed, such as "0-23"
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("cron %q: column %d: %s", e.Expr, e.Column, e.Problem)
	}
	return fmt.Sprintf("cron %q: %s (column %d): %s", e.Expr, e.Field, e.Column, e.Problem)
}

// placeIn sets the expression, and converts the column from an offset in bytes,
// which parsing leaves there, to a count of characters.
func (e *Error) placeIn(expr string) *Error {
	e.Expr = expr
	e.Column = utf8.RuneCountInString(expr[:e.Column]) + 1
	return e
}
