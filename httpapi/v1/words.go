package v1

import (
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Words are what a v1 client sends beside a definition, when it imports a job
// that it exported, or in place of one.
type Words struct {
	Name                string                        `edn:"job/name"`
	Exclusive           *bool                         `edn:"job/exclusive?"`
	BPMN                string                        `edn:"job/bpmn-xml-notation"`
	SVG                 string                        `edn:"job/svg-notation"`
	Schedule            *rest.ImportedSchedule        `edn:"job/schedule"`
	TimeMonitor         *rest.NewTimeMonitor          `edn:"job/time-monitor"`
	StatusNotifications *[]rest.NewStatusNotification `edn:"job/status-notifications"`

	Drawn bool // the diagram is the definition: there is no other
	Whole bool // the job has no schedule and no settings but those that were sent
}

// keys are those of [Words].
var keys = []string{
	"job/name", "job/exclusive?", "job/bpmn-xml-notation", "job/svg-notation", "job/schedule", "job/time-monitor", "job/status-notifications",
}

// withLocal are the keys, and the same without their namespace.
var withLocal = addLocal(keys)

func addLocal(keys []string) (all []string) {
	for _, key := range keys {
		all = append(all, key, strings.TrimPrefix(key, "job/"))
	}
	return all
}

// ReadWords reads the words of v1 clients in a text that was parsed. Without
// any they are empty.
func ReadWords(t *jsl.Text) (w Words, err error) {
	if !t.Has(keys...) && !t.Has("job/definition") {
		return w, nil
	}
	members, err := t.Pick(withLocal...)
	if err != nil {
		return w, err
	}
	err = codec.ReadLeniently(members, &w)
	w.Whole = t.Has("job/name")
	w.Drawn = (w.BPMN != "" || err != nil) && t.Has("job/bpmn-xml-notation") && !t.Has("steps", "job/steps", "job/components", "job/definition")
	return w, err
}

// Faults returns all that is wrong with the schedule and the settings, each
// judged by validate.
func (w *Words) Faults(validate func(part any) codec.Faults) (wrong codec.Faults) {
	if w.TimeMonitor != nil {
		wrong.AddWithin("/job~1time-monitor", validate(w.TimeMonitor))
	}
	if w.StatusNotifications != nil {
		for i := range *w.StatusNotifications {
			n := &(*w.StatusNotifications)[i]
			n.ID = 0 // it has meaning only where the job was exported
			wrong.AddWithin("/job~1status-notifications/"+strconv.Itoa(i), validate(n))
		}
	}
	if w.Schedule != nil {
		wrong.AddWithin("/job~1schedule", validate(&w.Schedule.NewSchedule))
	}
	return wrong
}

// pointerDiagram is the place of a diagram in a body.
const pointerDiagram = "/job~1bpmn-xml-notation"

// Draw reads the job from its diagram, which need not hold the job's name.
func (w *Words) Draw(j *jsl.Job) error {
	drawn, err := ReadDiagram(w.BPMN, pointerDiagram)
	if err != nil {
		return err
	}
	*j = *drawn
	if w.Exclusive != nil {
		j.Exclusive = *w.Exclusive
	}
	return w.Rename(j)
}

// CheckDrawn checks the job of a diagram by the rules that depend on members
// that a diagram cannot hold. The caller has set them.
func (w *Words) CheckDrawn(j *jsl.Job) error {
	return atMember(j.Validate(), pointerDiagram, "diagram")
}

// Rename gives the job the name that was sent beside its definition, if one
// was: a job that was exported may be imported under another name.
func (w *Words) Rename(j *jsl.Job) error {
	switch {
	case w.Name == "":
		return nil
	case !jsl.ValidID(w.Name):
		return codec.Faults{{Pointer: "/job~1name", Detail: "want " + jsl.WantID, Got: codec.Cut(w.Name)}}
	}
	j.ID = w.Name
	return nil
}
