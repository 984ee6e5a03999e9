package rest

import (
	"fmt"
	"strings"
)

// Problem is the body of every error (RFC 9457). It has no type member, which
// means about:blank (section 3.1.1): programs go by the code.
type Problem struct {
	Title       string  `json:"title" doc:"The reason phrase of the HTTP status."`
	Status      int     `json:"status" doc:"The HTTP status."`
	Code        string  `json:"code" doc:"Code of the problem, for programs. It stays the same in later versions." example:"no_such_job"`
	Detail      string  `json:"detail,omitempty" doc:"Description of the problem, for people."`
	Errors      []Fault `json:"errors,omitempty" doc:"All faults of the request."`
	ExecutionID int64   `json:"execution_id,omitzero" doc:"With outcome_unknown: the id of the execution that may have started."`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer (RFC 6901) into the body. Absent for the body as a whole and for parameters." example:"/steps/0/chunk/item_count"`
	Parameter string `json:"parameter,omitempty" doc:"Name of the invalid parameter or header." example:"limit"`
	Detail    string `json:"detail" doc:"What the API expects there." example:"want a whole number of at least 1"`
	Got       string `json:"got,omitempty" doc:"The value that was sent, possibly shortened."`
	Line      int    `json:"line,omitzero" doc:"Line in the body, from 1."`
	Column    int    `json:"column,omitzero" doc:"Column in the line, in bytes from 1."`
	Message   string `json:"-"` // for v1 clients, in place of the rest
	InPath    bool   `json:"-"` // the parameter is a part of the path
}

// Error returns the problem in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d %s)", p.Detail, p.Status, p.Code)
	for i, f := range p.Errors {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + f.String())
	}
	return b.String()
}

// String returns the fault in one line.
func (f Fault) String() string {
	s := f.Detail
	if at := f.Pointer + f.Parameter; at != "" {
		s = at + ": " + s
	}
	if f.Got != "" {
		s += ", got " + f.Got
	}
	if f.Line > 0 {
		s += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	return s
}
