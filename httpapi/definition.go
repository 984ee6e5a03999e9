package httpapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sentJob is the body with a job: its definition and what was sent beside it,
// in the words of files or in those of v1 clients.
type sentJob struct {
	jsl.Job
	beside
}

// beside is what was sent beside a definition. Settings that are nil stay as
// they are.
type beside struct {
	v1.Words
	fileParts
}

// ReadBody parses a job in any format, once.
func (v *sentJob) ReadBody(f *codec.Format, data []byte) error {
	text, err := jsl.ParseText(f.Form, data, f.Charset)
	if err != nil {
		return f.AsMalformed(err)
	}
	wrong := v.readWords(text)
	if v.Drawn {
		if wrong == nil {
			wrong = v.readDiagram()
		}
		return wrong
	}
	file, err := text.File()
	if err := f.AsMalformed(readFile(file, f.Form, &v.beside, err)); err != nil {
		return err
	}
	v.Job = *file.Job
	if wrong == nil && v.Name != "" { // else a definition that was exported could not be imported by another name
		return v.setName(v.Name)
	}
	return wrong
}

// readWords reads the words of v1 clients.
func (b *beside) readWords(text *jsl.Text) (err error) {
	if b.Words, err = v1.ReadWords(text); err != nil {
		return err
	}
	wrong := b.settingFaults()
	if b.Schedule != nil {
		wrong.AddWithin("/job~1schedule", (*newSchedule)(&b.Schedule.NewSchedule).Validate())
	}
	return wrong.Err()
}

// setName gives the job the name that was sent beside its definition.
func (v *sentJob) setName(name string) error {
	if !jsl.ValidID(name) {
		return codec.Faults{{Pointer: "/job~1name", Detail: "want " + jsl.WantID, Got: codec.Cut(name)}}
	}
	v.ID = name
	return nil
}

// readDiagram reads the definition that is drawn. The job's name need not be in
// it.
func (v *sentJob) readDiagram() error {
	j, err := readDiagram(v.BPMN, "/job~1bpmn-xml-notation")
	if err != nil {
		return err
	}
	v.Job = *j
	if v.Words.Exclusive != nil {
		v.Job.Exclusive = *v.Words.Exclusive
	}
	if v.Name != "" {
		return v.setName(v.Name)
	}
	return nil
}

// over is the job that is stored for what was sent, in place of what there was,
// which may be nil. Its settings stay but for what set changes, and so does
// what a diagram has no place for.
func (v *sentJob) over(was *bus.Job, app string, set func(*bus.Settings)) (bus.Job, error) {
	now := subjects.Now()
	is := bus.Job{App: app, Name: v.ID, Notation: v.notation(), CreateTime: now, UpdateTime: now}
	def := v.Job
	if was != nil {
		is.Token, is.NameOf, is.CreateTime = was.Token, was.NameOf, was.CreateTime
		if !v.Whole {
			is.Settings = was.Settings
		}
		if v.Drawn {
			old, err := jsl.Restore(was.Definition)
			if err != nil {
				return is, err
			}
			def.Restartable, def.Pool, def.Priority, def.OnAgentLost, def.MaxAttempts, def.Log = old.Restartable, old.Pool, old.Priority, old.OnAgentLost, old.MaxAttempts, old.Log
			def.Namespace = old.Namespace
			if v.Words.Exclusive == nil && !v.Whole {
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
	var wrong codec.Faults
	for _, e := range errs {
		where := fmt.Sprintf(" (line %d, column %d of the diagram)", e.Line, e.Column)
		if e.Path != "" {
			where = " at " + e.Path + where
		}
		wrong.Add(at, e.Want+where, e.Got)
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
