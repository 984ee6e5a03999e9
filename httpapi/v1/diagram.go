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
	// The charset that it declares does not matter: the body that holds it is
	// UTF-8.
	j, err := jsl.ParseCharset(jsl.BPMN, []byte(text), "utf-8")
	if err = atDiagram(err, pointer); err != nil {
		return nil, err
	}
	return j, nil
}

// atDiagram returns an error of a job as one of the member of the body that
// holds its diagram.
func atDiagram(err error, pointer string) error {
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
			where += fmt.Sprintf(" (line %d, column %d of the diagram)", e.Line, e.Column)
		}
		wrong.Add(pointer, e.Want+where, e.Got)
	}
	return wrong
}

// The diagram editor of the v1 console tries a diagram before it saves it: the
// bus runs an execution of the job in which no step does its work.

// TestBatchlet does nothing. It stands for the work of a step.
const TestBatchlet = "org.jobstreamer.batch.TestBatchlet"

// RemoveWork replaces the work of each step by [TestBatchlet], so that the job
// needs no component of its application.
func RemoveWork(j *jsl.Job) *jsl.Job {
	j.Listeners = nil
	j.Walk(func(_ string, e jsl.Element) {
		if step, ok := e.(*jsl.Step); ok {
			step.Batchlet, step.Chunk, step.Partition, step.Listeners = &jsl.Artifact{Ref: TestBatchlet}, nil, nil, nil
		}
	})
	return j
}
