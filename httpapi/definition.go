package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sentJob is a definition, and what older clients send along.
type sentJob struct {
	jsl.Job
	beside
}

// beside is what older clients send with a definition, when they import what they exported, or in its place.
type beside struct {
	Name      string                 `edn:"job/name"`
	Exclusive *bool                  `edn:"job/exclusive?"`
	BPMN      string                 `edn:"job/bpmn-xml-notation"`
	SVG       string                 `edn:"job/svg-notation"`
	Schedule  *rest.ImportedSchedule `edn:"job/schedule"`
	sentSettings
	fileParts

	drawn bool // the diagram is the definition: there is no other
	whole bool // what did not come is taken away: in the words of older clients a job has its schedule and settings in it
}

// readJob reads a definition in any format.
func (f *format) readJob(data []byte, v *sentJob) (err error) {
	wrong := v.read(f, data)
	if v.drawn {
		if wrong == nil {
			wrong = v.readDiagram()
		}
		return wrong
	}
	file, err := jsl.ParseFileCharset(f.form, data, f.charset)
	if err := f.malformed(readFile(file, f.form, &v.beside, err)); err != nil {
		return err
	}
	v.Job = *file.Job
	if wrong == nil && v.Name != "" { // else a definition that was exported could not be imported by another name
		return v.call(v.Name)
	}
	return wrong
}

// call gives the job the name that was sent beside its definition.
func (v *sentJob) call(name string) error {
	if !jsl.ValidID(name) {
		return faults{{Pointer: "/job~1name", Detail: "want " + jsl.WantID, Got: cut(name)}}
	}
	v.ID = name
	return nil
}

// marks are parts of the keys that beside is read from: most definitions have none of them, and need not be read twice.
var marks = []string{"job/name", "job/schedule", "-notation", "job/definition", "time-monitor", "status-notifications"}

// read reads what is there of it.
func (b *beside) read(f *format, data []byte) (err error) {
	if f.form == jsl.XML || !slices.ContainsFunc(marks, func(mark string) bool { return bytes.Contains(data, []byte(mark)) }) {
		return nil
	}
	if data, err = jsl.ToJSON(f.form, data); err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	_, b.whole = keys["job/name"]
	bpmn, there := keys["job/bpmn-xml-notation"]
	b.drawn = there && string(bpmn) != `""` && string(bpmn) != "null"
	for _, key := range []string{"steps", "job/steps", "job/components", "job/definition"} {
		_, there := keys[key]
		b.drawn = b.drawn && !there
	}
	if err := readLeniently(data, b); err != nil {
		return err
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
	if v.beside.Exclusive != nil {
		v.Job.Exclusive = *v.beside.Exclusive
	}
	if v.Name != "" {
		return v.call(v.Name)
	}
	return nil
}

// over is the job that is stored for what was sent, in place of what there was, which may be nil. Its settings stay but for what set
// changes, and so does what a diagram has no place for.
func (v *sentJob) over(was *bus.Job, app string, set func(*bus.Settings)) (bus.Job, error) {
	now := subjects.Now()
	is := bus.Job{App: app, Name: v.ID, Notation: v.notation(), CreateTime: now, UpdateTime: now}
	def := v.Job
	if was != nil {
		is.Token, is.NameOf, is.CreateTime = was.Token, was.NameOf, was.CreateTime
		if !v.whole {
			is.Settings = was.Settings
		}
		if v.drawn {
			old, err := jsl.Restore(was.Definition)
			if err != nil {
				return is, err
			}
			def.Restartable, def.Pool, def.Priority, def.OnAgentLost, def.MaxAttempts, def.Log = old.Restartable, old.Pool, old.Priority, old.OnAgentLost, old.MaxAttempts, old.Log
			def.Namespace = old.Namespace
			if v.beside.Exclusive == nil && !v.whole {
				def.Exclusive = old.Exclusive
			}
		}
	}
	set(&is.Settings)
	var err error
	is.Definition, err = def.MarshalJSON()
	return is, err
}

// readDiagram reads the job of a diagram that was sent at a place of a body.
func readDiagram(text, at string) (*jsl.Job, error) {
	j, err := jsl.ParseCharset(jsl.BPMN, []byte(text), "utf-8") // whatever it declares: its letters came in another text
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
