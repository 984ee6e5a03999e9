package builtin

import (
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// Names of classes of errors, for the exception classes of chunks.
const (
	ParseErrorClass  = "org.jobstreamer.batch.ParseError"
	FormatErrorClass = "org.jobstreamer.batch.FormatError"
)

// ParseError says that a line of a file is not what the reader was told to
// expect. The reader goes on with the line after LastLine.
type ParseError struct {
	File           string
	Line, LastLine int64 // from 1; they differ if a quoted field has line breaks
	Problem        string
	Field, Got     string // empty if the line as a whole is wrong; Got is shortened
}

func (e *ParseError) Error() string {
	where := fmt.Sprintf("%s line %d", e.File, e.Line)
	if e.LastLine > e.Line {
		where = fmt.Sprintf("%s lines %d to %d", e.File, e.Line, e.LastLine)
	}
	if e.Field == "" {
		return where + ": " + e.Problem
	}
	return fmt.Sprintf("%s: field %s: %s, got %.60q", where, e.Field, e.Problem, e.Got)
}

// FormatError says that the writer of a file cannot write an item. No item of
// the same call of WriteItems is written.
type FormatError struct {
	Item    int    // its number in the chunk, from 1
	Field   string // empty if the item as a whole is wrong
	Problem string
}

func (e *FormatError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("item %d of the chunk: %s", e.Item, e.Problem)
	}
	return fmt.Sprintf("item %d of the chunk: field %s: %s", e.Item, e.Field, e.Problem)
}

// fileErrorClasses returns the classes of the errors of readers and writers of
// files.
func fileErrorClasses() []agent.ErrorClass {
	return []agent.ErrorClass{
		agent.ErrorAs[*ParseError](ParseErrorClass, ""),
		agent.ErrorAs[*FormatError](FormatErrorClass, ""),
	}
}
