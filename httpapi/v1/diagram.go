package v1

import (
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// ReadDiagram reads the job of a diagram. Its faults are those of the member of
// the body that holds the diagram.
func ReadDiagram(text, pointer string) (*jsl.Job, error) {
	return readText(jsl.BPMN, text, pointer, "diagram")
}

// ReadJobXML reads a job from job XML, as [ReadDiagram] does from a diagram.
func ReadJobXML(text, pointer string) (*jsl.Job, error) {
	return readText(jsl.XML, text, pointer, "job XML")
}

func readText(form jsl.Format, text, pointer, what string) (*jsl.Job, error) {
	// The charset that it declares does not matter: the body that holds it is
	// UTF-8.
	j, err := jsl.ParseCharset(form, []byte(text), "utf-8")
	if err = atMember(err, pointer, what); err != nil {
		return nil, err
	}
	return j, nil
}

// atMember returns an error of a job as one of the member of the body that holds
// its text.
func atMember(err error, pointer, what string) error {
	var errs jsl.Errors
	if !errors.As(err, &errs) {
		return err
	}
	var wrong codec.Faults
	for _, e := range errs {
		var where string
		if e.Path != "" {
			where = " at " + e.Path
		}
		if e.Line > 0 {
			where += fmt.Sprintf(" (line %d, column %d of the %s)", e.Line, e.Column, what)
		}
		wrong.Add(pointer, e.Want+where, e.Got)
	}
	return wrong
}
