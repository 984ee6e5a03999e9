package v1

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Problem is an error as v1 clients read it.
type Problem struct {
	Message     string   `edn:"message"`
	Messages    []string `edn:"messages"`
	Code        string   `edn:"code"`
	ExecutionID *int64   `edn:"execution-id"`
}

// maxInMessage is how many faults the message holds. Consoles show only the
// message.
const maxInMessage = 5

// ProblemOf returns a problem in the words of v1 clients.
func ProblemOf(p *rest.Problem) Problem {
	v := Problem{Message: cmp.Or(p.Detail, p.Title), Code: p.Code}
	if p.ExecutionID != 0 {
		v.ExecutionID = &p.ExecutionID
	}
	for _, f := range p.Errors {
		v.Messages = append(v.Messages, cmp.Or(f.Message, f.String()))
	}
	if n := len(v.Messages); n > 0 {
		v.Message = strings.Join(v.Messages[:min(n, maxInMessage)], "; ")
		if n > maxInMessage {
			v.Message += fmt.Sprintf("; and %d more", n-maxInMessage)
		}
	}
	if len(v.Messages) == 0 {
		v.Messages = []string{v.Message}
	}
	return v
}
