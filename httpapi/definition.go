package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// sentJob is a definition, and what older clients send along.
type sentJob struct {
	jsl.Job
	beside
}

// beside is what older clients send with a definition, when they import what they exported, or in its place.
type beside struct {
	Name     string                 `edn:"job/name"`
	BPMN     string                 `edn:"job/bpmn-xml-notation"`
	SVG      string                 `edn:"job/svg-notation"`
	Schedule *rest.ImportedSchedule `edn:"job/schedule"`
	sentSettings

	defined bool // the definition is there, too
}

// readJob reads a definition in any format.
func (f *format) readJob(data []byte, v *sentJob) (err error) {
	wrong := v.read(f, data)
	if wrong == nil && v.BPMN != "" && !v.defined {
		return v.readDiagram()
	}
	j, err := f.job(data)
	if err != nil {
		return err
	}
	v.Job = *j
	return wrong
}

// read reads what is there of it.
func (b *beside) read(f *format, data []byte) (err error) {
	if f.form == jsl.XML || !bytes.Contains(data, []byte("job/schedule")) && !bytes.Contains(data, []byte("-notation")) && !b.mentioned(data) {
		return nil
	}
	if data, err = jsl.ToJSON(f.form, data); err != nil {
		return err
	}
	if err := readLeniently(data, b); err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	for _, key := range []string{"steps", "job/steps", "job/components", "job/definition"} {
		_, there := keys[key]
		b.defined = b.defined || there
	}
	wrong := b.faults()
	if b.Schedule != nil {
		wrong.within("/job~1schedule", faultsOfSchedule(&b.Schedule.NewSchedule))
	}
	return wrong.err()
}

// readDiagram reads the definition that is drawn. The job's name need not be in it.
func (v *sentJob) readDiagram() error {
	j, err := readDiagram(v.BPMN, "/job~1bpmn-xml-notation")
	if err != nil {
		return err
	}
	v.Job = *j
	if v.Name != "" {
		v.ID = v.Name
	}
	return nil
}

// readDiagram reads the job of a diagram that was sent at a place of a body.
func readDiagram(text, at string) (*jsl.Job, error) {
	j, err := jsl.Parse(jsl.BPMN, []byte(text))
	var errs jsl.Errors
	if !errors.As(err, &errs) {
		return j, err
	}
	var wrong faults
	for _, e := range errs {
		where := fmt.Sprintf(" (line %d, column %d of the diagram)", e.Line, e.Column)
		if e.Path != "" {
			where = " at " + e.Path + where
		}
		wrong.add(at, e.Want+where, e.Got)
	}
	return nil, wrong
}

type convertXML struct{ Sent body[rest.Diagram] }

func (s *Server) convertXML(_ context.Context, in *convertXML) (*answer[rest.JobXML], error) {
	j, err := readDiagram(in.Sent.value.JobBPMNXML, "/job_bpmn_xml")
	if err != nil {
		return nil, err
	}
	text, err := j.Format(jsl.XML)
	return &answer[rest.JobXML]{rest.JobXML{JobXML: string(text)}}, err
}

// notation is what is kept of the diagram, nil if there is none.
func (b *beside) notation() *bus.Notation {
	if b.BPMN == "" && b.SVG == "" {
		return nil
	}
	return &bus.Notation{BPMN: b.BPMN, SVG: b.SVG}
}
